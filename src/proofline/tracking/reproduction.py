"""The runs behind the present results: for every stage in `dvc.lock`, the run that computed what now lies there.

A stage that DVC restored from a cache makes no run. Its identity (command, inputs, parameters) is still the one in
`dvc.lock`, so the run that computed it first is found by that tag, if this store has it.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

from proofline.records import stable_id
from proofline.tracking.lineage import locked_identities, unfinished_stages
from proofline.tracking.spool import SPOOLS
from proofline.tracking.waiting import kept_runs

TAG = "proofline.reproduction"
"""Set on all runs of a reproduction, so that the UI's search shows them together."""


class Where(StrEnum):
    """Where the run of a stage is."""

    HERE = "in this store"
    UNSENT = "its run waits to be sent"
    RESTORED = "restored from a cache"
    RUNNING = "running"
    WAITING = "waiting"


@dataclass(frozen=True)
class StageRun:
    """A stage of the last reproduction, or of the one at work."""

    stage: str
    identity: str | None
    """None: it has none in `dvc.lock` yet."""
    run_id: str | None
    """None: this store has no run of it (yet)."""
    invocation: str | None
    """The `dvc` command that ran it."""
    ended: datetime | None
    where: Where


@dataclass(frozen=True)
class Reproduction:
    """All stages in `dvc.lock`, in the order of their runs, those without a run last; then what is still to come."""

    stages: tuple[StageRun, ...]

    @property
    def id(self) -> str:
        return stable_id(sorted(stage.identity for stage in self.stages if stage.identity))

    @property
    def run_ids(self) -> list[str]:
        return [stage.run_id for stage in self.stages if stage.run_id is not None]

    @property
    def summary(self) -> str:
        """`17 stages: 2 run by the last command, 14 reused from earlier runs, 1 restored from a cache (base)`."""
        recorded = [stage for stage in self.stages if stage.ended is not None]
        last = max(recorded, key=lambda stage: stage.ended or datetime.min).invocation if recorded else None
        fresh = sum(stage.invocation == last for stage in recorded)
        parts = [f"{fresh} run by the last command", f"{len(recorded) - fresh} reused from earlier runs"]
        words = {
            Where.UNSENT: "computed, with a run that waits to be sent",
            Where.RESTORED: "restored from a cache, without a run here",
            Where.RUNNING: "running",
            Where.WAITING: "waiting",
        }
        for where, said in words.items():
            if names := [stage.stage for stage in self.stages if stage.where == where]:
                parts.append(f"{len(names)} {said} ({', '.join(names)})")
        return f"{len(self.stages)} stages: {', '.join(parts)}"


def runs_of_last_reproduction(client: Any, experiment_id: str, root: Path) -> Reproduction:
    """Match `dvc.lock` of the repository at `root` with the finished runs in the store, newest first.

    While a reproduction is at work there, its running stages and those still to come are such, whatever `dvc.lock`
    says of the time before. Raises LineageError where nothing was reproduced and nothing is.
    """
    kept = [one for one in kept_runs(root / SPOOLS) if one.folder == str(root)]
    running = [one.name for one in kept if one.at_work]
    busy = reproducing(root) or any(one.by_dvc and one.at_work for one in kept)
    to_come = unfinished_stages(root, running) if busy else ()
    unsent = {one.identity for one in kept if one.finished and not one.at_work}
    runs = _finished_runs(client, experiment_id)
    locked = locked_identities(root) if (root / "dvc.lock").exists() or not (busy or running) else {}
    stages = [
        _stage_run(stage, identity, runs.get(identity), identity in unsent)
        for stage, identity in locked.items()
        if stage not in (*running, *to_come)
    ]
    stages.sort(key=lambda one: (one.ended is None, one.ended or datetime.min))
    stages += [StageRun(stage, locked.get(stage), None, None, None, Where.RUNNING) for stage in running]
    stages += [StageRun(stage, locked.get(stage), None, None, None, Where.WAITING) for stage in to_come]
    return Reproduction(tuple(stages))


def reproducing(root: Path) -> bool:
    """Is a `dvc repro` or `dvc exp run` at work in this working directory (and not in a copy of it)?"""
    import psutil

    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            words = process.cmdline()
            called = any(Path(word).name == "dvc" for word in words[:3]) and (
                "repro" in words or {"exp", "run"} <= {*words}
            )
            if called and not {"--temp", "--queue"} & set(words) and root in (cwd := Path(process.cwd()), *cwd.parents):
                return True
    return False


def _finished_runs(client: Any, experiment_id: str) -> dict[str, Any]:
    """By identity, the newest of each."""
    newest: dict[str, Any] = {}
    token = None
    while True:
        page = client.search_runs(
            [experiment_id], "attributes.status = 'FINISHED'", order_by=["start_time DESC"], page_token=token
        )
        for run in page:
            newest.setdefault(run.data.tags.get("proofline.identity", ""), run)
        token = page.token
        if not token:
            return newest


def tag_reproduction(client: Any, reproduction: Reproduction) -> None:
    """Mark its runs. A run that serves several reproductions carries the last one that was looked at."""
    for run_id in reproduction.run_ids:
        client.set_tag(run_id, TAG, reproduction.id)


def _stage_run(stage: str, identity: str, run: Any | None, unsent: bool) -> StageRun:
    if run is None:
        return StageRun(stage, identity, None, None, None, Where.UNSENT if unsent else Where.RESTORED)
    ended = datetime.fromtimestamp(run.info.end_time / 1000)
    return StageRun(stage, identity, run.info.run_id, run.data.tags.get("proofline.invocation"), ended, Where.HERE)
