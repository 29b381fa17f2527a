"""The verifier's metrics against brute force, and on verifiers whose worth is known."""

from itertools import product
from math import isnan, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from invented import Invented

from proofline.evaluation.calibration import calibration
from proofline.evaluation.clusters import Clusters
from proofline.evaluation.ranking import auroc, pooled_estimate, within_problem
from proofline.evaluation.tally import EvaluationError
from proofline.records import Verification

THREE = {"tokens_per_chain": (9, 9, 9)}
candidates = st.lists(st.tuples(st.booleans(), st.sampled_from([nan, 0.0, 0.2, 0.2001, 0.9, 1.0])), max_size=12)


def rescored(study: Invented, score) -> list[Verification]:
    return [row.model_copy(update={"p_yes": score(row)}) for row in study.verifications]


def measured(study: Invented, verifications: list[Verification]) -> dict:
    return study.verifier(verifications)


def alone(problems: int) -> Clusters:
    """Each problem its own cluster."""
    return Clusters([f"{number:04}" for number in range(problems)], 0.95, 300, seed=0)


@given(candidates)
def test_auroc_is_the_chance_of_right_above_wrong(rows: list[tuple[bool, float]]) -> None:
    right = [-1 if isnan(score) else score for label, score in rows if label]
    wrong = [-1 if isnan(score) else score for label, score in rows if not label]
    wins = [(a > b) + (a == b) / 2 for a, b in product(right, wrong)]
    labels, scores = np.array([[float(x) for x, _ in rows]]), np.array([[y for _, y in rows]])
    for found in (auroc(labels, scores), within_problem(labels, scores)[0]):
        assert isnan(found) if not wins else found == pytest.approx(np.mean(wins))


def test_pooled_rewards_knowing_the_easy_problems_and_within_does_not() -> None:
    rng = np.random.default_rng(0)
    ease = rng.random((400, 1))
    right = (rng.random((400, 8)) < ease).astype(float)
    scores = np.broadcast_to(ease, right.shape)
    assert pooled_estimate(right, scores, alone(400)).low > 0.7
    assert alone(400).mean(within_problem(right, scores)).value == 0.5


def test_the_pooled_interval_resamples_whole_problems() -> None:
    """Copies of a candidate within its problem add no knowledge: the interval stays as wide."""
    rng = np.random.default_rng(1)
    right = (rng.random((80, 1)) < 0.5).astype(float)
    scores = right + rng.normal(0, 1, right.shape)
    once, copied = (pooled_estimate(right.repeat(n, 1), scores.repeat(n, 1), alone(80)) for n in (1, 6))
    assert copied == pytest.approx(once, abs=1e-9)


def test_a_verifier_that_knows(study: Invented) -> None:
    overall = measured(study, rescored(study, lambda row: float(row.label == "correct")))["overall"]
    assert overall["accuracy"]["value"] == overall["auroc_within"]["value"] == overall["auroc_pooled"]["value"] == 1
    errors = [of[f"false_{one}_rate"] for of in (overall, overall["worked"]) for one in ("accept", "reject")]
    assert all(error["value"] == error["low"] == 0 < error["high"] < 0.1 for error in errors)
    assert overall["calibration"]["brier"] == 0
    for point in overall["best_of_n"]:
        assert point["best_of"]["value"] == pytest.approx(point["oracle"]["value"])
    assert overall["gains"]["best_of_over_one"]["difference"]["low"] > 0


def test_a_verifier_without_verdicts(study: Invented) -> None:
    overall = measured(study, rescored(study, lambda row: nan))["overall"]
    assert overall["without_verdict"] == overall["false_reject_rate"]["value"] == 1
    assert overall["false_accept_rate"]["value"] == 0
    assert overall["auroc_within"]["value"] == 0.5
    assert isnan(overall["calibration"]["ece"])
    assert overall["gains"]["best_of_over_one"]["difference"]["value"] == pytest.approx(0, abs=1e-12)


def test_lost_chains_are_reported(study: Invented) -> None:
    """A third of the chains without a verdict, and every candidate with a score: none of it is silent."""
    rows = [
        row.model_copy(update={"p_yes": 0.6, "p_yes_per_chain": (nan, 0.9, 0.9), **THREE})
        for row in study.verifications
    ]
    overall = measured(study, rows)["overall"]
    assert overall["chains_without_verdict"] == pytest.approx(1 / 3)
    assert overall["without_verdict"] == 0
    clean = [row.model_copy(update={"p_yes_per_chain": (0.9, 0.9, 0.9), **THREE}) for row in study.verifications]
    assert measured(study, clean)["overall"]["chains_without_verdict"] == 0


def test_a_guessing_verifier_gains_nothing(study: Invented) -> None:
    rng = np.random.default_rng(5)
    overall = measured(study, rescored(study, lambda row: float(rng.random())))["overall"]
    gain = overall["gains"]["best_of_over_one"]
    assert gain["difference"]["low"] < 0 < gain["difference"]["high"]
    assert gain["p_value"] > 0.05


def test_a_helpful_verifier(study: Invented) -> None:
    metrics = measured(study, study.verifications)
    overall = metrics["overall"]
    assert (metrics["num_samples"], metrics["num_chains"]) == (8, 4)
    assert overall["auroc_within"]["low"] > 0.7
    at_one, at_all = overall["best_of_n"][0], overall["best_of_n"][-1]
    assert len({at_one[rule]["value"] for rule in ("best_of", "oracle")}) == 1
    assert at_one["best_of"]["value"] < at_all["majority"]["value"] < at_all["weighted"]["value"]
    assert at_all["best_of"]["value"] < at_all["oracle"]["value"]
    assert overall["gains"]["best_of_over_one"]["p_value"] < 0.01
    assert list(metrics["benchmarks"]) == ["synthetic/word", "synthetic/math"]


def test_only_part_of_the_problems_may_be_verified(study: Invented) -> None:
    some = {problem.id for problem in study.problems[:30]}
    part = [row for row in study.verifications if row.problem_id in some]
    assert measured(study, part)["overall"]["problems"] == 30
    with pytest.raises(EvaluationError, match="7 grades where 8 are expected"):
        measured(study, study.verifications[1:])


def test_candidates_with_unequal_chains_are_refused(study: Invented) -> None:
    lost = study.verifications[0].model_copy(update={"p_yes_per_chain": (0.5,), "tokens_per_chain": (9,)})
    with pytest.raises(EvaluationError, match=r"candidates with \[1, 4\] chains"):
        measured(study, [lost, *study.verifications[1:]])


def test_calibration_by_hand() -> None:
    right, p_yes = np.array([[1.0, 0.0, 1.0, 1.0, 0.0]]), np.array([[1.0, 0.92, 0.2, nan, 0.27]])
    found = calibration(right, p_yes, alone(1))
    assert found["brier"] == pytest.approx((0 + 0.92**2 + 0.64 + 0.27**2) / 4)
    assert found["ece"] == pytest.approx((abs(1 - 0.47) + abs(1 - 1.92)) / 4)
    assert (found["bins"][10]["right"], found["bins"][10]["wrong"]) == (1, 1)
    assert found["bins"][2]["predicted"] == pytest.approx(0.235)
    assert isnan(found["bins"][0]["observed"]["value"])
    assert sum(bin["right"] + bin["wrong"] for bin in found["bins"]) == 4


@pytest.mark.parametrize("chains", [2, 3, 4, 5, 8])
def test_scores_that_differ_by_rounding_share_a_bin(chains: int) -> None:
    """Means of sure verdicts, a hair above and below: what is in one bin is no steep line between two."""
    means = np.arange(chains + 1) / chains
    p_yes = np.clip(np.array([means - 1e-7, means + 1e-7]), 0, 1)
    right = np.broadcast_to(np.array([[0.0], [1.0]]), p_yes.shape)
    filled = [one for one in calibration(right, p_yes, alone(2))["bins"] if one["right"] + one["wrong"]]
    assert [one["predicted"] for one in filled] == pytest.approx(list(means), abs=1e-6)
    assert all(one["observed"]["value"] == 0.5 for one in filled)
    assert all(0 <= one["observed"]["low"] < 0.5 < one["observed"]["high"] <= 1 for one in filled)
