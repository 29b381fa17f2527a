"""People at machines of theirs who share a bucket: their checkouts, and the commands that they type."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import forked
from checkout import REPOSITORY, clean_variables, commit, typed

GRAPH = """
stages:
  rows:
    cmd: mkdir -p rows && for n in 1 2 3; do echo row $n > rows/$n.txt; done && echo ran >> log
    deps: [seed]
    outs: [rows]
  weights:
    cmd: head -c 6000000 /dev/zero | tr '\\0' w > weights.bin && cat rows/*.txt >> weights.bin && echo ran >> log
    deps: [rows]
    outs: [weights.bin]
"""
"""A folder, and a file that is large enough for a resumable upload; `log` says what ran on this machine."""


def make_small(folder: Path) -> None:
    """A repository with that graph, before anything has run in it."""
    folder.mkdir(parents=True)
    typed(["git", "init", "-q"], folder)
    typed(["dvc", "init", "-q"], folder)
    (folder / "dvc.yaml").write_text(GRAPH)
    (folder / "seed").write_text("1\n")
    (folder / ".gitignore").write_text("/log\n/rows\n/weights.bin\n")
    commit(folder)


def blocks(page: str) -> list[str]:
    """The commands of a page of the documentation."""
    return re.findall(r"^```bash\n(.*?)^```", (REPOSITORY / page).read_text(), re.MULTILINE | re.DOTALL)


@dataclass
class Machine:
    """A checkout; what Google's credentials would say stands in its person's global configuration of DVC."""

    folder: Path
    endpoint: str
    origin: Path | None = None
    """Where git pushes to."""

    def __post_init__(self) -> None:
        settings = self.folder.parent / f"{self.folder.name}-settings"
        settings.mkdir(parents=True, exist_ok=True)
        self.settings = settings / "config"
        lines = ("url = gs://shelf/proofline", f"endpointurl = {self.endpoint}", "allow_anonymous_login = true")
        self.settings.write_text("\n    ".join(["['remote \"bucket\"']", *lines]) + "\n")
        roles = [f"GIT_{role}_{what}" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")]
        self.variables = clean_variables(
            DVC_GLOBAL_CONFIG_DIR=str(settings), DVC_SITE_CACHE_DIR=str(settings / "site"), DVC_NO_ANALYTICS="1",
            PYTHONPATH=os.environ["PYTHONPATH"], **dict.fromkeys(roles, "ada@example.com"),
        )  # fmt: skip

    def start(self, *command: str) -> subprocess.Popen[str]:
        ours = [sys.executable, "-m", "proofline.cli"] if command[0] == "proofline" else [command[0]]
        return subprocess.Popen(
            [*ours, *command[1:]], cwd=self.folder, env=self.variables, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def tried(self, *command: str) -> CompletedProcess[str]:
        if command[0] in ("proofline", "dvc"):
            run = forked.command if command[0] == "proofline" else forked.dvc
            return run(command[1:], self.folder, self.variables)
        process = self.start(*command)
        out, err = process.communicate(timeout=1500)
        return CompletedProcess(command, process.returncode, out, err)

    def typed(self, *command: str) -> str:
        """What a command prints that has to succeed."""
        done = self.tried(*command)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def refused(self, *command: str) -> str:
        """What it says when it does not do it: a sentence, no traceback."""
        done = self.tried(*command)
        assert done.returncode == 1, done.stdout + done.stderr
        assert "Traceback" not in done.stderr, done.stderr
        return done.stdout + done.stderr

    def type(self, block: str) -> str:
        """Type a block of a page; stops at the first command that fails."""
        here = {"my-bucket": "shelf", "https://github.com/you/proofline.git": str(self.origin), "make setup": "true"}
        script = re.sub("|".join(here), lambda found: here[found[0]], block)
        done = self.tried("bash", "-euc", script)
        assert done.returncode == 0, script + done.stdout + done.stderr
        return done.stdout + done.stderr

    def forget_global_settings(self) -> None:
        """This machine has to be told how to get in."""
        self.settings.unlink()

    def with_origin(self) -> Machine:
        """Git pushes to a bare repository beside the checkout from now on."""
        self.origin = self.folder.parent / "origin.git"
        typed(["git", "clone", "-q", "--bare", ".", str(self.origin)], self.folder)
        typed(["git", "remote", "add", "origin", str(self.origin)], self.folder)
        branch = typed(["git", "branch", "--show-current"], self.folder).strip()
        typed(["git", "fetch", "-q"], self.folder)
        typed(["git", "branch", "-q", "--set-upstream-to", f"origin/{branch}"], self.folder)
        return self

    def copied(self, folder: Path, endpoint: str) -> Machine:
        return Machine(Path(shutil.copytree(self.folder, folder, symlinks=True)), endpoint)
