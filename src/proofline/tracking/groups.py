"""Several runs that belong together, as MLflow shows such: one parent with its figures, its members below it.

In: figures of the whole and of each member. Out: a finished parent run and a nested run a member, whose columns compare
at once in the runs' table and in a chart.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

from proofline.tracking.mlflow_run import MlflowRun, quiet_mlflow

Values = Mapping[str, float]
PARENT = "mlflow.parentRunId"
"""MLflow's tag of a nested run."""


def log_group(
    uri: str, root: Path, name: str, whole: Mapping[str, Values], members: Mapping[str, Values], text: str
) -> str:
    """Log the group and return the parent's id. `whole` holds `value`, `low` and `high` by figure; `text` becomes the
    parent's description. Raises TrackingError where the store cannot be reached."""
    quiet_mlflow()
    flat = {
        f"{figure}.{part}".removesuffix(".value"): value
        for figure, parts in whole.items()
        for part, value in parts.items()
    }
    parent = _log(uri, root, name, flat, {"mlflow.note.content": text, "proofline.group": name})
    for member, values in members.items():
        _log(uri, root, member, values, {PARENT: parent, "proofline.group": name})
    return parent


def _log(uri: str, root: Path, name: str, values: Values, tags: Mapping[str, str]) -> str:
    run = MlflowRun(uri, root / "mlartifacts")
    now = int(time.time() * 1000)
    run.begin(name, now, tags)
    defined = {_metric(figure): value for figure, value in values.items() if value == value}
    run.send([{"kind": "metrics", "values": defined, "step": 0, "time_ms": now}])
    run.finish("FINISHED", now)
    assert run.run_id is not None
    return run.run_id


def _metric(figure: str) -> str:
    """A table's title as a metric's name: `+SFT → +SFT+DPO, greedy` -> `SFT to SFT_DPO greedy`."""
    return figure.replace("→", "to").replace("'", "").replace(",", "").replace("+", "_").replace(" _", " ").lstrip("_")
