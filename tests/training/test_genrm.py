from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from training_rows import GENRM, PROMPTS, Recorded, some_demonstrations, some_traces

from proofline.training.execution import Execution
from proofline.training.genrm import draw_solutions, solution_share, train_genrm
from proofline.training.tokens import TokenRow, TrainingDataError

completions = st.lists(st.integers(1, 200), min_size=1, max_size=60)


def rows(lengths: list[int], first: int) -> list[TokenRow]:
    return [TokenRow([first + index], [0] * length) for index, length in enumerate(lengths)]


@given(traces=completions, solutions=completions, weight=st.floats(0.01, 0.9), seed=st.integers(0, 1000))
def test_solutions_have_their_share_of_the_loss_to_within_half_a_row(
    traces: list[int], solutions: list[int], weight: float, seed: int
) -> None:
    trace_rows, solution_rows = rows(traces, 0), rows(solutions, 1000)
    drawn = draw_solutions(trace_rows, solution_rows, weight, seed)
    wanted = weight / (1 - weight) * sum(traces)
    assert abs(sum(len(row.completion_ids) for row in drawn) - wanted) <= max(solutions) / 2 + 1e-6
    times = Counter(row.prompt_ids[0] for row in drawn)
    assert not drawn or max(times.values()) - min(times[row.prompt_ids[0]] for row in solution_rows) <= 1
    assert drawn == draw_solutions(trace_rows, solution_rows, weight, seed)


def test_a_mixture_without_traces_is_refused() -> None:
    with pytest.raises(TrainingDataError, match="leaves no room for traces"):
        draw_solutions(rows([5], 0), rows([5], 1), 1.0, seed=0)


def test_the_share_is_reported(tiny_policy: Path, tmp_path: Path) -> None:
    metrics = train_genrm(
        tiny_policy, some_traces(), some_demonstrations(), PROMPTS, GENRM, 0, tmp_path / "genrm", Recorded(),
        execution=Execution(threads=1),
    )  # fmt: skip
    assert metrics["traces"] == 32
    assert metrics["solution_share"] == pytest.approx(GENRM.solution_weight, abs=0.02)


def test_no_solutions_are_needed_where_none_are_mixed_in(tiny_policy: Path, tmp_path: Path) -> None:
    section = GENRM.model_copy(update={"solution_weight": 0.0})
    metrics = train_genrm(tiny_policy, some_traces(), [], PROMPTS, section, 0, tmp_path / "genrm", Recorded())
    assert (metrics["solutions"], metrics["solution_share"]) == (0, 0.0)
    assert solution_share(rows([5], 0), []) == 0.0


def test_traces_are_never_absent(tiny_policy: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="no verification traces to train on"):
        train_genrm(tiny_policy, [], some_demonstrations(), PROMPTS, GENRM, 0, tmp_path / "genrm", Recorded())
