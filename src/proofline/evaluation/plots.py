"""The study's pictures as PNG, and the same numbers as rows for `dvc plots`.

In: `Study`. Out: files in a folder. A policy and a rule of choice has one colour everywhere (Okabe and Ito's
palette, which colour-blind readers can tell apart); axes are in percent; a bar or band is the interval.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from proofline.config.schema import POLICIES
from proofline.evaluation.claims import confidence_words
from proofline.evaluation.metrics import Metrics, estimate
from proofline.evaluation.results import column_titles
from proofline.evaluation.selection import Floats
from proofline.evaluation.study import OVERALL, TITLES, Study

POLICY_COLOURS = {"base": "#7f7f7f", "sft": "#0072b2", "dpo": "#d55e00", "genrm": "#009e73"}
RIGHT_COLOUR, WRONG_COLOUR, MUTED = "#009e73", "#cc79a7", "#999999"
RULES = {
    "oracle": ("oracle (pass@N)", MUTED, ":"),
    "best_of": ("best by GenRM", POLICY_COLOURS["genrm"], "-"),
    "weighted": ("vote weighted by GenRM", "#56b4e9", "--"),
    "majority": ("majority vote", "#333333", "-"),
}
STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.titlesize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e6e6e6",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "figure.dpi": 100,
    "savefig.dpi": 160,
}


def draw_all(study: Study, folder: Path) -> list[Path]:
    """Write every picture and its rows; returns the pictures. The same study gives the same bytes."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = []
    drawings: dict[str, Callable[[Study], Figure]] = {
        "accuracy": accuracy, "pass_at_k": pass_at_k, "best_of_n": best_of_n, "calibration": calibration,
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
        "calibration": [
            {"p_yes": one["predicted"], "right": one["observed"]} for one in bins if one["right"] + one["wrong"]
        ],
        "verifier_scores": [
            {"p_yes": (one["low"] + one["high"]) / 2, "right": one["right"], "wrong": one["wrong"]} for one in bins
        ],
    }


def accuracy(study: Study) -> Figure:
    """One panel a benchmark, one row a policy, and the verified policy reranked: accuracy and its interval."""
    parts = [*study.benchmarks, OVERALL]
    rows: list[tuple[str, str, str, Callable[[str], Metrics | None]]] = [
        (TITLES[name], POLICY_COLOURS[name], "o", partial(_greedy, study, name)) for name in POLICIES
    ]
    best = f"{TITLES[study.verified_policy]}, best of {study.verifier['num_samples']}\nby GenRM"
    rows.append((best, POLICY_COLOURS["genrm"], "D", study.reranked))
    figure, axes = plt.subplots(1, len(parts), figsize=(9, 3.2), sharex=True, sharey=True, layout="constrained")
    for axis, part, title in zip(np.atleast_1d(axes), parts, column_titles(study), strict=True):
        for height, (_, colour, marker, measured) in enumerate(rows):
            if metrics := measured(part):
                value, low, high = estimate(metrics).scaled(100)
                axis.plot([low, high], [height, height], color=colour, linewidth=2.5, solid_capstyle="butt", alpha=0.55)
                axis.plot(value, height, marker, color=colour, markersize=6.5)
                axis.annotate(
                    f"{value:.1f}", (value, height), (0, 6), textcoords="offset points", ha="center", fontsize=8
                )
        axis.set(title=title, ylim=(len(rows) - 0.5, -0.7))
        axis.set_yticks(range(len(rows)), [row[0] for row in rows])
        axis.grid(axis="y", visible=False)
        axis.tick_params(axis="y", length=0)
        axis.spines["left"].set_visible(False)
    figure.supxlabel(f"accuracy, % ({confidence_words(study.confidence)}); greedy unless said", fontsize=10)
    return figure


def _greedy(study: Study, policy: str, benchmark: str) -> Metrics:
    value: Metrics = study.part(policy, benchmark)["greedy_accuracy"]
    return value


def pass_at_k(study: Study) -> Figure:
    """Two panels that share an axis: what k samples hold (pass@k), and what their vote gives (maj@k)."""
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), sharey=True, layout="constrained")
    for axis, key, title in zip(
        axes, ("pass_at_k", "majority_at_k"), ("any of k right (pass@k)", "majority of k (maj@k)"), strict=True
    ):
        for name in POLICIES:
            curve = study.part(name)[key]
            _curve(axis, [int(k) for k in curve], curve.values(), POLICY_COLOURS[name], "-", TITLES[name])
        axis.set(title=title, xlabel="samples k")
    axes[0].set_ylabel("accuracy, %")
    axes[1].legend(loc="upper left")
    return figure


def best_of_n(study: Study) -> Figure:
    """What choosing among N samples of one policy gives, by rule of choice."""
    points = study.verifier[OVERALL]["best_of_n"]
    figure, axis = plt.subplots(figsize=(9, 3.4), layout="constrained")
    for rule, (label, colour, line) in RULES.items():
        _curve(axis, [point["n"] for point in points], [point[rule] for point in points], colour, line, label)
    axis.set(
        title=f"choosing among N samples of {TITLES[study.verified_policy]}", xlabel="samples N", ylabel="accuracy, %"
    )
    axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def calibration(study: Study) -> Figure:
    """Left: is P(Yes) a probability? Right: where right and wrong candidates are scored."""
    bins = study.verifier[OVERALL]["calibration"]["bins"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    filled = [one for one in bins if one["right"] + one["wrong"]]
    counts = np.array([one["right"] + one["wrong"] for one in filled], dtype=float)
    left.plot([0, 100], [0, 100], color=MUTED, linestyle=":", linewidth=1.2)
    left.plot(*_percent(filled, "predicted", "observed"), color=POLICY_COLOURS["genrm"], alpha=0.5)
    left.scatter(
        *_percent(filled, "predicted", "observed"), color=POLICY_COLOURS["genrm"], zorder=3,
        s=np.maximum(250 * counts / counts.max(initial=1), 8),
    )  # fmt: skip
    left.set(title="calibration (area: candidates)", xlabel="mean P(Yes), %", ylabel="candidates right, %")
    left.set(xlim=(-4, 104), ylim=(-4, 104))
    middles = np.array([50 * (one["low"] + one["high"]) for one in bins])
    width = 40 / len(bins)
    for label, shift, colour in (("right", -width / 2, RIGHT_COLOUR), ("wrong", width / 2, WRONG_COLOUR)):
        right.bar(middles + shift, [one[label] for one in bins], width, color=colour, label=f"{label} candidates")
    right.set(title="scores", xlabel="P(Yes), %", ylabel="candidates", xlim=(0, 100))
    right.grid(axis="x", visible=False)
    right.legend()
    return figure


def _curve(axis: Axes, x: list[int], curve: Iterable[dict[str, Any]], colour: str, line: str, label: str) -> None:
    bounds = np.array([estimate(point).scaled(100) for point in curve]).reshape(-1, 3)
    axis.plot(x, bounds[:, 0], color=colour, linestyle=line, marker="o", label=label)
    axis.fill_between(x, bounds[:, 1], bounds[:, 2], color=colour, alpha=0.12, linewidth=0)
    axis.set_xscale("log", base=2)
    axis.set_xticks(x, [str(k) for k in x])
    axis.minorticks_off()


def _percent(bins: list[dict[str, Any]], *keys: str) -> list[Floats]:
    return [np.array([100 * one[key] for one in bins], dtype=float) for key in keys]
