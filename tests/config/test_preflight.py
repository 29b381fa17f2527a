"""What `make setup` says on a machine that lacks something: everything at once, each with its remedy."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts/preflight.sh"


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder that is the whole PATH of a bare machine."""
    return tmp_path


def preflight(machine: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["/bin/sh", str(SCRIPT)], env={"PATH": str(machine), **variables}, capture_output=True, text=True
    )


def install(machine: Path, name: str, text: str = "exit 0") -> None:
    (machine / name).write_text(f"#!/bin/sh\n{text}\n")
    (machine / name).chmod(0o755)


def test_everything_that_is_missing_is_named_at_once(machine: Path) -> None:
    done = preflight(machine)
    assert done.returncode == 1
    assert not done.stdout
    for name in ("git", "C++ compiler", "Python 3.11 or 3.12 (found: none)"):
        assert f"missing: {'a ' * (name[0] == 'C')}{name}" in done.stderr
    assert done.stderr.count("remedy:") == 3


def test_a_wrong_python_is_named_with_its_version(machine: Path) -> None:
    install(machine, "git")
    install(machine, "g++")
    install(machine, "python3", 'case "$2" in *platform*) echo 3.9.18;; *) exit 1;; esac')
    done = preflight(machine)
    assert done.returncode == 1
    assert "missing: Python 3.11 or 3.12 (found: python3 is 3.9.18;)" in done.stderr
    assert done.stderr.count("missing:") == 1


def test_the_python_to_use_is_printed(machine: Path) -> None:
    install(machine, "git")
    install(machine, "clang++")
    assert preflight(machine, PYTHON=sys.executable).stdout.strip() == sys.executable
