"""What the numbers allow to be said, in words.

An effect is named only where its interval excludes zero and its p-value, adjusted for the comparisons made beside it,
is below 1 - confidence. Otherwise the sentence says that no difference is shown, which loss the interval excludes, and
which difference the test would have shown (`power`). What is said of the verifier is in `verifier_claims`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from proofline.config.schema import POLICIES
from proofline.evaluation.power import POWER
from proofline.evaluation.statistics import Estimate, Paired
from proofline.evaluation.study import KINDS, TITLES, Study

DASH = "—"
"""Stands for what is undefined."""

MEASURES = dict(zip(KINDS, ("greedy accuracy", "accuracy of single samples"), strict=True))


def training_claims(study: Study) -> list[str]:
    """One sentence for each stage of training and measure."""
    sentences = []
    for change in study.changes:
        names = TITLES[change.policy], TITLES[change.before]
        for kind, measure in MEASURES.items():
            sentences.append(effect(*names, measure, change.claim(kind), study.confidence))
    sentences += [attribution(study, kind) for kind in MEASURES]
    sentences.append(way_of_writing(study))
    return sentences


def effect(subject: str, other: str, measure: str, result: Paired, confidence: float, caveat: str = "") -> str:
    """`**+SFT beats base** in greedy accuracy: +8.1 points (95% CI +4.2 to +12.0, p < 0.001).`

    With a `caveat`, which says what the effect does not show, it is no headline: it is not in bold.
    """
    value, low, high = result.difference
    interval = f"{confidence_words(confidence)} {points(low)} to {points(high)}"
    numbers = f"{points(value)} points ({interval}, {p_words(result.p_value)})"
    if is_shown(result, confidence):
        words = f"{subject} {'beats' if value > 0 else 'loses to'} {other}"
        if caveat and value > 0:
            return f"{words} in {measure}: {numbers}; {caveat}."
        return f"**{words}** in {measure}: {numbers}."
    bound = f"; a loss of more than {abs(100 * low):.1f} points is excluded" if low < 0 else ""
    power = seen_words(result.detectable, _points)
    return f"No difference shown between {subject} and {other} in {measure}: {numbers}{bound}; {power}."


def seen_words(detectable: float, unit: Callable[[float], str]) -> str:
    """What the test would have shown, beside what it does not show."""
    if detectable != detectable:
        return "too few clusters to show any"
    return f"one of {unit(detectable)} would have been shown with {100 * POWER:.0f}% power"


def way_of_writing(study: Study) -> str:
    """What a change of style alone would explain, beside every gain: how many show their steps, and are right if so."""

    def of_each(part: str) -> str:
        shares = {name: getattr(study.steps[name], part).value for name in POLICIES}
        return ", ".join(f"{TITLES[name]} {DASH if x != x else f'{100 * x:.0f}%'}" for name, x in shares.items())

    shown, right = of_each("shown"), of_each("right_shown")
    return f"Greedy solutions show their steps: {shown}. Right among those that do: {right}."


def attribution(study: Study, kind: str) -> str:
    """`The GenRM stage's +4.4 points in … are **+3.1 by its right solutions alone** (…) and +1.3 by its traces … .`"""
    whole, solutions, traces = (change.claim(kind) for change in (study.changes[-1], *study.parts))
    alone = _share(solutions, "its right solutions alone", study.confidence)
    beside = _share(traces, "its traces beside them", study.confidence)
    return f"The GenRM stage's {points(whole.difference.value)} points in {MEASURES[kind]} are {alone} and {beside}."


def _share(result: Paired, cause: str, confidence: float) -> str:
    value, low, high = result.difference
    words = f"{points(value)} by {cause}"
    numbers = f"{confidence_words(confidence)} {points(low)} to {points(high)}, {p_words(result.p_value)}"
    if is_shown(result, confidence):
        return f"**{words}** ({numbers})"
    return f"{words} ({numbers}; not shown; {seen_words(result.detectable, _points)})"


def _points(share: float) -> str:
    return f"{100 * share:.1f} points"


def is_shown(result: Paired, confidence: float) -> bool:
    """Is there an effect, either way? Undefined bounds show nothing."""
    _, low, high = result.difference
    return (low > 0 or high < 0) and result.p_value < 1 - confidence


def is_gain(result: Paired, confidence: float) -> bool:
    """Is it shown that the first is better?"""
    return is_shown(result, confidence) and result.difference.value > 0


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


def listed(words: Iterable[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    *others, last = words
    return f"{', '.join(others)} and {last}" if others else last


def confidence_words(confidence: float) -> str:
    return f"{100 * confidence:g}% CI"
