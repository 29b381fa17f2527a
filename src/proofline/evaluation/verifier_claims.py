"""What may be said of GenRM as a verifier.

That it tells right from wrong needs two things, both among candidates of one problem and one layout: the AUROC's lower
bound above 0.5, and a difference to every cheap baseline whose interval excludes zero; to one that is not known there
is none. What it gains by choosing is measured in any case; but where those two fail, the sentence says that it may
choose by what is cheap to know. The AUROC within problems whatever the layout is no evidence, and no sentence gives it.

The gains by choosing are several comparisons, and their p-values are adjusted for one another. What tells needs all of
its tests to show an effect; such a claim is at the level of each without adjustment (Berger 1982, intersection-union).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from proofline.evaluation.baselines import CHEAP, VOTE
from proofline.evaluation.claims import confidence_words, effect, is_gain, listed, percent, seen_words
from proofline.evaluation.metrics import Metrics, estimate, paired
from proofline.evaluation.multiplicity import holm
from proofline.evaluation.statistics import NAN, Paired
from proofline.evaluation.study import BASELINE_TITLES, OVERALL, TITLES, Study

FEWEST_MATCHED = 20
"""Clusters of problems with a comparable pair below which they say nothing about the verifier."""
MEASURE = "auroc_within_layout"
FEW_SILENT = 0.05
"""The share of candidates without a verdict up to which the table alone tells of them."""
CAVEAT = "not shown to come of more than a cheap ranking knows"


class Choice(NamedTuple):
    """What GenRM chooses, against another choice among the same samples."""

    subject: str
    other: str
    result: Paired
    caveat: str = ""
    sentence: str = "{}"
    """Holds the effect's."""


def verifier_claims(study: Study) -> list[str]:
    """One sentence a finding."""
    part, confidence = study.verifier[OVERALL], study.confidence
    made = [said for _, said in gains(study.verifier, study.verified_policy)]
    return [*_silence(part), *standing(part, confidence), *_errors(part, confidence), *made]


def _silence(part: Metrics) -> list[str]:
    share = part["without_verdict"]
    if not share > FEW_SILENT:
        return []
    return [
        f"GenRM gives {100 * share:.0f}% of the candidates no verdict: right or wrong, they are refused and rank last."
    ]


def standing(part: Metrics, confidence: float) -> list[str]:
    """Whether it looks at the arithmetic, and how far it stays from the program that does all of it."""
    return [discrimination(part, confidence), *_program(part, confidence)]


def gains(verifier: Metrics, policy: str) -> list[tuple[Paired, str]]:
    """What choosing among a policy's samples gains, over a single one first, and the sentence that says so.

    The p-values are adjusted for one another.
    """
    confidence, made = verifier["confidence"], choices(verifier)
    found = []
    for one, p_value in zip(made, holm([one.result.p_value for one in made]), strict=True):
        result = one.result._replace(p_value=p_value)
        measure = f"accuracy on the samples of {TITLES[policy]}"
        words = effect(one.subject, one.other, measure, result, confidence, one.caveat)
        found.append((result, one.sentence.format(words)))
    return found


def choices(verifier: Metrics) -> list[Choice]:
    """Those of which the report says what they gain."""
    part, samples = verifier[OVERALL], verifier["num_samples"]
    if not part["gains"]:
        return []
    best, caveat = f"best-of-{samples} by GenRM", "" if tells(part, verifier["confidence"]) else CAVEAT
    name = strongest_cheap(part, "best_of", [one for one in CHEAP if one != VOTE])
    over = paired(part["baselines"][name]["genrm_over"]["best_of"])
    made = [
        Choice(best, "a single sample", paired(part["gains"]["best_of_over_one"]), caveat),
        Choice(best, f"majority vote@{samples}", paired(part["gains"]["best_of_over_majority"]), caveat),
        Choice(best, f"best-of-{samples} by {BASELINE_TITLES[name]}", over),
    ]
    if point := compared_at(part["equal_compute"]):
        made.append(_equal_compute(point, caveat))
    return made


def tells(part: Metrics, confidence: float) -> bool:
    """Do the numbers show that it tells right from wrong where the candidates look alike?"""
    beaten = all(_beats(part, name, confidence) for name in CHEAP)
    return part["matched_clusters"] >= FEWEST_MATCHED and estimate(part[MEASURE]).low > 0.5 and beaten


def discrimination(part: Metrics, confidence: float) -> str:
    """Whether GenRM looks at the arithmetic: its AUROC within problems and layouts, against guessing and baselines."""
    number, which = part["matched_problems"], "samples of one problem and one layout"
    if part["matched_clusters"] < FEWEST_MATCHED:
        return (
            f"Whether GenRM tells right from wrong {which} is open: {number or 'no'} "
            f"problem{'s have' if number > 1 else ' has'} both, of {part['matched_clusters']} clusters, and fewer than "
            f"{FEWEST_MATCHED} clusters allow no claim."
        )
    value, low, high = estimate(part[MEASURE])
    where = (
        f"AUROC {value:.2f} ({confidence_words(confidence)} {low:.2f} to {high:.2f}) over the {number} problems that "
        f"have both, against {listed(_reached(name, part) for name in CHEAP)}"
    )
    if tells(part, confidence):
        return f"**GenRM tells right from wrong {which}**: {where}."
    if not low > 0.5:
        return f"GenRM is not shown to tell right from wrong {which}: {where}."
    others = [name for name in CHEAP if not _beats(part, name, confidence)]
    powers = [paired(part["baselines"][name]["genrm_over"][MEASURE]).detectable for name in others]
    least = max((one for one in powers if one == one), default=NAN)
    better = f"better than {listed(BASELINE_TITLES[name] for name in others)}"
    return (
        f"GenRM ranks {which} better than guessing, but is not shown to do so {better}: {where}; "
        f"{seen_words(least, _auroc)}."
    )


def strongest_cheap(part: Metrics, measure: str, among: Iterable[str] = CHEAP) -> str:
    """The cheap baseline that is best in a measure; one that is not known there is weaker than all others."""
    return max(among, key=lambda name: np.nan_to_num(estimate(part["baselines"][name][measure]).value, nan=-np.inf))


def compared_at(points: list[Metrics]) -> Metrics | None:
    """The largest budget at which there are enough samples for the vote; the largest of all where there is none."""
    within = [point for point in points if point["majority_n"] == point["majority_affordable"]]
    return next(reversed(within or points), None)


def _beats(part: Metrics, name: str, confidence: float) -> bool:
    return is_gain(paired(part["baselines"][name]["genrm_over"][MEASURE]), confidence)


def _reached(name: str, part: Metrics) -> str:
    value = estimate(part["baselines"][name][MEASURE]).value
    return f"{f'{value:.2f}' if value == value else 'an unknown one'} by {BASELINE_TITLES[name]}"


def _program(part: Metrics, confidence: float) -> list[str]:
    """How far GenRM stays from the program's check; nothing where too few candidates can be compared."""
    result = paired(part["baselines"]["program"]["genrm_over"][MEASURE])
    over = result.difference
    if part["matched_clusters"] < FEWEST_MATCHED or over.value != over.value:
        return []
    value = estimate(part["baselines"]["program"][MEASURE]).value
    interval = f"({confidence_words(confidence)} {abs(over.high):.2f} to {abs(over.low):.2f})"
    if over.high < 0:
        return [f"GenRM stays {-over.value:.2f} {interval} below the program's check, which reaches {value:.2f} there."]
    power = seen_words(result.detectable, _auroc)
    return [f"The program's check reaches {value:.2f} there; GenRM is not shown to fall short of it; {power}."]


def _auroc(difference: float) -> str:
    return f"{difference:.2f}"


def _errors(part: Metrics, confidence: float) -> list[str]:
    """At P(Yes) above 0.5, of the candidates that show their steps."""
    accepts, rejects = (estimate(part["worked"][name]) for name in ("false_accept_rate", "false_reject_rate"))
    if accepts.value != accepts.value or rejects.value != rejects.value:
        return []
    return [
        f"Of solutions that show their steps GenRM accepts {percent(accepts)}% of the wrong ones and rejects "
        f"{percent(rejects)}% of the right ones (brackets: {confidence_words(confidence)})."
    ]


def _equal_compute(point: Metrics, caveat: str) -> Choice:
    """GenRM's choice against the vote that its tokens buy, or against all samples there are."""
    chains = f"{point['chains']} chain{'s' if point['chains'] > 1 else ''} each"
    subject = f"best-of-{point['n']} by GenRM with {chains} ({point['tokens']:,.0f} tokens a problem)"
    votes, buys = point["majority_n"], point["majority_affordable"]
    sentence = "At equal compute: {}"
    if votes != buys:
        sentence = (
            f"At more compute than the largest vote's: {{}} The same tokens buy {buys:,} samples; there are {votes}."
        )
    return Choice(subject, f"majority vote@{votes}", paired(point["best_of_over_majority"]), caveat, sentence)
