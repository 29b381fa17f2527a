"""A policy's metrics, recounted by hand on a small case and against plain numpy on an invented one."""

import json

import numpy as np
import pytest
from invented import Invented, evaluation_section, graded, problem

from proofline.evaluation.metrics import estimate, evaluate_policy, scalars
from proofline.evaluation.tally import EvaluationError, in_order, tally


def small_case() -> tuple:
    problems = [problem(0, "synthetic", "word"), problem(1, "math", "math")]
    greedy = [graded(problems[0], "sft", -1, "1"), graded(problems[1], "sft", -1, None)]
    samples = [graded(problems[0], "sft", i, a) for i, a in enumerate(["1", "2", "2", None])]
    samples += [graded(problems[1], "sft", i, a) for i, a in enumerate(["1", "1", "3", "4"])]
    # Grades come in any order.
    return (
        problems,
        [s for s, _ in greedy],
        [g for _, g in reversed(greedy)],
        [s for s, _ in samples],
        [g for _, g in reversed(samples)],
        evaluation_section(4),
    )


def test_by_hand() -> None:
    metrics = evaluate_policy(*small_case(), seed=0)
    overall = metrics["overall"]
    assert (metrics["policy"], metrics["weights"], metrics["num_samples"]) == ("sft", "sft0000000000000", 4)
    assert (overall["problems"], overall["greedy_right"], overall["greedy_unparsed"]) == (2, 1, 0.5)
    assert overall["greedy_accuracy"]["value"] == 0.5
    assert overall["sampled_accuracy"]["value"] == pytest.approx((1 / 4 + 2 / 4) / 2)
    assert overall["sampled_unparsed"] == 1 / 8
    assert [overall["pass_at_k"][k]["value"] for k in "124"] == pytest.approx([3 / 8, (3 / 6 + 5 / 6) / 2, 1.0])
    assert overall["majority_at_k"]["4"]["value"] == 0.5  # two 2s outvote one 1; two 1s win
    assert metrics["cut_off"] == {"greedy": 0.5, "sampled": 1 / 8}
    assert list(metrics["benchmarks"]) == ["synthetic/word", "math/math"]
    assert metrics["benchmarks"]["math/math"]["majority_at_k"]["4"]["value"] == 1.0


def test_against_numpy(study: Invented) -> None:
    metrics = evaluate_policy(
        study.problems, study.greedy["dpo"], study.greedy_grades["dpo"], study.samples["dpo"],
        study.sample_grades["dpo"], study.section, seed=0,
    )  # fmt: skip
    overall = metrics["overall"]
    right = np.array([grade.verdict == "correct" for grade in study.sample_grades["dpo"]])
    assert overall["sampled_accuracy"]["value"] == pytest.approx(right.mean())
    assert overall["pass_at_k"]["8"]["value"] == pytest.approx(right.reshape(-1, 8).any(axis=1).mean())
    assert overall["majority_at_k"]["1"]["value"] == pytest.approx(right.mean())
    for part in [overall, *metrics["benchmarks"].values()]:
        value, low, high = estimate(part["sampled_accuracy"])
        assert low < value < high
    curve = [overall["pass_at_k"][k]["value"] for k in ("1", "2", "4", "8")]
    assert curve == sorted(curve)
    assert sum(part["problems"] for part in metrics["benchmarks"].values()) == len(study.problems)


def test_the_same_twice() -> None:
    first, second = (json.dumps(evaluate_policy(*small_case(), seed=3)) for _ in range(2))
    assert first == second


def test_scalars_are_what_a_run_can_log() -> None:
    flat = scalars(evaluate_policy(*small_case(), seed=0))
    assert flat["overall.greedy_accuracy"] == 0.5
    assert flat["overall.pass_at_k.4"] == 1.0
    assert flat["overall.greedy_accuracy.low"] < 0.5
    assert all(isinstance(value, float) and np.isfinite(value) for value in flat.values())


def test_what_does_not_fit_is_refused() -> None:
    problems, greedy, greedy_grades, samples, sample_grades, section = small_case()
    with pytest.raises(EvaluationError, match="3 grades where 4 are expected"):
        evaluate_policy(problems, greedy, greedy_grades, samples, sample_grades[1:], section, 0)
    with pytest.raises(EvaluationError, match="1 graded problems are not evaluated ones"):
        tally(problems[:1], greedy_grades, 1)
    with pytest.raises(EvaluationError, match=rf"grades of {problems[0].id} do not lie together"):
        tally(problems, [*sample_grades[4:6], *sample_grades[:4], *sample_grades[6:]])
    other = graded(problems[0], "dpo", 9, "1")[0]
    with pytest.raises(EvaluationError, match="one set of weights"):
        evaluate_policy(problems, [*greedy, other], greedy_grades, samples, sample_grades, section, 0)


def test_benchmarks_stand_in_a_fixed_order() -> None:
    assert in_order(["math/math", "zz/x", "gsm8k/word", "math/math", "synthetic/math"]) == [
        "synthetic/math", "gsm8k/word", "math/math", "zz/x",
    ]  # fmt: skip
