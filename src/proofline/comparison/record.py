"""A comparison as a run of the tracking store, which leads to both sides.

Its inputs are the files that were compared, by content, so a search for one of them (`dataset.digest`) finds the
comparison beside the run that wrote it; where the store has the runs of the sides, tags and the description name them.
"""

from __future__ import annotations

import json
import time

from proofline.comparison.compare import Comparison
from proofline.comparison.pairing import Side
from proofline.comparison.show import as_json, as_text
from proofline.config.environment import load_environment, repository_root
from proofline.evaluation.metrics import scalars
from proofline.tracking.lineage import Item as Source
from proofline.tracking.mlflow_run import MlflowRun, quiet_mlflow

NUMBERS = ("a", "b", "difference", "p_value", "p_holm", "smallest_shown", "excluded")


def record(comparison: Comparison) -> str:
    """Log it; the run's id."""
    quiet_mlflow()
    now = time.time_ns() // 1_000_000
    document, text = as_json(comparison), as_text(comparison)
    run = MlflowRun(load_environment().tracking_uri, repository_root() / "mlartifacts")
    sides = {"a": comparison.pair.a, "b": comparison.pair.b}
    tags = {"proofline.stage": "compare", "mlflow.note.content": text}
    for letter, side in sides.items():
        tags[f"proofline.compare.{letter}"] = side.name
        if runs := [one.run_id for one in side.seeds if one.run_id]:
            tags[f"proofline.compare.{letter}_runs"] = ",".join(runs)
    run.begin("compare", now, tags)
    for letter, side in sides.items():
        run.send_items(_sources(side), letter)
    values = {metric: {name: found[name] for name in NUMBERS} for metric, found in document["metrics"].items()}
    run.send([{"kind": "metrics", "time_ms": now, "step": 0, "values": scalars(values)}])
    run.send_text(json.dumps(document, ensure_ascii=False, indent=1), "comparison.json")
    run.send_text(text, "comparison.md")
    run.finish("FINISHED", time.time_ns() // 1_000_000)
    assert run.run_id is not None
    return run.run_id


def _sources(side: Side) -> list[Source]:
    return [source for one in side.seeds for source in one.sources]
