"""What one seed's report says, by the names that the table shows.

In: a `reports/` folder. Out: `Measured` by `Measure`, shares in [0, 1] (AUROCs too). What a report leaves undefined, as
the AUROC of a verifier without comparable candidates, is left out of its seed.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from proofline.config.schema import EVALUATED
from proofline.evaluation.metrics import estimate
from proofline.evaluation.statistics import NAN
from proofline.evaluation.study import TITLES
from proofline.records import Grade
from proofline.seeds.spread import Measured
from proofline.storage.records import iter_records


class Measure(NamedTuple):
    """A row of the table."""

    title: str
    null: float = NAN
    """What it is without an effect; NaN: it is none."""


GAINS = {
    "best_of_over_one": "best of N by GenRM over a single sample",
    "best_of_over_majority": "best of N by GenRM over majority vote",
    "weighted_over_majority": "vote weighted by GenRM over majority vote",
}


def measures(reports: Path) -> dict[Measure, Measured]:
    """Everything that is compared over seeds."""
    metrics = json.loads((reports / "metrics.json").read_text(encoding="utf-8"))
    drawn = {policy: samples_variance(reports / "evaluate" / policy / "sample_grades.jsonl") for policy in EVALUATED}
    found: dict[Measure, Measured] = {}

    def put(title: str, value: dict[str, Any], samples: float, null: float = NAN) -> None:
        if value["value"] is not None:
            found[Measure(title, null)] = Measured(estimate(value), samples)

    for policy, values in metrics["policies"].items():
        put(f"{TITLES[policy]}, greedy", values["accuracy"], 0.0)
        put(f"{TITLES[policy]}, samples", values["sampled_accuracy"], drawn[policy])
    for name, change in metrics["changes"].items():
        policy, before = name.split("_over_")
        title = f"{TITLES[before]} → {TITLES[policy]}"
        put(f"{title}, greedy", change["greedy"], 0.0, 0.0)
        put(f"{title}, samples", change["sampled"], drawn[policy] + drawn[before], 0.0)
    verifier = metrics["verifier"]
    put("GenRM's AUROC within problems and layout", verifier["auroc_within_layout"], NAN, 0.5)
    put("GenRM's AUROC over the strongest cheap ranking's", verifier["genrm_over_strongest_cheap"], NAN, 0.0)
    put("GenRM's false accepts of worked wrong solutions", verifier["worked"]["false_accept_rate"], NAN)
    for name, title in GAINS.items():
        if name in verifier["gains"]:
            put(title, verifier["gains"][name], NAN, 0.0)
    return found


def weights(reports: Path) -> dict[str, str]:
    """The hashes of the weights that were evaluated, by policy."""
    metrics = json.loads((reports / "metrics.json").read_text(encoding="utf-8"))
    return {policy: str(values["weights"]) for policy, values in metrics["policies"].items()}


def samples_variance(grades: Path) -> float:
    """Variance of a policy's sampled accuracy over draws of samples for the same problems; NaN with one sample each."""
    right: dict[str, list[bool]] = defaultdict(list)
    for grade in iter_records(grades, Grade):
        right[grade.problem_id].append(grade.verdict == "correct")
    rows = list(right.values())
    if not rows or min(map(len, rows)) < 2:
        return NAN
    of_means = [float(np.var(row, ddof=1)) / len(row) for row in rows]
    return sum(of_means) / len(rows) ** 2
