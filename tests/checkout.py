"""Checkouts as a person has them: a commit of the project elsewhere, and commands typed in it.

What a user has in this one (another recipe, results, settings, a cache of theirs) is never taken along.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from configparser import ConfigParser
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryFile

import psutil

from proofline.launch.instructions import LIMITS, WAITING

REPOSITORY = Path(__file__).parents[1]
SHIPPED = ("embedded", "qwen2.5-0.5b-h100", "qwen2.5-coder-0.5b-cpu", "real-cpu", "smoke", "smollm2-cpu")
"""The profiles of the project; others in `profiles/` are a user's own."""
USERS = ("params.yaml", "dvc.lock", ".execution.yaml", "data", "models", "reports")
"""What a user's own experiments change: their recipe, their results."""
EMBEDDED = REPOSITORY / "profiles/embedded.yaml"

PATIENCE_SECONDS = 600.0
"""How long a test waits for what takes seconds, so that it holds on a machine that is slow and busy with other work."""


def make_checkout(folder: Path, recipe: str = "smoke") -> Path:
    """The project as a commit in `folder`, with one of its recipes."""
    for name in project_files():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / name, folder / name)
    shutil.copy2(REPOSITORY / f"profiles/{recipe}.yaml", folder / "params.yaml")
    _forget_storage(folder / ".dvc/config")
    typed(["git", "init", "-q"], folder)
    commit(folder)
    return folder


def project_files() -> Iterator[str]:
    """The files of the project, as they are in the working tree, new ones in its rooms included."""
    new = _listed("--others", "--exclude-standard", "--", "docs", "scripts", "src", "stages", "tests")
    for name in _listed("--cached") + new:
        room, _, rest = name.partition("/")
        theirs = (room in USERS and rest != "README.md") or (room == "profiles" and Path(rest).stem not in SHIPPED)
        # A file that is deleted but not yet committed is listed all the same.
        if not theirs and (REPOSITORY / name).is_file():
            yield name


def copy_profiles(root: Path) -> None:
    """The project's profiles, none of the user's own, as `root/profiles`."""
    (root / "profiles").mkdir(parents=True)
    for name in SHIPPED:
        shutil.copy2(REPOSITORY / f"profiles/{name}.yaml", root / "profiles")


def commit(folder: Path) -> None:
    """All changes, as a commit."""
    typed(["git", "add", "."], folder)
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    typed(["git", *identity, "commit", "-q", "--no-verify", "-m", "test"], folder)


def clean_variables(**variables: str) -> dict[str, str]:
    """A person's variables: not Python's path nor this process's arithmetic, and this Python's commands first (the
    settings: see conftest)."""
    ours = {"PYTHONPATH", *WAITING, *LIMITS["portable"]}
    kept = {name: value for name, value in os.environ.items() if name not in ours}
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


def _listed(*options: str) -> list[str]:
    command = ["git", "-c", "safe.directory=*", "-C", str(REPOSITORY), "ls-files", "-z", *options]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split("\0")[:-1]


def _forget_storage(path: Path) -> None:
    """Without the user's remotes and without the place of their cache."""
    config = ConfigParser()
    config.read(path, encoding="utf-8")
    for section in config.sections():
        if section != "core":
            config.remove_section(section)
    config.remove_option("core", "remote")
    with open(path, "w", encoding="utf-8") as text:
        config.write(text)
