"""What speaks for making a policy champion: the findings of the report that the registry's gate asks for.

In: the report's comparison of a policy with base, or what `verify` wrote of genrm. Out: `Evidence`, in the report's own
sentences; the model card and the gate show the same. Nothing is measured here, so the intervals are the report's: over
clusters of related problems.
"""

from __future__ import annotations

from typing import NamedTuple

from proofline.evaluation.baselines import CHEAP
from proofline.evaluation.claims import MEASURES, effect, is_gain, listed
from proofline.evaluation.metrics import Metrics
from proofline.evaluation.statistics import Paired
from proofline.evaluation.study import BASELINE_TITLES, OVERALL, TITLES, Study
from proofline.evaluation.verifier_claims import gains, standing, tells

SOLVES = "it has to beat base in greedy accuracy"
VERIFIES = (
    "it has to tell right from wrong samples of one problem and one layout, by an AUROC whose lower bound is above 0.5 "
    f"and which is shown to be above those by {listed(BASELINE_TITLES[name] for name in CHEAP)}; and best-of-N by it "
    "has to beat a single sample"
)


class Evidence(NamedTuple):
    """What the gate asks for, what the report says of that, and whether it is shown."""

    asked: str
    said: str
    shown: bool


def evidence(policy: str, study: Study) -> Evidence:
    """Of a trained policy."""
    if policy == "genrm":
        return as_verifier(study.verifier, study.verified_policy)
    return as_policy(policy, study.over_base[policy], study.confidence)


def as_policy(policy: str, over_base: Paired, confidence: float) -> Evidence:
    said = effect(TITLES[policy], TITLES["base"], MEASURES["greedy"], over_base, confidence)
    return Evidence(SOLVES, _plain(said), is_gain(over_base, confidence))


def as_verifier(verifier: Metrics, verified_policy: str) -> Evidence:
    part, confidence = verifier[OVERALL], verifier["confidence"]
    said, chooses = standing(part, confidence), False
    for result, sentence in gains(verifier, verified_policy)[:1]:
        said.append(sentence)
        chooses = is_gain(result, confidence)
    return Evidence(VERIFIES, _plain(" ".join(said)), tells(part, confidence) and chooses)


def _plain(sentence: str) -> str:
    """Without Markdown's bold: it is read in a terminal, too."""
    return sentence.replace("**", "")
