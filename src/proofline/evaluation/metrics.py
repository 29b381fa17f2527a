"""Accuracy of one policy: greedy, sampled, pass@k, maj@k, and the share of solutions without a readable answer.

In: test problems, one greedy and `section.num_samples` sampled solutions each, and their grades.
Out: a JSON-able dictionary, overall and per benchmark; an interval is `{"value", "low", "high"}`, shares in [0, 1].
Overall pools all problems, so a large benchmark weighs more than a small one.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from proofline.config.schema import Evaluation
from proofline.evaluation.clusters import Clusters
from proofline.evaluation.selection import Ints, ladder, pass_at_k, vote_at_k
from proofline.evaluation.statistics import Estimate, Paired
from proofline.evaluation.tally import EvaluationError, tally
from proofline.records import Grade, Problem, Solution

Metrics = dict[str, Any]


def evaluate_policy(
    problems: Sequence[Problem],
    greedy: Iterable[Solution],
    greedy_grades: Sequence[Grade],
    samples: Iterable[Solution],
    sample_grades: Sequence[Grade],
    section: Evaluation,
    seed: int,
) -> Metrics:
    """All metrics of one policy. `seed` decides the bootstrap's draws alone."""
    drawn = {"greedy": _drawn(greedy), "sampled": _drawn(samples)}
    policy, weights = _author(*drawn.values())
    first, many = tally(problems, greedy_grades, 1), tally(problems, sample_grades, section.num_samples)
    clusters = Clusters.of(problems, section, seed)

    def measure(rows: Ints) -> Metrics:
        right, answers, ours = first.right[rows, 0], many.answers[rows], clusters[rows]

        def mean(shares: Sequence[float]) -> Metrics:
            return ours.mean(np.array(shares, float))._asdict()

        def curve(value: Callable[[Ints, int], float]) -> Metrics:
            return {str(k): mean([value(row, k) for row in answers]) for k in ladder(section.num_samples)}

        return {
            "problems": len(rows),
            "clusters": ours.count,
            "greedy_right": int(right.sum()),
            "greedy_accuracy": ours.mean(right)._asdict(),
            "greedy_unparsed": _mean(first.unread[rows]),
            "sampled_accuracy": mean(list(many.right[rows].mean(axis=1))),
            "sampled_unparsed": _mean(many.unread[rows]),
            "pass_at_k": curve(pass_at_k),
            "majority_at_k": curve(vote_at_k),
        }

    return {
        "policy": policy,
        "weights": weights,
        "num_samples": section.num_samples,
        "confidence": section.confidence,
        "cut_off": {how: rows.cut_off for how, rows in drawn.items()},
        "mean_tokens": {how: rows.mean_tokens for how, rows in drawn.items()},
        "graders": {"greedy": _graders(greedy_grades), "sampled": _graders(sample_grades)},
        "overall": measure(np.arange(len(problems))),
        "benchmarks": {name: measure(rows) for name, rows in first.parts().items()},
    }


def estimate(value: Metrics) -> Estimate:
    """Back from JSON, where an undefined bound is null."""
    bounds = (value["value"], value["low"], value["high"])
    return Estimate(*(float("nan") if bound is None else float(bound) for bound in bounds))


def paired_json(result: Paired) -> Metrics:
    """A paired comparison as JSON holds it."""
    return {**result._asdict(), "difference": result.difference._asdict()}


def paired(value: Metrics) -> Paired:
    """Back from JSON, where undefined is null."""
    p_value, detectable = (float("nan") if value[name] is None else value[name] for name in ("p_value", "detectable"))
    return Paired(estimate(value["difference"]), p_value, value["wins"], value["losses"], value["ties"], detectable)


def scalars(metrics: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """The defined numbers under dotted names, as a run logs them: `overall.greedy_accuracy`, with `.low`, `.high`."""
    flat: dict[str, float] = {}
    for name, value in metrics.items():
        dotted = prefix.removesuffix(".") if name == "value" else prefix + name
        if isinstance(value, Mapping):
            flat |= scalars(value, f"{dotted}.")
        elif isinstance(value, int | float) and not math.isnan(value):
            flat[dotted] = float(value)
    return flat


class _Drawn(NamedTuple):
    """What is said of solutions beside their grades."""

    authors: set[tuple[str, str]]
    """Policy and weights."""
    cut_off: float
    mean_tokens: float


def _drawn(solutions: Iterable[Solution]) -> _Drawn:
    authors: set[tuple[str, str]] = set()
    cut_off, tokens = array("b"), array("q")
    for solution in solutions:
        authors.add((solution.policy, solution.weights))
        cut_off.append(not solution.finished)
        tokens.append(solution.num_tokens)
    return _Drawn(authors, _mean(np.array(cut_off, float)), _mean(np.array(tokens, float)))


def _author(*drawn: _Drawn) -> tuple[str, str]:
    authors = set().union(*(rows.authors for rows in drawn))
    if len(authors) != 1:
        raise EvaluationError(f"solutions of one policy and one set of weights expected, found {sorted(authors)}")
    return authors.pop()


def _graders(grades: Iterable[Grade]) -> Metrics:
    """Share of solutions that both graders call right, or both wrong; how many one calls right and the other wrong."""
    marks = np.array([(grade.agreed, grade.disputed) for grade in grades], float).reshape(-1, 2)
    return {"agreed": _mean(marks[:, 0]), "disputed": int(marks[:, 1].sum())}


def _mean(values: np.ndarray) -> float:
    return float(values.mean()) if values.size else float("nan")
