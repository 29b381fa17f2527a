"""Pairwise verdicts and the win rates made of them."""

import pytest
from invented import Invented, evaluation_section, graded, problem

from proofline.evaluation.clusters import Clusters
from proofline.evaluation.judge import judge, win_rates
from proofline.evaluation.tally import EvaluationError


def test_the_right_one_wins_and_equals_tie() -> None:
    problems = [problem(i, "gsm8k", "word") for i in range(5)]
    ours = [graded(p, "sft", -1, a)[1] for p, a in zip(problems, ["1", "1", None, "2", None], strict=True)]
    theirs = [graded(p, "base", -1, a)[1] for p, a in zip(problems, ["1", "2", "1", None, None], strict=True)]
    rows = judge(problems, "sft", "base", ours, theirs[::-1])
    assert [row.winner for row in rows] == ["tie", "policy", "opponent", "tie", "tie"]
    assert rows[2].reason == "sft unparsed, base correct"
    assert {(row.policy, row.opponent, row.judge) for row in rows} == {("sft", "base", "ground_truth")}
    rates = win_rates(problems, rows, evaluation_section(1), seed=0)["benchmarks"]["gsm8k/word"]
    assert (rates["wins"], rates["losses"], rates["ties"]) == (1, 1, 3)
    assert rates["win_rate"]["value"] == 0.5


def test_the_win_rate_is_the_paired_difference_in_another_unit(study: Invented) -> None:
    grades = study.greedy_grades
    rows = judge(study.problems, "sft", "base", grades["sft"], grades["base"])
    rates = win_rates(study.problems, rows, study.section, seed=0)
    right = {name: [grade.verdict == "correct" for grade in grades[name]] for name in ("sft", "base")}
    paired = Clusters.of(study.problems, study.section, seed=0).compare(right["sft"], right["base"])
    assert rates["overall"]["p_value"] == paired.p_value
    for bound, difference in zip(rates["overall"]["win_rate"].values(), paired.difference, strict=True):
        assert bound == pytest.approx((1 + difference) / 2)
    assert list(rates["benchmarks"]) == ["synthetic/word", "synthetic/math"]
    assert sum(part["ties"] for part in rates["benchmarks"].values()) == rates["overall"]["ties"]


def test_every_problem_needs_both() -> None:
    problems = [problem(0, "gsm8k", "word")]
    grade = graded(problems[0], "sft", -1, "1")[1]
    with pytest.raises(EvaluationError, match="no graded greedy solution by both sft and base"):
        judge(problems, "sft", "base", [grade], [])
    with pytest.raises(EvaluationError, match="2 grades of 1 problems"):
        judge(problems, "sft", "base", [grade, grade], [grade])
