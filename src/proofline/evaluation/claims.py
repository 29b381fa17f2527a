"""What the numbers allow to be said, in words.

An effect is named only where its interval excludes zero and its p-value is below 1 - confidence. Otherwise the
sentence says that no difference is shown, and which loss the interval excludes.
"""

from __future__ import annotations

from proofline.evaluation.metrics import Metrics, estimate
from proofline.evaluation.statistics import Estimate, Paired
from proofline.evaluation.study import OVERALL, TITLES, Study

DASH = "—"
"""Stands for what is undefined."""

MEASURES = {"greedy": "greedy accuracy", "sampled": "accuracy of single samples"}
"""What a change is measured in, by the names of its fields."""

FEWEST_MIXED = 20
"""Mixed problems below which a bootstrap over problems says nothing about the verifier."""


def claims(study: Study) -> list[str]:
    """One sentence a finding."""
    sentences = []
    for change in study.changes:
        names = TITLES[change.policy], TITLES[change.before]
        for kind, measure in MEASURES.items():
            sentences.append(effect(*names, measure, getattr(change, kind)[OVERALL], study.confidence))
    sentences += [attribution(study, kind) for kind in MEASURES]
    part, samples = study.verifier[OVERALL], study.verifier["num_samples"]
    sentences.append(discrimination(estimate(part["auroc_within"]), part["mixed_problems"], study.confidence))
    best, measure = f"best-of-{samples} by GenRM", f"accuracy on the samples of {TITLES[study.verified_policy]}"
    for name, other in (("best_of_over_one", "a single sample"), ("best_of_over_majority", f"majority vote@{samples}")):
        if name in part["gains"]:
            sentences.append(effect(best, other, measure, paired(part["gains"][name]), study.confidence))
    return sentences


def effect(subject: str, other: str, measure: str, result: Paired, confidence: float) -> str:
    """`**+SFT beats base** in greedy accuracy: +8.1 points (95% CI +4.2 to +12.0, p < 0.001).`"""
    value, low, high = result.difference
    interval = f"{confidence_words(confidence)} {points(low)} to {points(high)}"
    numbers = f"{points(value)} points ({interval}, {p_words(result.p_value)})"
    if is_shown(result, confidence):
        return f"**{subject} {'beats' if value > 0 else 'loses to'} {other}** in {measure}: {numbers}."
    bound = f"; a loss of more than {abs(100 * low):.1f} points is excluded" if low < 0 else ""
    return f"No difference shown between {subject} and {other} in {measure}: {numbers}{bound}."


def attribution(study: Study, kind: str) -> str:
    """`The GenRM stage's +4.4 points in … are **+3.1 by its right solutions alone** (…) and +1.3 by its traces … .`"""
    whole, solutions, traces = (getattr(change, kind)[OVERALL] for change in (study.changes[-1], *study.parts))
    alone = _share(solutions, "its right solutions alone", study.confidence)
    beside = _share(traces, "its traces beside them", study.confidence)
    return f"The GenRM stage's {points(whole.difference.value)} points in {MEASURES[kind]} are {alone} and {beside}."


def _share(result: Paired, cause: str, confidence: float) -> str:
    value, low, high = result.difference
    words = f"{points(value)} by {cause}"
    numbers = f"{confidence_words(confidence)} {points(low)} to {points(high)}, {p_words(result.p_value)}"
    return f"**{words}** ({numbers})" if is_shown(result, confidence) else f"{words} ({numbers}; not shown)"


def is_shown(result: Paired, confidence: float) -> bool:
    """Is there an effect, either way? Undefined bounds show nothing."""
    _, low, high = result.difference
    return (low > 0 or high < 0) and result.p_value < 1 - confidence


def discrimination(auroc: Estimate, mixed_problems: int, confidence: float) -> str:
    """Whether GenRM can rerank: its AUROC within problems against the 0.5 of guessing."""
    if mixed_problems < FEWEST_MIXED:
        return (
            f"Whether GenRM tells right from wrong samples of one problem is open: {mixed_problems or 'no'} "
            f"problem{'s have' if mixed_problems > 1 else ' has'} both, and fewer than {FEWEST_MIXED} allow no claim."
        )
    numbers = f"{auroc.value:.2f} ({confidence_words(confidence)} {auroc.low:.2f} to {auroc.high:.2f})"
    where = f"within-problem AUROC {numbers} over the {mixed_problems} problems that have both"
    if auroc.low > 0.5:
        return f"**GenRM tells right from wrong samples of one problem**: {where}."
    return f"GenRM is not shown to tell right from wrong samples of one problem: {where}."


def paired(value: Metrics) -> Paired:
    """Back from JSON, where undefined is null."""
    p_value = float("nan") if value["p_value"] is None else value["p_value"]
    return Paired(estimate(value["difference"]), p_value, value["wins"], value["losses"], value["ties"])


def points(difference: float) -> str:
    """A difference of shares in percentage points: `+8.1`, `−0.5`, `0.0`."""
    if difference != difference:
        return DASH
    rounded = round(100 * difference, 1)
    return f"{rounded:+.1f}".replace("-", "−") if rounded else "0.0"


def percent(share: Estimate) -> str:
    """`48.2 [44.1, 52.2]`."""
    value, low, high = (DASH if bound != bound else f"{100 * bound:.1f}" for bound in share)
    return DASH if value == DASH else f"{value} [{low}, {high}]"


def p_words(p_value: float) -> str:
    if p_value != p_value:
        return "p undefined"
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.{3 if p_value < 0.1 else 2}f}"


def confidence_words(confidence: float) -> str:
    return f"{100 * confidence:g}% CI"
