"""A version's page: the card that the report wrote as its description, the evaluation as metrics of its model.

Both come to be long after the registration, so they are attached when the report is written, and again when a version
is registered later. Metrics belong to the *logged model* behind the version: MLflow's Models tab compares those.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from proofline.config.schema import TRAINED
from proofline.evaluation.metrics import scalars
from proofline.registry.store import by_weights, first_line, log_model_metrics, model_id_of, read_registry

BESIDE = ("low", "high", "p", "p_value", "wins", "losses", "ties", "detectable")
"""What stands beside a number in a report: no column of its own where versions are compared."""


def describe_versions(reports: Path, policies: Sequence[str] = TRAINED) -> None:
    """Describe the version of each policy in a report. What goes wrong costs a line on stderr, not the report."""
    try:
        client = read_registry()
        for policy in policies:
            describe(client, policy, reports)
    except Exception as error:
        print(f"registry: the versions have no card and no metrics yet: {first_line(error)}", file=sys.stderr)


def describe(client: Any, policy: str, reports: Path) -> bool:
    """Give the version with the reported weights its card and its metrics; False where the reports have none of it."""
    found = reported(policy, reports)
    version = by_weights(client, policy, found[0]) if found else None
    if found is None or version is None:
        return False
    _, card, metrics = found
    client.update_model_version(version.name, version.version, card)
    model_id = model_id_of(version)
    if model_id and version.run_id:
        log_model_metrics(client, model_id, version.run_id, metrics)
    return True


def reported(policy: str, reports: Path) -> tuple[str, str, dict[str, float]] | None:
    """Weights, card and headline metrics of a policy; None where a report is absent or the card is of other weights."""
    evaluated, card = reports / "evaluate" / policy / "metrics.json", reports / "cards" / f"{policy}.md"
    headline = reports / "metrics.json"
    if not (evaluated.is_file() and card.is_file() and headline.is_file()):
        return None
    weights = json.loads(evaluated.read_text(encoding="utf-8"))["weights"]
    text = card.read_text(encoding="utf-8")
    if f"`{weights}`" not in text:
        return None
    values = json.loads(headline.read_text(encoding="utf-8"))
    metrics = scalars(values["policies"][policy])
    if policy == "genrm":
        metrics |= {f"verifier.{name}": value for name, value in scalars(values["verifier"]).items()}
    kept = {name: value for name, value in metrics.items() if name.rpartition(".")[2] not in BESIDE}
    return weights, text.split("\n---\n", 1)[-1].strip(), kept
