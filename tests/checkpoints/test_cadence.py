"""How often a checkpoint is kept follows from what it costs, and all processes agree on it without a common clock."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import pytest

from proofline.checkpoints.cadence import FIRST_SECONDS, SHARE, Cadence


@dataclass
class Clock:
    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def simulated(steps: int, step: float, stopped: float, busy: float, write: float, **others: object) -> list[float]:
    """When checkpoints are taken in a training of such steps, in seconds from its start. Times are in seconds."""
    clock = Clock()
    cadence = Cadence(clock=clock, **others)  # type: ignore[arg-type]
    began, kept = clock.now, []
    cadence.begin(0)
    written_at = -1.0
    for number in range(1, steps + 1):
        clock.now += step
        writing = clock.now < written_at
        if cadence.is_due(number, writing, write if kept else 0.0, busy if kept else 0.0):
            kept.append(clock.now - began)
            clock.now += stopped
            cadence.kept(stopped)
            written_at = clock.now + write
    return kept


def test_a_short_training_keeps_none_and_the_first_comes_after_a_minute() -> None:
    assert not simulated(50, 1.0, 0.1, 0.1, 1.0)
    first = simulated(5000, 0.1, 0.01, 0.05, 1.0)[0]
    assert FIRST_SECONDS <= first <= FIRST_SECONDS + 1


@pytest.mark.parametrize("step", [0.1, 0.7, 20.0])
@pytest.mark.parametrize(("stopped", "busy", "write"), [(0.01, 0.05, 0.1), (2.0, 1.0, 30.0), (0.1, 0.0, 900.0)])
def test_what_they_cost_stays_within_the_share_and_they_do_not_meet(
    step: float, stopped: float, busy: float, write: float
) -> None:
    steps = int(max(20_000, 40 * (stopped + busy) / SHARE) / step)
    kept = simulated(steps, step, stopped, busy, write)
    gaps = [later - earlier for earlier, later in pairwise(kept)]
    assert len(gaps) > 3
    assert min(gaps) >= write
    assert sum((stopped + busy) / gap for gap in gaps) / len(gaps) <= SHARE * 1.01
    longest = max((stopped + busy) / SHARE, 1.5 * write)
    assert max(gaps) <= longest + 2 * step + stopped, "no rarer than that"


def test_a_number_of_steps_that_was_asked_for_is_kept_to() -> None:
    cadence = Cadence(every=3)
    cadence.begin(4)
    assert [step for step in range(5, 13) if cadence.is_due(step, False, 0.0, 0.0)] == [6, 9, 12]


def test_processes_whose_clocks_differ_take_the_same_steps() -> None:
    """What the first process decides is told at the same steps in all, and nowhere else."""
    told: list[tuple[bool, int]] = []

    def first(decided: tuple[bool, int]) -> tuple[bool, int]:
        told.append(decided)
        return decided

    def taken(agree: Callable[[tuple[bool, int]], tuple[bool, int]], seconds: float) -> list[int]:
        clock = Clock()
        cadence, steps = Cadence(agree=agree, clock=clock), []
        cadence.begin(0)
        for step in range(1, 3000):
            clock.now += seconds
            if cadence.is_due(step, False, 5.0, 0.2):
                steps.append(step)
                cadence.kept(seconds)
        return steps

    leader = taken(first, 0.1)
    answers = iter(told)
    assert taken(lambda decided: next(answers), 0.7) == leader
    assert next(answers, None) is None
    assert len(leader) > 3
