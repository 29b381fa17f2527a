"""The protocol matrix: numbers of examples x readers of the same greedy solutions, and what a step changes in each.

In: test problems and their `Readings`. Out: JSON-able dictionaries; intervals are those of `clusters`.

A solution that the token limit cut off might have ended right or wrong. Beside each share stand the two that nothing
but those can lie between (Manski 2003, "Partial Identification of Probability Distributions"): `least`, all that were
cut off wrong, and `most`, all of them right. They bound what the data leave open, not what a larger sample would.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from proofline.config.schema import Evaluation
from proofline.evaluation.clusters import Clusters
from proofline.evaluation.metrics import paired_json
from proofline.evaluation.readings import READERS, is_number
from proofline.evaluation.selection import Floats, Ints
from proofline.evaluation.tally import EvaluationError, benchmark_of, in_order
from proofline.records import Problem, Readings

Matrix = dict[str, Any]
FORM = "form"
"""The right answers that stand in the form that was asked for, less all right ones: what a step changes in it is the
part of strict's change that is no change of ability."""


class Read(NamedTuple):
    """Of one solution's Readings, what is counted."""

    finished: bool
    strict: bool
    flexible: bool
    equivalence: bool


def protocol_matrix(problems: Sequence[Problem], rows: Iterable[Readings], section: Evaluation, seed: int) -> Matrix:
    """Of one policy, by number of examples: overall, by benchmark, and in each by level and by subject."""
    return {
        str(shots): _of_shots(problems, ordered, Clusters.of(problems, section, seed))
        for shots, ordered in by_shots(problems, rows).items()
    }


def protocol_changes(
    problems: Sequence[Problem], rows: Iterable[Readings], before: Iterable[Readings], section: Evaluation, seed: int
) -> Matrix:
    """A policy against another on all problems, by number of examples: in each reading, and in the form alone."""
    clusters = Clusters.of(problems, section, seed)
    mine, theirs = by_shots(problems, rows), by_shots(problems, before)
    changes: Matrix = {}
    for shots in mine:
        now, then = _right(mine[shots]), _right(theirs[shots])
        changes[str(shots)] = {name: paired_json(clusters.compare(now[name], then[name])) for name in now}
    return changes


def overall_shares(matrix: Matrix) -> Matrix:
    """Of one policy's matrix the shares over all problems alone: by reader, then by number of examples."""
    return {
        reader: {f"{shots}_shot": part["overall"][reader]["value"] for shots, part in matrix.items()}
        for reader in READERS
    }


def by_shots(problems: Sequence[Problem], rows: Iterable[Readings]) -> dict[int, list[Read]]:
    """The rows by number of examples, in the order of the problems. Raises EvaluationError where one is missing."""
    found: dict[int, dict[str, Read]] = defaultdict(dict)
    for row in rows:
        found[row.shots][row.problem_id] = Read(row.finished, row.strict, row.flexible, row.equivalence)
    for shots, by_problem in found.items():
        if by_problem.keys() != {problem.id for problem in problems}:
            raise EvaluationError(
                f"{len(by_problem)} problems are read with {shots} examples, {len(problems)} are evaluated: "
                "`dvc repro` reads all of them"
            )
    return {shots: [found[shots][problem.id] for problem in problems] for shots in sorted(found)}


def _of_shots(problems: Sequence[Problem], rows: Sequence[Read], clusters: Clusters) -> Matrix:
    right, cut_off = _right(rows), np.array([not row.finished for row in rows], float)
    numbers = np.array([is_number(problem.answer) for problem in problems], float)

    def cell(at: Ints) -> Matrix:
        return {
            "problems": len(at),
            "clusters": clusters[at].count,
            "cut_off": float(cut_off[at].mean()),
            "numbers": float(numbers[at].mean()),
            **{name: _bounded(right[name][at], cut_off[at], clusters[at]) for name in READERS},
        }

    def split(at: Ints, names: Sequence[str]) -> Matrix:
        known = sorted({names[row] for row in at} - {""}, key=lambda name: (len(name) if name.isdigit() else 0, name))
        return {name: cell(at[[names[row] == name for row in at]]) for name in known}

    benchmarks = [benchmark_of(problem) for problem in problems]
    levels = [str(problem.level or "") for problem in problems]
    subjects = [problem.subject for problem in problems]
    places = {name: np.flatnonzero(np.array(benchmarks) == name) for name in in_order(benchmarks)}
    return {
        "overall": cell(np.arange(len(problems))),
        "benchmarks": {
            name: {**cell(at), "levels": split(at, levels), "subjects": split(at, subjects)}
            for name, at in places.items()
        },
    }


def _bounded(right: Floats, cut_off: Floats, clusters: Clusters) -> Matrix:
    """The share, its interval, and the two bounds."""
    least, most = right * (1 - cut_off), np.maximum(right, cut_off)
    return {**clusters.mean(right)._asdict(), "least": float(least.mean()), "most": float(most.mean())}


def _right(rows: Sequence[Read]) -> Mapping[str, Floats]:
    """(problems,) of 0 and 1 by reader; of `FORM` -1 where an answer is right but not in the form, else 0."""
    right = {name: np.array([getattr(row, name) for row in rows], float) for name in READERS}
    return {**right, FORM: right["strict"] - right["equivalence"]}
