"""The recipe under each seed, as DVC experiments named `seed-N`, in copies beside the workspace, which stays as it is.

A stage that any of them finished once is restored from DVC's cache, and trainings that keep checkpoints go on from
them: a run that was cut off is started again by the same command. Experiments belong to the commit they start from.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path


class SeedsError(ValueError):
    """An experiment failed, or there are none."""


NAME = re.compile(r"seed-(\d+)")


def experiment_name(seed: int) -> str:
    return f"seed-{seed}"


def run_seed(root: Path, seed: int) -> None:
    """Reproduce the workspace's recipe and code with another run seed. Raises SeedsError where a stage fails."""
    from dvc.repo import Repo

    name = experiment_name(seed)
    if seed in finished_seeds(root):  # `--force` would replace it too, but compute every stage again
        Repo(str(root)).experiments.remove(name)
    command = [sys.executable, "-m", "dvc", "exp", "run", "--temp", "--name", name, "--set-param", f"seed={seed}"]
    done = subprocess.run(command, cwd=root, check=False)
    if done.returncode:
        raise SeedsError(
            f"seed {seed}: `dvc exp run` ended with {done.returncode}, its reason is above; the same command goes on "
            "from the stages that were finished"
        )


def finished_seeds(root: Path) -> dict[int, str]:
    """Commit of the experiment of each seed that was run from the present commit, in the seeds' order."""
    from dvc.repo import Repo

    found = Repo(str(root)).experiments.ls(rev="HEAD")
    commits = {name: commit for experiments in found.values() for name, commit in experiments}
    names = {int(match[1]): match[0] for name in commits if (match := NAME.fullmatch(name))}
    return {seed: str(commits[name]) for seed, name in sorted(names.items())}
