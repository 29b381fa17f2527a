"""Every quick fault of `benchmarks/faults.py`, a few times: nothing is lost, nothing goes unseen.

Those of processes that take seconds have tests of their own in tests/tracking, tests/storage and tests/pipeline.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
from faults import FAULTS, QUICK, counted
from faults_counted import Count, Fault

FEW = 4


@pytest.mark.parametrize("name", QUICK)
def test_nothing_is_lost_and_nothing_undetected(name: str, tmp_path: Path) -> None:
    runs = FEW if QUICK[name].of == 1 else 1
    count = counted(name, QUICK[name], tmp_path / "faults", runs, seed=1)
    assert count.runs in (0, runs), "none where only root may mount the disk for it"
    assert (count.lost, count.undetected) == (0, 0)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["disk full during `dvc repro`", "`.dvc/tmp/rwlock` cut short"])
def test_dvc_goes_on_after_a_disk_that_was_full_and_a_file_that_was_cut(name: str, tmp_path: Path) -> None:
    count = counted(name, FAULTS[name], tmp_path, 1, seed=1)
    assert (count.lost, count.undetected) == (0, 0)


def test_a_fault_that_loses_something_is_counted(tmp_path: Path) -> None:
    """The table's zeros are counted ones."""

    def loses(root: Path, source: object, count: Count) -> None:
        count.runs += 1
        count.lost += 1

    assert counted("loses", Fault(loses), tmp_path, 2, seed=0) == Count(runs=2, lost=2, undetected=0)
