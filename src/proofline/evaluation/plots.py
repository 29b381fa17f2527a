"""The policies in pictures, and what all pictures share.

In: `Study`. Out: figures. A policy and a rule of choice has one colour everywhere (Okabe and Ito's palette, which
colour-blind readers can tell apart); axes are in percent; a bar or band is the interval.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
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
from proofline.evaluation.study import OVERALL, TITLES, Study

POLICY_COLOURS = {"base": "#7f7f7f", "sft": "#0072b2", "dpo": "#d55e00", "genrm": "#009e73"}
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
            points = study.part(name)[key]
            curve(axis, [int(k) for k in points], points.values(), POLICY_COLOURS[name], "-", TITLES[name])
        axis.set(title=title, xlabel="samples k")
    axes[0].set_ylabel("accuracy, %")
    axes[1].legend(loc="upper left")
    return figure


def curve(axis: Axes, x: Sequence[float], y: Iterable[Metrics], colour: str, line: str, label: str) -> None:
    """Shares and their intervals over a doubling axis whose ticks are `x`."""
    bounds = np.array([estimate(point).scaled(100) for point in y]).reshape(-1, 3)
    axis.plot(x, bounds[:, 0], color=colour, linestyle=line, marker="o", label=label)
    axis.fill_between(x, bounds[:, 1], bounds[:, 2], color=colour, alpha=0.12, linewidth=0)
    axis.set_xscale("log", base=2)
    axis.set_xticks(x, [f"{k:,.0f}" for k in x])
    axis.minorticks_off()
