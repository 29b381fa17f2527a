"""What the report says about who judged: nothing more than a name where that is the reference answer."""

from __future__ import annotations

from proofline.evaluation.claims import percent
from proofline.evaluation.judge import JUDGE
from proofline.evaluation.markdown import score, share, table
from proofline.evaluation.metrics import Metrics, estimate
from proofline.evaluation.study import OVERALL, TITLES, Study

MEANING = (
    "Length-controlled: at equal lengths (Dubois et al. 2024). Flips: problems whose two orders have different "
    "verdicts; they are ties. Position bias: how much more often the solution shown first wins, −1 to 1. Agreement: "
    "with the reference answer, on solutions that differ."
)


def judge_words(study: Study) -> str:
    """Who judged."""
    names = {rates["judge"] for rates in study.win_rates.values()} or {JUDGE}
    return "the reference answer" if names == {JUDGE} else " and ".join(sorted(names))


def judge_section(study: Study) -> list[str]:
    """How far the judge can be believed, policy by policy; empty where it was the reference answer."""
    judged = {name: rates["judging"] for name, rates in study.win_rates.items() if "judging" in rates}
    if not judged:
        return []
    header = ["judge, %", "win rate", "length-controlled", "flips", "position bias", "agreement", "without verdict"]
    rows = [
        [TITLES[name], percent(estimate(study.win_rates[name][OVERALL]["win_rate"])), *_cells(judging)]
        for name, judging in judged.items()
    ]
    return ["## The judge", f"Win rates are by {judge_words(study)}.", table(header, rows), MEANING]


def _cells(judging: Metrics) -> list[str]:
    total = judging["judged"] + judging["identical"]
    flips, bias = judging.get("flip_rate"), judging.get("position_bias")
    return [
        percent(estimate(judging["length_controlled"])),
        percent(estimate(flips)) if flips else share(None),
        score(bias, "+") if bias else share(None),
        percent(estimate(judging["agreement"])),
        share(judging["without_verdict"] / total),
    ]
