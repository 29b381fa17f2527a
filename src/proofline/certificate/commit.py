"""The files of a commit as git has them, whatever lies in the working tree."""

from __future__ import annotations

import io
import subprocess
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

LOCK = "dvc.lock"


class CommitError(ValueError):
    """There is no such commit, or a file is not in it."""


@dataclass(frozen=True)
class Commit:
    """A commit's id and its files by path from the root."""

    sha: str
    files: Mapping[str, bytes]

    def read(self, path: str, remedy: str) -> bytes:
        """A file's content. Raises CommitError with the remedy."""
        if path not in self.files:
            raise CommitError(f"{path} is not in commit {self.sha[:12]}; {remedy}")
        return self.files[path]


def read_commit(root: Path, revision: str = "HEAD") -> Commit:
    """Everything that `revision` of the repository at `root` holds. Raises CommitError."""
    sha = git(root, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}", what=f"no commit {revision!r}")
    archive = subprocess.run(["git", "-C", str(root), "archive", "--format=tar", sha], capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as members:
        files = {member.name: content for member in members if (content := _content(members, member)) is not None}
    return Commit(sha, files)


def _content(members: tarfile.TarFile, member: tarfile.TarInfo) -> bytes | None:
    """Of a file, or of the one in the same commit that a link names. A link that leads out of it names nothing."""
    try:
        found = members.extractfile(member)
    except KeyError:
        return None
    return found.read() if found is not None else None


def git(root: Path, *arguments: str, what: str) -> str:
    """What a git command prints. Raises CommitError, which begins with `what`."""
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True)
    if done.returncode:
        said = f": {done.stderr.strip().splitlines()[-1]}" if done.stderr.strip() else ""
        raise CommitError(f"{what} in {root}{said}; name a commit of this repository")
    return done.stdout.strip()
