"""The headline metrics: the few numbers by which two trainings of one recipe are told apart.

In: the values of a metrics file by its path, and the stage that wrote it. Out: numbers by name, such as
`evaluate@sft.greedy_accuracy`. Everything else in the reports follows from these or details them; more of them would
make the test of each weaker.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from proofline.certificate.lock import Lock
from proofline.certificate.manifest import Entry

HEADLINE = {
    "evaluate": ("greedy_accuracy", "sampled_accuracy", "pass_at_k.{most}", "majority_at_k.{most}"),
    "verify": (
        "accuracy", "auroc_within_layout", "auroc_within", "auroc_pooled",
        "gains.best_of_over_one.difference", "gains.best_of_over_majority.difference",
        "gains.weighted_over_majority.difference",
    ),
}  # fmt: skip
"""By stage, within `overall` of its metrics.json; `{most}` is the number of samples a problem."""


class Measured(NamedTuple):
    """A headline metric with its interval over problems, NaN where undefined."""

    stage: str
    value: float
    low: float
    high: float
    confidence: float


def headline_metrics(lock: Lock, files: Mapping[str, Entry]) -> dict[str, Measured]:
    """All that these files hold."""
    found: dict[str, Measured] = {}
    for stage in lock.stages.values():
        names = HEADLINE.get(stage.name.partition("@")[0], ())
        reports = [files[out].values for out in stage.outs if out.endswith("/metrics.json") and out in files]
        for report in (one for one in reports if isinstance(one, dict)):
            for name in names:
                name = name.format(most=report.get("num_samples"))
                bounds = _lookup(report.get("overall"), name)
                if isinstance(bounds, dict) and {"value", "low", "high"} <= set(bounds):
                    value, low, high = (_number(bounds[key]) for key in ("value", "low", "high"))
                    found[f"{stage.name}.{name.removesuffix('.difference')}"] = Measured(
                        stage.name, value, low, high, float(report.get("confidence", 0.95))
                    )
    return found


def _lookup(values: Any, dotted: str) -> Any:
    for key in dotted.split("."):
        values = values.get(key) if isinstance(values, dict) else None
    return values


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan
