"""What the heartbeat says of a stage that draws several times, in processes that share their counts."""

from __future__ import annotations

import pytest

from proofline.tracking import progress
from proofline.tracking.progress import count, drawing, share


@pytest.fixture(autouse=True)
def _own_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "_counts", [0, 0])


def test_a_second_drawing_counts_from_its_own_beginning() -> None:
    """As a stage does it: greedy solutions by two processes, then samples by two others."""
    for total in (5, 8):
        said = drawing(total)
        shared = [0, 0, 0, 0]
        share(shared)
        assert said() == f"{total} to do"
        count(2, 30)
        shared[2] += 1
        shared[3] += 10
        assert said().startswith(f"3 of {total} samples, 40 tokens")


def test_a_process_that_comes_adds_to_its_place() -> None:
    places = [7, 70]
    share(places)
    count(1, 5)
    assert places == [8, 75]
