"""The whole graph for real, in a copy of the repository, with the `smoke` profile: two minutes on two cores."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from proofline.config.profiles import use_profile

REPOSITORY = Path(__file__).parents[2]
Run = Callable[..., "subprocess.CompletedProcess[str]"]

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A commit of the working tree elsewhere, with the smoke recipe. No results, no cache, no settings of the user."""
    folder = tmp_path_factory.mktemp("copy")
    listed = ["git", "-C", str(REPOSITORY), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        # A file that is deleted but not yet committed is listed all the same; results of another recipe stay behind.
        if (REPOSITORY / name).is_file() and name != "dvc.lock":
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, folder / name)
    use_profile(folder, "smoke", force=True)
    for command in (["init", "-q"], ["add", "."], ["commit", "-q", "--no-verify", "-m", "copy"]):
        identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
        subprocess.run(["git", *identity, *command], cwd=folder, check=True)
    return folder


@pytest.fixture(scope="module")
def run(copy: Path) -> Run:
    """Run a command in the copy, which imports the copy's own package."""
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("DVC_", "PROOFLINE_", "GIT_"))
    }

    def run_command(*command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {
            **inherited,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{inherited['PATH']}",
            "PYTHONPATH": str(copy / "src"),
            **variables,
        }
        return subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True)

    return run_command


@pytest.fixture(scope="module")
def reproduced(copy: Path, run: Run) -> Path:
    done = run("dvc", "repro")
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return copy


def lock(folder: Path) -> dict[str, dict]:
    stages: dict[str, dict] = YAML(typ="safe").load((folder / "dvc.lock").read_text())["stages"]
    return stages


def test_every_stage_ran_and_left_its_outs(reproduced: Path) -> None:
    stages = lock(reproduced)
    assert len(stages) == 19
    for stage in stages.values():
        for out in stage["outs"]:
            assert (reproduced / out["path"]).exists(), out["path"]


def test_a_run_leaves_nothing_in_the_tree_but_its_lock(reproduced: Path, run: Run) -> None:
    changed = run("git", "status", "--porcelain").stdout.split()
    assert changed == ["??", "dvc.lock"]


def test_running_again_does_nothing(reproduced: Path, run: Run) -> None:
    before = (reproduced / "dvc.lock").read_bytes()
    assert "up to date" in run("dvc", "status").stdout
    done = run("dvc", "repro")
    assert done.stdout.count("didn't change, skipping") == 19
    assert (reproduced / "dvc.lock").read_bytes() == before


def test_execution_settings_invalidate_nothing(reproduced: Path, run: Run) -> None:
    settings = {
        "PROOFLINE_THREADS": "1",
        "PROOFLINE_SAMPLING_ROWS": "3",
        "PROOFLINE_MICRO_BATCH": "2",
        "PROOFLINE_GRADER_WORKERS": "1",
        "PROOFLINE_TRACKING_URI": "sqlite:///elsewhere.db",
        "PROOFLINE_DATA_ROOT": "gs://elsewhere/raw",
    }
    assert "up to date" in run("dvc", "status", **settings).stdout
    assert run("dvc", "repro", **settings).stdout.count("didn't change, skipping") == 19


def test_metrics_and_plots_can_be_shown(reproduced: Path, run: Run) -> None:
    shown = run("dvc", "metrics", "show", "--json")
    assert shown.returncode == 0
    assert "reports/metrics.json" in shown.stdout
    assert "data/curation.json" in shown.stdout
    plots = run("dvc", "plots", "show", "--json")
    assert plots.returncode == 0
    assert not plots.stderr.strip()


def test_a_typo_stops_the_first_stage_that_reads_it(reproduced: Path, run: Run) -> None:
    """Last in this file: DVC removes a stage's outs before it runs."""
    recipe = reproduced / "params.yaml"
    recipe.write_text(recipe.read_text().replace("  ngram:", "  ngramm:"))
    done = run("dvc", "repro")
    assert done.returncode != 0
    assert "prepare.ngramm: unknown key" in done.stderr
    assert "did you mean prepare.ngram?" in done.stderr
    assert "Running stage 'prepare'" in done.stdout
    assert done.stdout.count("Running stage") == 1
