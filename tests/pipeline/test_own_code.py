"""A stage and all that it starts run the code beside it, whatever is installed: what DVC hashes is what ran."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from checkout import REPOSITORY, end_all, make_checkout, tried, typed

pytestmark = pytest.mark.slow(minutes=2)
INSTALLED = {"PYTHONPATH": str(REPOSITORY / "src")}
"""As if this repository were the one that is installed."""

TELLS = """
import os, sys
if "SEEN" in os.environ:
    with open(os.environ["SEEN"], "a") as lines:
        lines.write(f"{os.getpid()} {' '.join(sys.orig_argv)}\\n")
"""
EVERYBODY = """
import _checkout
from proofline.config import load_environment
from proofline.grading.pool import compare_all
from proofline.launch import spread
from proofline.tracking import track

if __name__ == "__main__":
    with track("everybody", sections={}):
        assert list(spread(list, range(4), load_environment(), shard_size=1)) == [0, 1, 2, 3]
        compare_all([("1", "1")], workers=1, deadline_seconds=60.0)
"""


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[Path]:
    yield make_checkout(tmp_path / "copy")
    end_all(tmp_path / "copy")


def edit(copy: Path, number: int) -> None:
    """An edit of the code that the curation report shows."""
    path = copy / "src/proofline/data/prepare.py"
    before, report, after = path.read_text().partition('        "sources": sources,\n')
    after = after.removeprefix('        "edit": 1,\n')
    path.write_text(f'{before}{report}        "edit": {number},\n{after}')


def experiments(copy: Path) -> dict[str, int]:
    """By experiment, which edit its report shows."""
    read = "import dvc.api, sys; print(dvc.api.read('data/curation.json', rev=sys.argv[1]))"
    return {
        experiment["name"]: json.loads(typed(["python", "-c", read, experiment["revs"][-1]["rev"]], copy))["edit"]
        for commit in json.loads(typed(["dvc", "exp", "show", "--json"], copy))
        for experiment in commit.get("experiments") or []
    }


def test_an_edit_makes_the_results_of_a_temporary_and_a_queued_experiment(copy: Path) -> None:
    edit(copy, 1)
    typed(["dvc", "exp", "run", "--temp", "-n", "temporary", "prepare"], copy)
    assert experiments(copy) == {"temporary": 1}
    restored = typed(["dvc", "repro", "prepare"], copy)
    assert "is cached" in restored
    assert json.loads((copy / "data/curation.json").read_text())["edit"] == 1

    edit(copy, 2)
    typed(["dvc", "exp", "run", "--queue", "-n", "queued", "prepare"], copy)
    typed(["dvc", "exp", "run", "--run-all"], copy)
    assert experiments(copy) == {"temporary": 1, "queued": 2}


@pytest.mark.parametrize("launcher", ["accelerate", "ray"])
def test_the_recorder_and_every_worker_import_it_too(copy: Path, launcher: str) -> None:
    init = copy / "src/proofline/__init__.py"
    init.write_text(init.read_text() + TELLS)
    (copy / "stages/everybody.py").write_text(EVERYBODY)
    seen = copy / "seen"
    settings = {"PROOFLINE_LAUNCHER": launcher, "PROOFLINE_PROCESSES": "2", "PROOFLINE_THREADS": "1"}
    typed(["python", "stages/everybody.py"], copy, SEEN=str(seen), **settings)
    lines = seen.read_text().splitlines()
    worker = {"accelerate": "spawn_main", "ray": "default_worker.py"}[launcher]
    for program, count in (
        ("stages/everybody.py", 1), ("proofline.tracking.recorder", 1), ("proofline.grading.worker", 1), (worker, 2),
    ):  # fmt: skip
        assert len({line.split()[0] for line in lines if program in line}) >= count, (program, lines)


def test_a_command_typed_in_a_checkout_is_that_checkouts(copy: Path) -> None:
    check = copy / "src/proofline/check.py"
    check.write_text(check.read_text().replace("execution:", "edited:"))
    (copy / "docs/deeper").mkdir()
    for folder in (copy, copy / "docs/deeper"):
        assert "edited:" in typed(["proofline", "check"], folder, **INSTALLED)
    refused = tried(["proofline", "profile", "diff", "no such profile"], copy, **INSTALLED)
    assert refused.returncode == 1
    assert refused.stderr.startswith("proofline: no profile 'no such profile' in ")


def test_a_script_that_would_run_other_code_is_refused(copy: Path) -> None:
    script = 'from proofline.tracking import track\nwith track("mine", sections={}): print("computed")'
    (copy / "mine.py").write_text(script)
    refused = tried(["python", "mine.py"], copy, **INSTALLED)
    assert refused.returncode != 0
    assert f"{copy} has its own package in {copy / 'src'}, but" in refused.stderr
    assert "computed" not in refused.stdout


def test_a_stage_started_elsewhere_is_refused(copy: Path, tmp_path: Path) -> None:
    refused = tried(["python", str(copy / "stages/prepare.py")], tmp_path)
    assert refused.returncode != 0
    assert f"cd {copy}" in refused.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy"]
