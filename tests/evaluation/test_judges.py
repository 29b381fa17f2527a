"""How far a judge can be believed: flip rate, position bias, agreement, length control."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from invented import composed, evaluation_section, invent, problem

from proofline.evaluation.clusters import Clusters
from proofline.evaluation.judge import win_rates
from proofline.evaluation.judge_tables import judge_section
from proofline.evaluation.judges import judge_metrics
from proofline.evaluation.length_control import length_controlled
from proofline.evaluation.results import results_markdown
from proofline.records import Judgement, Side

SECTION = evaluation_section(1)
PROBLEMS = [problem(i, "gsm8k", "word") for i in range(200)]
EQUAL = {one.id: (10, 10) for one in PROBLEMS}


def row(index: int, winner: Side | None, by_order: tuple[Side | None, ...] = ()) -> Judgement:
    return Judgement(
        problem_id=PROBLEMS[index].id, policy="sft", opponent="base", winner=winner, reason="", judge="m",
        by_order=by_order, tokens=(3, 4) if by_order else (),
    )  # fmt: skip


def test_without_a_verdict_is_no_tie_and_bounds_say_what_it_could_be() -> None:
    rows = [row(0, "policy"), row(1, "opponent"), row(2, "policy"), row(3, None, (None, "policy"))]
    rates = win_rates(PROBLEMS, rows, SECTION, 0)["overall"]
    assert (rates["wins"], rates["losses"], rates["ties"]) == (2, 1, 0)
    assert rates["win_rate"]["value"] == pytest.approx(2 / 3)
    found = judge_metrics(PROBLEMS, rows, rows, EQUAL, SECTION, 0)
    assert found["without_verdict"] == 1
    assert found["win_rate_bounds"] == {"low": 0.5, "high": 0.75}
    nobody = win_rates(PROBLEMS, [row(3, None)], SECTION, 0)
    assert math.isnan(nobody["overall"]["win_rate"]["value"])
    assert math.isnan(judge_metrics(PROBLEMS, [row(3, None)], [row(3, "tie")], EQUAL, SECTION, 0)["length_effect"])


def test_identical_solutions_are_half_a_win_each() -> None:
    rows = [row(i, "tie") for i in range(10)]
    rates = win_rates(PROBLEMS, rows, SECTION, 0)["overall"]
    assert rates["win_rate"]["value"] == 0.5
    found = judge_metrics(PROBLEMS, rows, rows, EQUAL, SECTION, 0)
    assert (found["identical"], found["agreement"]["problems"]) == (10, 0), "they say nothing about the judge"
    assert found["length_controlled"]["value"] == pytest.approx(0.5)
    assert "flip_rate" not in found


def test_a_judge_that_looks_at_the_order_alone() -> None:
    rows = [row(i, "tie", ("policy", "opponent")) for i in range(20)]
    found = judge_metrics(PROBLEMS, rows, rows, EQUAL, SECTION, 0)
    assert (found["flip_rate"]["value"], found["position_bias"]["value"]) == (1.0, 1.0)
    rows = [row(i, "tie", ("opponent", "policy")) for i in range(20)]
    assert judge_metrics(PROBLEMS, rows, rows, EQUAL, SECTION, 0)["position_bias"]["value"] == -1.0
    rows = [
        row(i, "policy" if i % 2 else "opponent", ("policy",) * 2 if i % 2 else ("opponent",) * 2) for i in range(20)
    ]
    found = judge_metrics(PROBLEMS, rows, rows, EQUAL, SECTION, 0)
    assert (found["flip_rate"]["value"], found["position_bias"]["value"]) == (0.0, 0.0)
    half = [row(0, "tie", ("policy", "tie")), row(1, None, (None, "policy"))]
    found = judge_metrics(PROBLEMS, half, half, EQUAL, SECTION, 0)
    assert (found["flip_rate"]["value"], found["position_bias"]["value"]) == (1.0, 0.5)
    assert found["tokens"] == 14


def test_agreement_is_with_the_reference_answer() -> None:
    both: tuple[Side, Side] = ("policy", "policy")
    rows = [row(i, "policy", both) for i in range(10)]
    truth = [row(i, "policy" if i < 6 else "opponent" if i < 8 else "tie") for i in range(10)]
    found = judge_metrics(PROBLEMS, rows, truth, EQUAL, SECTION, 0)
    assert (found["agreement"]["value"], found["agreement"]["problems"]) == (0.6, 10)
    assert found["agreement"]["low"] < 0.6 < found["agreement"]["high"]
    assert (found["agreement_where_one_is_right"]["value"], found["agreement_where_one_is_right"]["problems"]) == (
        0.75,
        8,
    )


def test_length_control_takes_out_a_taste_for_length() -> None:
    """Both sides are equally good; the judge prefers the longer one, and ours is the longer one more often."""
    rng = np.random.default_rng(0)
    difference = rng.normal(60, 100, 4000)
    tasted = 1 / (1 + np.exp(-2 * np.tanh(difference / difference.std())))
    wins = (rng.random(4000) < tasted).astype(float)
    clusters = Clusters([str(i) for i in range(4000)], 0.95, 200, 0)
    rate, effect = length_controlled(wins, difference, clusters)
    assert wins.mean() > 0.6
    assert rate.low < 0.5 < rate.high
    assert rate.value == pytest.approx(0.5, abs=0.03)
    assert effect == pytest.approx(2.0, abs=0.2)


def test_length_control_without_an_effect_of_length_is_the_win_rate() -> None:
    rng = np.random.default_rng(1)
    wins, difference = rng.choice([0.0, 0.5, 1.0], 600, p=(0.2, 0.2, 0.6)), rng.normal(0, 50, 600)
    clusters = Clusters([str(i // 3) for i in range(600)], 0.95, 200, 0)
    rate, effect = length_controlled(wins, difference, clusters)
    assert rate.value == pytest.approx(wins.mean(), abs=0.01)
    assert abs(effect) < 0.4
    same, _ = length_controlled(wins, difference * 7, clusters)
    assert same == pytest.approx(rate), "in any unit"


@pytest.mark.parametrize("wins", [[1.0] * 30, [0.0] * 30, [1.0], [1.0] * 15 + [0.0] * 15])
def test_length_control_is_finite_where_all_wins_go_one_way(wins: list[float]) -> None:
    difference = np.array([100.0 if win else -100.0 for win in wins])
    rate, effect = length_controlled(
        np.array(wins), difference, Clusters([str(i) for i in range(len(wins))], 0.95, 100, 0)
    )
    assert 0.0 < rate.value < 1.0
    assert math.isfinite(effect)


def test_length_control_agrees_with_a_published_solver() -> None:
    """The penalised maximum, by another implementation (scikit-learn has no penalty per coefficient: BFGS)."""
    from scipy.optimize import minimize

    rng = np.random.default_rng(2)
    wins, difference = rng.choice([0.0, 0.5, 1.0], 80), rng.normal(10, 30, 80)
    x = np.tanh(difference / difference.std())

    def loss(found: np.ndarray) -> float:
        logits = found[0] + found[1] * x
        return float(np.sum(np.logaddexp(0, logits) - wins * logits) + 0.005 * found[0] ** 2 + 0.5 * found[1] ** 2)

    best = minimize(loss, np.zeros(2), tol=1e-12).x
    rate, effect = length_controlled(wins, difference, Clusters([str(i) for i in range(80)], 0.95, 100, 0))
    assert rate.value == pytest.approx(1 / (1 + np.exp(-best[0])), abs=1e-5)
    assert effect == pytest.approx(best[1], abs=1e-4)


def test_the_report_says_who_judged_and_how_well() -> None:
    study = composed(invent())
    assert judge_section(study) == []
    assert "judged by the reference answer." in results_markdown(study)
    judging = judge_metrics(
        PROBLEMS, [row(i, "tie", ("policy", "opponent")) for i in range(9)] + [row(9, None, (None, None))],
        [row(i, "tie") for i in range(10)], EQUAL, SECTION, 0,
    )  # fmt: skip
    rates = {name: {**rates, "judge": "some/judge", "judging": judging} for name, rates in study.win_rates.items()}
    text = results_markdown(replace(study, win_rates=rates))
    assert "judged by some/judge." in text
    line = next(line for line in text.partition("## The judge")[2].splitlines() if line.startswith("| +SFT |"))
    assert line.endswith("| 10.0 |"), "without a verdict"
    assert "| 100.0 [" in line, "flips and agreement"
    # A judge that sees one solution at a time has neither flips nor a bias.
    del judging["flip_rate"], judging["position_bias"]
    assert "| — | — |" in results_markdown(replace(study, win_rates=rates)).partition("## The judge")[2]
