"""Reports with known effects, as far as the gate reads them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from proofline.evaluation.clusters import Clusters
from proofline.evaluation.metrics import paired_json
from proofline.storage.artifacts import write_json


def write_policy(reports: Path, policy: str, weights: str, wins: int, losses: int = 0, problems: int = 100) -> None:
    """A report on problems of which the policy alone solves so many, and base alone so many."""
    problem = np.arange(problems)
    alone = Clusters([f"{one}" for one in problem], 0.95, resamples=1, seed=0)
    over_base = paired_json(alone.compare(problem < wins, problem >= problems - losses))
    write_json(reports / "evaluate" / policy / "metrics.json", {"weights": weights, "confidence": 0.95})
    write_json(reports / "metrics.json", {"policies": {policy: {"weights": weights, "over_base": over_base}}})


def interval(value: float, half: float) -> dict[str, float]:
    return {"value": value, "low": value - half, "high": value + half}


def over(value: float, half: float = 0.05) -> dict[str, Any]:
    shown = abs(value) > half
    counts = {"wins": 9, "losses": 9, "ties": 9, "detectable": 0.1}
    return {"difference": interval(value, half), "p_value": 0.001 if shown else 0.4, **counts}


def verifier(
    matched: float = 0.78,
    half: float = 0.05,
    layout: float = 0.5,
    length: float = 0.52,
    logprob: float = 0.55,
    agreement: float = 0.56,
    gain: float = 0.1,
    number: int = 170,
) -> dict[str, Any]:
    """What `verify` writes, as far as the gate asks: AUROC within layout, of GenRM and its rivals; best-of-8's gain."""
    rivals = {
        "layout": layout, "length": length, "logprob": logprob, "logprob_per_token": logprob, "agreement": agreement,
        "program": 0.95,
    }  # fmt: skip
    baselines = {
        name: {
            "auroc_within_layout": interval(one, half),
            "best_of": interval(0.7, half),
            "genrm_over": {"auroc_within_layout": over(matched - one), "best_of": over(gain)},
        }
        for name, one in rivals.items()
    }
    overall = {
        "matched_problems": number, "matched_clusters": number, "auroc_within_layout": interval(matched, half),
        "baselines": baselines, "equal_compute": [],
        "gains": {"best_of_over_one": over(gain), "best_of_over_majority": over(gain)},
    }  # fmt: skip
    return {"weights": "one", "policy": "dpo", "num_samples": 8, "confidence": 0.95, "overall": overall}


def write_verifier(reports: Path, metrics: dict[str, Any], evaluated: str = "one") -> Path:
    write_json(reports / "evaluate" / "genrm" / "metrics.json", {"weights": evaluated, "confidence": 0.95})
    write_json(reports / "verify" / "metrics.json", metrics)
    return reports
