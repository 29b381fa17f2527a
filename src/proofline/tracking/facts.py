"""The facts a run begins with: which stage, from what, where. Gathered once, when they are true.

In: a spool's `start` event. Out: a JSON-able mapping that the recorder keeps, so that a run sent a day later still
tells of the day it ran.
"""

from __future__ import annotations

import getpass
from dataclasses import asdict
from pathlib import Path
from typing import Any

from proofline.tracking import provenance
from proofline.tracking.lineage import LineageError, stage_lineage
from proofline.tracking.spool import Event


def gather_facts(start: Event) -> dict[str, Any]:
    """Tags, inputs and addresses of the run that `start` announces."""
    folder = Path(start["folder"])
    tags = {
        "proofline.stage": start["stage"],
        "proofline.policy": start["policy"],
        "proofline.started_by": start["started_by"],
        "proofline.experiment": start["experiment"],
        "proofline.baseline": start["baseline"],
        "proofline.invocation": provenance.invocation(),
        "mlflow.source.name": start["command"],
        "mlflow.source.type": "LOCAL",
        "mlflow.user": _user(),
    }
    inputs = []
    try:
        lineage = stage_lineage(folder, start["name"])
        tags["proofline.identity"] = lineage.identity
        inputs = [asdict(item) for item in lineage.inputs if not item.is_code]
    except LineageError as error:
        tags["proofline.lineage"] = str(error)
    tags |= provenance.git_facts(folder) | provenance.versions() | provenance.hardware()
    return {
        "name": start["name"],
        "uri": start["uri"],
        "folder": start["folder"],
        "artifact_root": start["artifact_root"],
        "start_time_ms": start["time_ms"],
        "tags": {name: value for name, value in tags.items() if value},
        "inputs": inputs,
        "recipe_diff": provenance.recipe_diff(folder),
    }


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user without a name
        return None
