"""The study's pictures as PNG, and the same numbers as rows for `dvc plots`.

In: `Study`. Out: files in a folder.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from proofline.config.schema import POLICIES
from proofline.evaluation.plots import STYLE, accuracy, pass_at_k
from proofline.evaluation.study import OVERALL, TITLES, Study
from proofline.evaluation.verifier_plots import RULES, best_of_n, calibration, equal_compute


def draw_all(study: Study, folder: Path) -> list[Path]:
    """Write every picture and its rows; returns the pictures. The same study gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    drawings: dict[str, Callable[[Study], Figure]] = {
        "accuracy": accuracy, "pass_at_k": pass_at_k, "best_of_n": best_of_n, "equal_compute": equal_compute,
        "calibration": calibration,
    }  # fmt: skip
    for name, draw in drawings.items():
        with plt.rc_context(STYLE):
            figure = draw(study)
        path = folder / f"{name}.png"
        figure.savefig(path, bbox_inches="tight", facecolor="white", metadata={"Software": None})
        plt.close(figure)
        drawn.append(path)
    for name, rows in plot_rows(study).items():
        (folder / f"{name}.json").write_text(json.dumps(rows, indent=1) + "\n")
    return drawn


def plot_rows(study: Study) -> dict[str, list[dict[str, Any]]]:
    """Rows for DVC's templates, shares in [0, 1]; points without a value are left out."""
    verifier = study.verifier[OVERALL]
    bins = verifier["calibration"]["bins"]
    return {
        "accuracy": [
            {"policy": TITLES[name], "accuracy": study.part(name)["greedy_accuracy"]["value"]} for name in POLICIES
        ],
        "pass_at_k": [
            {"k": int(k), **{TITLES[name]: study.part(name)["pass_at_k"][k]["value"] for name in POLICIES}}
            for k in study.part("base")["pass_at_k"]
        ],
        "best_of_n": [
            {"n": point["n"], **{RULES[rule][0]: point[rule]["value"] for rule in RULES}}
            for point in verifier["best_of_n"]
        ],
        "equal_compute": [
            {"tokens": point["tokens"], **{RULES[rule][0]: point[rule]["value"] for rule in RULES if rule in point}}
            for point in verifier["equal_compute"]
        ],
        "calibration": [
            {"p_yes": one["predicted"], "right": one["observed"]["value"]}
            for one in bins
            if one["right"] + one["wrong"]
        ],
        "verifier_scores": [
            {"p_yes": (one["low"] + one["high"]) / 2, "right": one["right"], "wrong": one["wrong"]} for one in bins
        ],
    }
