"""The runs behind the present results: for every stage in `dvc.lock`, the run that computed what now lies there.

A stage that DVC restored from a cache makes no run. Its identity (command, inputs, parameters) is still the one in
`dvc.lock`, so the run that computed it first is found by that tag, if this store has it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from proofline.records import stable_id
from proofline.tracking.lineage import locked_identities

TAG = "proofline.reproduction"
"""Set on all runs of a reproduction, so that the UI's search shows them together."""


@dataclass(frozen=True)
class StageRun:
    """A stage of the last reproduction."""

    stage: str
    identity: str
    run_id: str | None
    """None: this store has no run of it, the stage was restored from a cache filled elsewhere."""
    invocation: str | None
    """The `dvc` command that ran it."""
    ended: datetime | None


@dataclass(frozen=True)
class Reproduction:
    """All stages in `dvc.lock`, in the order of their runs, those without a run last."""

    stages: tuple[StageRun, ...]

    @property
    def id(self) -> str:
        return stable_id(sorted(stage.identity for stage in self.stages))

    @property
    def run_ids(self) -> list[str]:
        return [stage.run_id for stage in self.stages if stage.run_id is not None]

    @property
    def summary(self) -> str:
        """`17 stages: 2 run by the last command, 14 reused from earlier runs, 1 restored from a cache (base)`."""
        recorded = [stage for stage in self.stages if stage.ended is not None]
        last = max(recorded, key=lambda stage: stage.ended or datetime.min).invocation if recorded else None
        fresh = sum(stage.invocation == last for stage in recorded)
        restored = [stage.stage for stage in self.stages if stage.run_id is None]
        parts = [f"{fresh} run by the last command", f"{len(recorded) - fresh} reused from earlier runs"]
        if restored:
            parts.append(f"{len(restored)} restored from a cache, without a run here ({', '.join(restored)})")
        return f"{len(self.stages)} stages: {', '.join(parts)}"


def runs_of_last_reproduction(client: Any, experiment_id: str, root: Path) -> Reproduction:
    """Match `dvc.lock` of the repository at `root` with the finished runs in the store, newest first."""
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
            break
    stages = [_stage_run(stage, identity, newest.get(identity)) for stage, identity in locked_identities(root).items()]
    return Reproduction(tuple(sorted(stages, key=lambda one: (one.ended is None, one.ended or datetime.min))))


def tag_reproduction(client: Any, reproduction: Reproduction) -> None:
    """Mark its runs. A run that serves several reproductions carries the last one that was looked at."""
    for run_id in reproduction.run_ids:
        client.set_tag(run_id, TAG, reproduction.id)


def _stage_run(stage: str, identity: str, run: Any | None) -> StageRun:
    if run is None:
        return StageRun(stage, identity, None, None, None)
    ended = datetime.fromtimestamp(run.info.end_time / 1000)
    return StageRun(stage, identity, run.info.run_id, run.data.tags.get("proofline.invocation"), ended)
