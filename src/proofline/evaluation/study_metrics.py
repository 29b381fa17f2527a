"""The study's numbers as files and runs hold them.

In: `Study`. Out: `all_metrics` for `reports/metrics.json`, shares and their differences with intervals, NaN where
undefined; `protocol_metrics`, the matrix of shots and readers; and `headline`, the few by which experiments are told
apart.
"""

from __future__ import annotations

import math
from typing import Any

from proofline.config.schema import POLICIES
from proofline.evaluation.metrics import Metrics, paired_json
from proofline.evaluation.protocols import overall_shares
from proofline.evaluation.study import KINDS, OVERALL, Study
from proofline.evaluation.verifier_claims import strongest_cheap


def headline(study: Study) -> Metrics:
    """The columns of `dvc exp show`: greedy accuracies, the verifier's AUROC among look-alikes and what choosing gains.

    Their names are those of every recipe, so that experiments of different sizes stand in the same columns.
    """
    part = study.verifier[OVERALL]
    gains = {f"gain_{name}": part["gains"].get(f"best_of_{name}", {}) for name in ("over_one", "over_majority")}
    return {
        "accuracy": {name: study.part(name)["greedy_accuracy"]["value"] for name in POLICIES},
        "verifier": {
            "auroc_within_layout": part["auroc_within_layout"]["value"],
            **{name: gain.get("difference", {}).get("value", math.nan) for name, gain in gains.items()},
        },
    }


def all_metrics(study: Study) -> Metrics:
    """Of every policy, every change and the verifier."""
    policies: dict[str, Any] = {}
    for name in study.policies:
        part = study.part(name)
        policies[name] = {
            "weights": study.policies[name]["weights"],
            "accuracy": part["greedy_accuracy"],
            "benchmarks": {one: study.part(name, one)["greedy_accuracy"]["value"] for one in study.benchmarks},
            "sampled_accuracy": part["sampled_accuracy"],
            f"pass_at_{study.num_samples}": part["pass_at_k"][str(study.num_samples)]["value"],
            f"majority_at_{study.num_samples}": part["majority_at_k"][str(study.num_samples)]["value"],
            "right_by": overall_shares(study.protocols[name]),
        }
        if name in study.over_base:
            policies[name]["over_base"] = paired_json(study.over_base[name])
        if name in study.win_rates:
            policies[name][f"win_rate_against_{study.opponent}"] = study.win_rates[name][OVERALL]["win_rate"]
    changes = {
        f"{change.policy}_over_{change.before}": {
            kind: {
                **change.claim(kind).difference._asdict(),
                "p": getattr(change, kind)[OVERALL].p_value,
                "p_adjusted": change.adjusted[kind],
            }
            for kind in KINDS
        }
        for change in (*study.changes, *study.parts)
    }
    return {"policies": policies, "changes": changes, "verifier": _verifier_metrics(study.verifier[OVERALL])}


def protocol_metrics(study: Study) -> Metrics:
    """The protocol matrix of every policy, and what each change changed in it, for `reports/metrics.json`."""
    changes = (*study.changes, *study.parts)
    return {
        "policies": study.protocols,
        "changes": {f"{change.policy}_over_{change.before}": change.protocols for change in changes},
    }


def _verifier_metrics(part: Metrics) -> Metrics:
    aurocs = ("auroc_within_layout", "auroc_within")
    strongest = strongest_cheap(part, "auroc_within_layout")
    over = part["baselines"][strongest]["genrm_over"]["auroc_within_layout"]
    return {
        **{name: part[name] for name in ("accuracy", *aurocs, "auroc_pooled")},
        **{name: part[name]["value"] for name in ("false_accept_rate", "false_reject_rate")},
        "worked": part["worked"],
        "without_verdict": part["without_verdict"],
        **{name: part["calibration"][name] for name in ("ece", "brier")},
        "baselines": {
            name: {
                **{auroc: baseline[auroc]["value"] for auroc in aurocs},
                "genrm_over": baseline["genrm_over"]["auroc_within_layout"]["difference"],
            }
            for name, baseline in part["baselines"].items()
        },
        "genrm_over_strongest_cheap": {"baseline": strongest, **over["difference"]},
        "gains": {name: {**gain["difference"], "p": gain["p_value"]} for name, gain in part["gains"].items()},
    }
