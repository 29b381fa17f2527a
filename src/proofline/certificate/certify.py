"""`proofline certify`: reproduce a commit, compare, and make the certificate."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from proofline.certificate.assess import Assessment, assess
from proofline.certificate.check import lock_faults, locked, manifest_faults, manifest_of
from proofline.certificate.commit import Commit, CommitError, git, read_commit
from proofline.certificate.machine import describe_machine
from proofline.certificate.registered import Version, covered_versions, examine, models
from proofline.certificate.reproduce import reproduce
from proofline.certificate.statement import make_statement, subjects
from proofline.certificate.stored import open_store


@dataclass(frozen=True)
class Certified:
    """The statement, what it was made from, and the registered versions that it covers."""

    statement: dict[str, Any]
    found: Assessment
    versions: list[Version]


def certify(root: Path, revision: str, stages: Sequence[str] = (), keep: Path | None = None) -> Certified:
    """Run `revision` of the repository at `root` again, in a temporary folder or in `keep`, and judge what came out.

    Raises CommitError for a revision or stages that there are not, ReproductionError where the graph does not run.
    """
    commit = read_commit(root, revision)
    _check_stages(commit, stages)
    if git(root, "status", "--porcelain", "--untracked-files=no", what="no status"):
        print(f"certify: {commit.sha[:12]} as it is committed; your uncommitted changes are not in it", flush=True)
    for fault in early_faults(commit):
        print(f"certify: {fault}", flush=True)
    if keep is not None and keep.exists() and any(keep.iterdir()):
        raise CommitError(f"{keep} is not empty; name a folder that is to be made")
    with ExitStack() as folders:
        scratch = Path(folders.enter_context(TemporaryDirectory(prefix="proofline-certify-")))
        folder = keep.absolute() if keep else scratch / "clone"
        started = time.monotonic()
        reproduce(root, commit.sha, folder, stages)
        seconds = time.monotonic() - started
        print("certify: comparing", flush=True)
        found = assess(commit, folder, open_store(root, scratch / "fetched"), everything=not stages)
    certified = subjects(found)
    versions = covered_versions(certified)
    found.faults.extend(wrong for version in versions if (wrong := examine(version, certified)))
    manifest = manifest_of(commit)
    machines = (manifest.environment if manifest else None, describe_machine(root))
    weights = dict(models(certified).values())
    registered = {version.subject: weights[version.weights] for version in versions}
    statement = make_statement(commit, found, machines, certified | registered, stages, seconds)
    return Certified(statement, found, versions)


def early_faults(commit: Commit) -> list[str]:
    """What is wrong before anything runs."""
    lock, manifest = locked(commit), manifest_of(commit)
    return [*lock_faults(commit, lock), *([] if manifest is None else manifest_faults(manifest, lock))]


def _check_stages(commit: Commit, stages: Sequence[str]) -> None:
    known = list(locked(commit).stages)
    for stage in stages:
        if not any(name == stage or name.startswith(f"{stage}@") for name in known):
            raise CommitError(f"the lock of {commit.sha[:12]} has no stage {stage!r}; there are: {', '.join(known)}")
