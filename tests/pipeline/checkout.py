"""Checkouts as a person has them: a commit of the working tree elsewhere, and commands typed in it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile

import psutil

from proofline.config.profiles import use_profile

REPOSITORY = Path(__file__).parents[2]


def make_checkout(folder: Path) -> Path:
    """The working tree as a commit in `folder`, with the smoke recipe. No results, cache or settings of the user."""
    listed = ["git", "-C", str(REPOSITORY), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, capture_output=True, text=True, check=True).stdout.split("\0")
    for name in filter(None, names):
        # A file that is deleted but not yet committed is listed all the same; results of another recipe stay behind.
        if (REPOSITORY / name).is_file() and name != "dvc.lock":
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, folder / name)
    use_profile(folder, "smoke", force=True)
    typed(["git", "init", "-q"], folder)
    commit(folder)
    return folder


def commit(folder: Path) -> None:
    """All changes, as a commit."""
    typed(["git", "add", "."], folder)
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    typed(["git", *identity, "commit", "-q", "--no-verify", "-m", "test"], folder)


def clean_variables(**variables: str) -> dict[str, str]:
    """A person's variables: none of DVC's, the project's or Python's path, and this Python's commands first."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if name != "PYTHONPATH" and not name.startswith(("DVC_", "PROOFLINE_", "GIT_"))
    }
    kept["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{kept['PATH']}"
    return kept | variables


def typed(command: Sequence[str], folder: Path, **variables: str) -> str:
    """What a command prints that has to succeed."""
    done = tried(command, folder, **variables)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def tried(command: Sequence[str], folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """A command and how it ended. What it starts in the background (DVC's queue workers) is not waited for."""
    with TemporaryFile("w+") as printed, TemporaryFile("w+") as errors:
        done = subprocess.run(
            command, cwd=folder, env=clean_variables(**variables), stdin=subprocess.DEVNULL, stdout=printed,
            stderr=errors, timeout=1800,
        )  # fmt: skip
        printed.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(command, done.returncode, printed.read(), errors.read())


def end_all(folder: Path) -> None:
    """Kill what still runs in a checkout."""
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if folder in (Path(process.cwd()), *Path(process.cwd()).parents):
                process.kill()
