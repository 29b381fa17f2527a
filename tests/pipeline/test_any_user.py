"""The project in a user's hands: a folder of any name, their recipe, settings and results in it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from checkout import make_checkout, tried

NAME = "Größe & Maß: Jörgs „Übungen“ (1), 50%20'n".replace(":", ",")
TOOLS = ("python", "ruff", "mypy", "pytest", "proofline", "dvc")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_checkout(tmp_path / NAME)


def stand_in(folder: Path) -> Path:
    """An environment whose tools only write down that they were called, and how."""
    called = folder / "called.txt"
    for tool in TOOLS:
        path = folder / ".venv/bin" / tool
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text('#!/bin/sh\necho "$(basename "$0") $*" >> "$CALLED"\n')
        path.chmod(0o755)
    return called


def make(folder: Path, target: str) -> subprocess.CompletedProcess[str]:
    variables = {name: value for name, value in os.environ.items() if not name.startswith("MAKE") and name != "MFLAGS"}
    variables["CALLED"] = str(folder / "called.txt")
    return subprocess.run(["make", target], cwd=folder, env=variables, capture_output=True, text=True)


@pytest.mark.skipif(not shutil.which("make"), reason="no make here")
@pytest.mark.parametrize(
    ("target", "calls"),
    [
        ("setup", ["python -m pip install --editable .[dev]"]),
        (
            "test",
            [
                "ruff check .",
                "ruff format --check .",
                "mypy",
                "pytest --numprocesses auto --dist loadfile --no-loadscope-reorder",
            ],
        ),
        ("repro", ["proofline check", "dvc repro"]),
    ],
)
def test_make_finds_the_environment_of_a_folder_of_any_name(folder: Path, target: str, calls: list[str]) -> None:
    called = stand_in(folder)
    done = make(folder, target)
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line.strip() for line in called.read_text().splitlines()]
    before = [] if target == "setup" else ["python -m pip install --editable .[dev]"]
    lines.sort(key=lambda line: line.startswith("pytest"))  # runs beside the other checks
    assert lines == before + calls
    assert (folder / ".venv/.installed").is_file()


def leave_behind(folder: Path) -> None:
    """What a user has after a while: another recipe, profiles and settings of theirs, results of all sorts."""
    for path, text in {
        "params.yaml": (folder / "profiles/real-cpu.yaml").read_text().replace("seed: 0", "seed: 17"),
        "profiles/monday.yaml": "seed: 3\n",
        "profiles/copy.yaml": (folder / "profiles/embedded.yaml").read_text(),
        ".execution.yaml": "threads: 3\nlauncher: ray\nprocesses: 4\ntracking_uri: http://127.0.0.1:1\n",
        "dvc.lock": "schema: '2.0'\nstages: {}\n",
        "reports/results.md": "# Results\n\nof another recipe\n",
        "reports/metrics.json": "{}",
        "data/pairs.jsonl": "not a pair\n",
        "models/sft/model.safetensors": "",
        ".tracking/train_sft-0.jsonl": "{}\n",
        "mlflow.db": "of another version",
        "notes.py": "import this does not parse",
        "docs/notes/look.ipynb": "{",
    }.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)


@pytest.mark.slow
def test_the_tests_pass_where_a_user_has_worked(folder: Path) -> None:
    """Those that look at the repository's own files; a test of the tests says that no other does. Left out is the room
    that looks but at scripts and pages, which are not a user's."""
    leave_behind(folder)
    settings = {
        "PROOFLINE_THREADS": "2", "PROOFLINE_LAUNCHER": "accelerate", "PROOFLINE_PROCESSES": "2",
        "PROOFLINE_TRACKING_URI": "http://127.0.0.1:1", "PROOFLINE_TYPO": "1",
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:1", "MLFLOW_RUN_ID": "0",
        "DVC_ROOT": "/nowhere", "DVC_STAGE": "report",
    }  # fmt: skip
    for lint in (["ruff", "check", "."], ["ruff", "format", "--check", "."]):
        linted = tried(lint, folder)
        assert linted.returncode == 0, linted.stdout
    looking = [
        str(path.relative_to(folder))
        for room in ("architecture", "config", "data", "storage")
        for path in sorted((folder / "tests" / room).glob("test_*.py"))
        if re.search("REPOSITORY|__file__|import .*checkout", path.read_text(encoding="utf-8"))
    ]
    done = tried(["pytest", "-q", "-m", "not slow", "-p", "no:cacheprovider", *looking], folder, **settings)
    assert done.returncode == 0, done.stdout[-4000:]
