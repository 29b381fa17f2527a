"""What is said of GenRM holds where candidates look alike, or the sentence shrinks to what does."""

from __future__ import annotations

import copy
from dataclasses import replace
from math import nan
from typing import Any

import pytest
from invented import Invented, composed, invent, layout_reader

from proofline.evaluation.results import results_markdown
from proofline.evaluation.study import OVERALL
from proofline.evaluation.verifier_claims import (
    CAVEAT,
    choices,
    discrimination,
    strongest_cheap,
    tells,
    verifier_claims,
)


def interval(value: float, half: float = 0.05) -> dict[str, float]:
    return {"value": value, "low": value - half, "high": value + half}


def over(value: float, half: float = 0.05) -> dict[str, Any]:
    shown = abs(value) > half
    p_value, counts = 0.001 if shown else 0.4, dict.fromkeys(("wins", "losses", "ties"), 9)
    return {"difference": interval(value, half), "p_value": p_value, **counts, "detectable": 0.08}


def part(matched: float, length: float, number: int = 170, **others: float) -> dict[str, Any]:
    """A verifier's metrics: AUROC within layout, of it, of length alone, and of other baselines."""
    known = dict.fromkeys(("logprob", "logprob_per_token", "agreement"), 0.55)
    of = {"layout": 0.5, "length": length, **known, **others, "program": 0.95}
    baselines = {
        name: {"auroc_within_layout": interval(one), "genrm_over": {"auroc_within_layout": over(matched - one)}}
        for name, one in of.items()
    }
    counts = {"matched_problems": number, "matched_clusters": min(number, 90)}
    return {**counts, "auroc_within_layout": interval(matched), "baselines": baselines}


def test_it_tells_where_bound_and_baselines_say_so() -> None:
    words = discrimination(part(0.78, 0.52), 0.95)
    assert words == (
        "**GenRM tells right from wrong samples of one problem and one layout**: AUROC 0.78 (95% CI 0.73 to 0.83) over "
        "the 170 problems that have both, against 0.50 by layout alone, 0.52 by length alone, 0.55 by the sampler's "
        "log-probability, 0.55 by the sampler's log-probability per token and 0.55 by agreement of the samples."
    )
    assert tells(part(0.78, 0.52), 0.95)


@pytest.mark.parametrize(
    ("metrics", "beginning"),
    [
        (part(0.52, 0.5), "GenRM is not shown to tell right from wrong samples of one problem and one layout: AUROC"),
        (part(0.45, 0.3), "GenRM is not shown to tell"),
        (part(0.62, 0.6), "GenRM ranks samples of one problem and one layout better than guessing, but is not shown to "
                          "do so better than length alone: AUROC 0.62"),
        (part(0.62, 0.5, agreement=0.6), "GenRM ranks samples of one problem and one layout better than guessing, but "
                                         "is not shown to do so better than agreement of the samples: AUROC 0.62"),
        (part(0.8, 0.5, logprob=nan), "GenRM ranks samples of one problem and one layout better than guessing, but is "
                                      "not shown to do so better than the sampler's log-probability: AUROC 0.80"),
        (part(0.62, 0.9), "GenRM ranks samples of one problem and one layout better than guessing, but is not shown"),
        (part(0.9, 0.5, number=19), "Whether GenRM tells right from wrong samples of one problem and one layout is"),
        (part(float("nan"), 0.5), "GenRM is not shown to tell"),
    ],
)  # fmt: skip
def test_it_shrinks_where_one_of_them_does_not(metrics: dict[str, Any], beginning: str) -> None:
    words = discrimination(metrics, 0.95)
    assert words.startswith(beginning)
    assert "**" not in words
    assert not tells(metrics, 0.95)


def test_a_verifier_that_looks_is_said_to(study: Invented) -> None:
    words = verifier_claims(composed(study))
    assert words[0].startswith("**GenRM tells right from wrong samples of one problem and one layout**")
    assert words[1].startswith("GenRM stays 0.") or "not shown to fall short" in words[1]
    assert any(line.startswith("**best-of-8 by GenRM beats a single sample**") for line in words)
    assert any("beats best-of-8 by layout alone" in line or "by length alone" in line for line in words)
    assert not any("best-of-8 by agreement" in line for line in words), "that is the majority vote"
    assert words[-1].startswith("At equal compute: ")
    assert not any(CAVEAT in line for line in words)


def test_a_verifier_without_verdicts_is_told_before_its_errors(study: Invented) -> None:
    """Else it would be said to refuse all that is wrong."""
    composed_study = composed(study)
    verifier = copy.deepcopy(composed_study.verifier)
    verifier[OVERALL]["without_verdict"] = 1.0
    first, *_ = verifier_claims(replace(composed_study, verifier=verifier))
    assert first.startswith("GenRM gives 100% of the candidates no verdict")
    assert "no verdict" not in " ".join(verifier_claims(composed_study))


def test_a_verifier_that_reads_layouts_keeps_its_gain_and_loses_its_claim(study: Invented) -> None:
    read = composed(layout_reader(study))
    overall = read.verifier[OVERALL]
    assert overall["auroc_within"]["low"] > 0.55
    words = verifier_claims(read)
    assert words[0].startswith("GenRM is not shown to tell right from wrong samples of one problem and one layout")
    (gain,) = [line for line in words if line.startswith("best-of-8 by GenRM beats a single sample")]
    assert gain.endswith(f"; {CAVEAT}.")
    name = {"layout": "layout alone", "length": "length alone"}[
        strongest_cheap(overall, "best_of", ["layout", "length"])
    ]
    assert any(
        line.startswith(f"No difference shown between best-of-8 by GenRM and best-of-8 by {name}") for line in words
    )
    text = results_markdown(read)
    claimed = text.split("## Policies")[0]
    assert "**GenRM" not in claimed
    assert f"{overall['auroc_within']['value']:.2f}" not in words[0], "no evidence of what it is said to tell"


def test_what_is_not_shown_says_what_would_have_been() -> None:
    words = discrimination(part(0.62, 0.6), 0.95)
    assert words.endswith("agreement of the samples; one of 0.08 would have been shown with 80% power.")


def test_many_problems_of_few_clusters_allow_no_claim() -> None:
    few = part(0.9, 0.5) | {"matched_clusters": 19}
    assert "170 problems have both, of 19 clusters" in discrimination(few, 0.95)
    assert not tells(few, 0.95)


def test_the_gains_by_choosing_are_adjusted_for_each_other(study: Invented) -> None:
    """Of p-values of 0.03 alone none is shown among several."""
    made = composed(study)
    assert len(choices(made.verifier)) == 4
    shown = sum("**best-of" in line for line in verifier_claims(made))
    assert shown >= 1
    part = made.verifier[OVERALL]
    for gain in (*part["gains"].values(), *(point["best_of_over_majority"] for point in part["equal_compute"])):
        gain["p_value"] = 0.03
    for baseline in part["baselines"].values():
        baseline["genrm_over"]["best_of"]["p_value"] = 0.03
    words = verifier_claims(made)
    assert not any("**best-of" in line for line in words)
    assert sum("No difference shown" in line and "p = 0.12)" in line for line in words) == 4


def test_a_vote_that_cannot_be_bought_is_said() -> None:
    study = invent(60)
    rows = [row.model_copy(update={"tokens_per_chain": (4000,) * 4}) for row in study.verifications]
    words = verifier_claims(composed(replace(study, verifications=rows)))[-1]
    assert words.startswith("At more compute than the largest vote's: ")
    assert "best-of-8 by GenRM with 4 chains each (128,320 tokens a problem)" in words
    assert words.endswith("The same tokens buy 3,208 samples; there are 8.")
