"""A run that was interrupted and goes on: what the store has of it stays as it is, and is not said again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from proofline.tracking.spool import CONTINUES

ERROR, INTERRUPTED = "proofline.error", "proofline.interrupted"
"""Tags: what a run failed with; what one that goes on had failed with."""


@dataclass(frozen=True)
class Said:
    """What a run has by now, by MLflow's names. Of a setting that is another now, a tag has the later value."""

    points: frozenset[tuple[str, int]] = frozenset()
    """Of its curves, by step."""
    params: Mapping[str, str] = field(default_factory=dict)


def look_up(client: Any, run_id: str) -> Said:
    data = client.get_run(run_id).data
    points = {(name, point.step) for name in data.metrics for point in client.get_metric_history(run_id, name)}
    return Said(frozenset(points), dict(data.params))


def go_on(client: Any, run_id: str, begun: str | None) -> None:
    """The run is at work again, in place of one that has just begun, which goes."""
    error = client.get_run(run_id).data.tags.get(ERROR)
    if error is not None:
        client.set_tag(run_id, INTERRUPTED, error)
        client.delete_tag(run_id, ERROR)
    client.update_run(run_id, status="RUNNING")
    if begun is not None:
        client.set_tag(begun, CONTINUES, run_id)
        client.set_terminated(begun, "KILLED")
        client.delete_run(begun)
