"""Run the graph of a commit again: a clean clone, an empty cache, its own code, its own tracking store.

Nothing of the user's repository gets in but how stages are executed (threads, launcher, where published data lies) and,
through git, what the commit holds. The committed lock is taken away first, so that every stage runs.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from proofline.certificate.commit import LOCK, git
from proofline.config.environment import Environment, load_environment

DROPPED = ("DVC_", "GIT_", "PROOFLINE_", "MLFLOW_", "PYTHONPATH")
"""Beginnings of variables that are not inherited; execution settings are handed over one by one."""


class ReproductionError(ValueError):
    """The graph did not run to its end."""


def reproduce(root: Path, sha: str, folder: Path, stages: Sequence[str] = ()) -> None:
    """Clone commit `sha` of the repository at `root` into `folder`, which is absent or empty, and run it there.

    `stages` (default: all) run with everything that they need. Output goes where this process's goes. Raises
    ReproductionError.
    """
    git(root, "clone", "--quiet", "--no-checkout", str(root), str(folder), what="cannot clone")
    git(folder, "checkout", "--quiet", "--detach", sha, what=f"cannot check out {sha}")
    (folder / LOCK).unlink(missing_ok=True)
    variables = environment_of(root, folder)
    for command in (
        ["dvc", "cache", "dir", "--local", str(folder / ".dvc" / "cache")],  # whatever the user's own settings say
        ["dvc", "repro", *stages],
    ):
        if status := _run([sys.executable, "-m", *command], folder, variables):
            raise ReproductionError(
                f"`{' '.join(command)}` in a clone of {sha[:12]} ended with status {status}, its words are "
                "above: the commit does not run here. Look into the clone with `--keep DIR`"
            )


def _run(command: list[str], folder: Path, variables: dict[str, str]) -> int:
    """Exit status; whatever ends this process before (Ctrl-C, SIGTERM) ends the command's and all that it started."""
    before = signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    process = subprocess.Popen(command, cwd=folder, env=variables, start_new_session=True)
    try:
        return process.wait()
    except BaseException:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()
        raise
    finally:
        signal.signal(signal.SIGTERM, before)


def environment_of(root: Path, folder: Path) -> dict[str, str]:
    """Variables of the clone's processes: this one's, the user's execution settings, its own store and code."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(DROPPED)}
    return {
        **kept,
        **_settings(load_environment(root=root)),
        "PROOFLINE_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
        "PYTHONPATH": str(folder / "src"),
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
        "DVC_NO_ANALYTICS": "1",
    }


def _settings(environment: Environment) -> Mapping[str, str]:
    """The settings that differ from the defaults, wherever they were made, and the data's absolute place."""
    usual = Environment()
    changed = {name: value for name, value in environment if value is not None and value != getattr(usual, name)}
    return {f"PROOFLINE_{name.upper()}": str(value) for name, value in changed.items()}
