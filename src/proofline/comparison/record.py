"""A comparison as a run of the tracking store, which leads to both sides.

Its inputs are the files that were compared, by content, so a search for one of them (`dataset.digest`) finds the
comparison beside the run that wrote it; where the store has the runs of the sides, tags and the description name them.
"""

from __future__ import annotations

import time
from pathlib import Path
from tempfile import TemporaryDirectory

from proofline.comparison.compare import Comparison
from proofline.comparison.pairing import Side
from proofline.comparison.show import as_json, as_text
from proofline.config.environment import load_environment, repository_root
from proofline.evaluation.metrics import scalars
from proofline.storage.artifacts import write_json
from proofline.tracking.lineage import Item as Source
from proofline.tracking.mlflow_run import MlflowRun, quiet_mlflow

NUMBERS = ("a", "b", "difference", "p_value", "p_holm", "smallest_shown", "excluded")


def record(comparison: Comparison) -> str:
    """Log it; the run's id."""
    quiet_mlflow()
    now = time.time_ns() // 1_000_000
    text = as_text(comparison)
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
    run.send([{"kind": "metrics", "time_ms": now, "step": 0, "values": _numbers(comparison)}])
    run.send_text(text, "comparison.md")
    with TemporaryDirectory() as scratch:
        write_json(Path(scratch, "comparison.json"), as_json(comparison))
        run.send([{"kind": "artifact", "path": str(Path(scratch, "comparison.json")), "folder": ""}])
    run.finish("FINISHED", time.time_ns() // 1_000_000)
    assert run.run_id is not None
    return run.run_id


def _sources(side: Side) -> list[Source]:
    """Each once: seeds share their problems."""
    return list(dict.fromkeys(source for one in side.seeds for source in one.sources))


def _numbers(comparison: Comparison) -> dict[str, float]:
    measured = as_json(comparison)["metrics"].items()
    return scalars({metric: {name: found[name] for name in NUMBERS} for metric, found in measured})
