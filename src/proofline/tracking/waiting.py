"""What lies in `.tracking`: runs of stages at work, and runs that wait because their store was lost.

A spool is locked while its stage or its recorder lives, so one whose lock is free was left behind. Without MLflow.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from proofline.tracking.spool import read_events, read_state

LOCK_SECONDS = 1.0
"""Whoever only looks at a lock has it for a moment."""


@dataclass(frozen=True)
class Kept:
    """A spool, as far as it tells what run it is."""

    path: Path
    name: str
    """The stage, as DVC writes it."""
    folder: str | None
    """Where it ran; None where the spool's first line is lost."""
    by_dvc: bool
    uri: str | None
    """The store it is meant for."""
    identity: str | None
    finished: bool
    """Whether the stage ended well."""
    at_work: bool
    """Whether its stage or its recorder lives."""


def kept_runs(folder: Path) -> list[Kept]:
    """All runs whose spools lie in `folder`, oldest first."""
    found = []
    for path in folder.glob("*.jsonl"):
        try:
            found.append((path.stat().st_mtime, read_kept(path)))
        except FileNotFoundError:  # has just arrived
            continue
    return [kept for _, kept in sorted(found, key=lambda item: item[0])]


def left_behind(folder: Path) -> list[Kept]:
    """The runs that nobody is sending."""
    return [kept for kept in kept_runs(folder) if not kept.at_work]


def read_kept(path: Path) -> Kept:
    """What one spool tells of its run."""
    events, _ = read_events(path, over=True)
    start = next((event for event in events if event["kind"] == "start"), {})
    facts = read_state(path).get("facts", {})
    with locked(path, fcntl.LOCK_SH, 0) as file:
        at_work = file is None
    return Kept(
        path=path,
        name=start.get("name") or facts.get("name") or path.stem.rpartition("-")[0],
        folder=start.get("folder") or facts.get("folder"),
        by_dvc=start.get("started_by") == "dvc",
        uri=start.get("uri") or facts.get("uri"),
        identity=facts.get("tags", {}).get("proofline.identity"),
        finished=any(event["kind"] == "end" and event["status"] == "FINISHED" for event in events),
        at_work=at_work,
    )


@contextmanager
def locked(path: Path, kind: int = fcntl.LOCK_EX, seconds: float = LOCK_SECONDS) -> Iterator[int | None]:
    """The open file of a spool that nobody is at work on; None where somebody is.

    Raises FileNotFoundError where it has been sent in the meantime.
    """
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        free = _lock(file, kind, seconds)
        if free and path.stat().st_ino != os.fstat(file).st_ino:
            raise FileNotFoundError(path)
        yield file if free else None
    finally:
        os.close(file)


def _lock(file: int, kind: int, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(file, kind | fcntl.LOCK_NB)
            return True
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(0.05)
