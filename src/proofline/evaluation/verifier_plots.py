"""GenRM as a verifier in pictures: choosing for equal samples and equal compute, calibration, scores.

In: `Study`. Out: figures, in the style of `plots`.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure

from proofline.evaluation.claims import confidence_words
from proofline.evaluation.metrics import estimate
from proofline.evaluation.plots import POLICY_COLOURS, curve
from proofline.evaluation.study import OVERALL, TITLES, Study

RIGHT_COLOUR, WRONG_COLOUR, MUTED = "#009e73", "#cc79a7", "#999999"
RULES = {
    "oracle": ("oracle (pass@N)", MUTED, ":"),
    "best_of": ("best by GenRM", POLICY_COLOURS["genrm"], "-"),
    "weighted": ("vote weighted by GenRM", "#56b4e9", "--"),
    "majority": ("majority vote", "#333333", "-"),
}


def best_of_n(study: Study) -> Figure:
    """What choosing among N samples of one policy gives, by rule of choice."""
    points = study.verifier[OVERALL]["best_of_n"]
    figure, axis = plt.subplots(figsize=(9, 3.4), layout="constrained")
    for rule, (label, colour, line) in RULES.items():
        curve(axis, [point["n"] for point in points], [point[rule] for point in points], colour, line, label)
    axis.set(
        title=f"choosing among N samples of {TITLES[study.verified_policy]}", xlabel="samples N", ylabel="accuracy, %"
    )
    axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def equal_compute(study: Study) -> Figure:
    """What the rules of choice give for the tokens they cost; with all chains, and dotted with one."""
    part = study.verifier[OVERALL]
    most, per_sample = study.verifier["num_chains"], part["tokens_per_sample"]
    figure, axis = plt.subplots(figsize=(9, 3.4), layout="constrained")
    votes = part["best_of_n"]
    label, colour, line = RULES["majority"]
    curve(axis, [vote["n"] * per_sample for vote in votes], [vote["majority"] for vote in votes], colour, line, label)
    spent = [vote["n"] * per_sample for vote in votes]
    for rule in ("best_of", "weighted"):
        label, colour, line = RULES[rule]
        for chains in sorted({1, most}, reverse=True):
            points = [point for point in part["equal_compute"] if point["chains"] == chains]
            told = f"{label}, {chains} chain{'s' if chains > 1 else ''}"
            costs = [point["tokens"] for point in points]
            curve(axis, costs, [point[rule] for point in points], colour, line if chains == most else ":", told)
            spent += costs
    if spent:
        ticks = min(spent) * 2.0 ** np.arange(np.ceil(np.log2(max(spent) / min(spent))) + 1)
        axis.set_xticks(ticks, [f"{tick:,.0f}" for tick in ticks])
    axis.set(title=f"choosing among samples of {TITLES[study.verified_policy]}", ylabel="accuracy, %")
    axis.set_xlabel("generated tokens a problem, verification included")
    axis.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    return figure


def calibration(study: Study) -> Figure:
    """Left: is P(Yes) a probability? A point a bin that holds candidates; no line, since there are none in between.
    Right: where right and wrong candidates are scored."""
    bins = study.verifier[OVERALL]["calibration"]["bins"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
    filled = [one for one in bins if one["right"] + one["wrong"]]
    counts = np.array([one["right"] + one["wrong"] for one in filled], dtype=float)
    left.plot([0, 100], [0, 100], color=MUTED, linestyle=":", linewidth=1.2)
    predicted = np.array([100 * one["predicted"] for one in filled], dtype=float)
    observed = np.array([estimate(one["observed"]).scaled(100) for one in filled]).reshape(-1, 3)
    colour, areas = POLICY_COLOURS["genrm"], np.maximum(250 * counts / counts.max(initial=1), 8)
    left.vlines(predicted, observed[:, 1], observed[:, 2], color=colour, linewidth=2.5, alpha=0.55)
    left.scatter(predicted, observed[:, 0], color=colour, zorder=3, s=areas)
    interval = confidence_words(study.confidence)
    left.set(title=f"calibration (area: candidates; bar: {interval})", xlabel="mean P(Yes), %")
    left.set_ylabel("candidates right, %")
    left.set(xlim=(-4, 104), ylim=(-4, 104))
    if not filled:
        left.text(50, 50, "no verification reached a verdict", ha="center", va="center", backgroundcolor="white")
    middles = np.array([50 * (one["low"] + one["high"]) for one in bins])
    width = 40 / len(bins)
    for label, shift, colour in (("right", -width / 2, RIGHT_COLOUR), ("wrong", width / 2, WRONG_COLOUR)):
        right.bar(middles + shift, [one[label] for one in bins], width, color=colour, label=f"{label} candidates")
    right.set(title="scores", xlabel="P(Yes), %", ylabel="candidates", xlim=(0, 100))
    right.set_ylim(0, None if filled else 1)
    right.grid(axis="x", visible=False)
    right.legend()
    return figure
