"""The results of the stage `evaluate`: grades of a policy's greedy and sampled solutions, with their problems.

In: files by their path in the repository, wherever they were fetched to. The accuracy of single samples is the share of
a problem's samples that are right. "Unparsed" is not right.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from pathlib import Path

from proofline.comparison.results import ComparisonError, Item, Results, described
from proofline.records import Grade, Problem, stable_id
from proofline.storage.records import read_records
from proofline.tracking.lineage import Item as Source

EVALUATIONS, PROBLEMS = "reports/evaluate", "data/problems/test.jsonl"
GRADES = {"greedy accuracy": "greedy_grades.jsonl", "accuracy of single samples": "sample_grades.jsonl"}


def read_evaluations(files: Mapping[str, Path], policies: Collection[str], sources: tuple[Source, ...]) -> Results:
    """Metrics of the policies: with their names before them where there are several. Raises ComparisonError."""
    metrics: dict[str, dict[str, float]] = {}
    for policy in policies:
        prefix = f"{policy}: " if len(policies) > 1 else ""
        for metric, name in GRADES.items():
            if (path := files.get(f"{EVALUATIONS}/{policy}/{name}")) is not None:
                metrics[prefix + metric] = _shares(path)
    graded = {problem for values in metrics.values() for problem in values}
    problems = {problem.id: problem for problem in read_records(files[PROBLEMS], Problem)}
    if strangers := graded - problems.keys():
        raise ComparisonError(
            f"{len(strangers)} graded problems are not in {PROBLEMS} of the same results, e.g. {min(strangers)}; "
            "run `dvc repro`"
        )
    key_of = {one: stable_id(one, problems[one].answer) for one in sorted(graded)}
    return Results(
        name="",
        origin="",
        items={key: _item(problems[one]) for one, key in key_of.items()},
        metrics={name: {key_of[one]: share for one, share in values.items()} for name, values in metrics.items()},
        sources=sources,
    )


def weights_of(files: Mapping[str, Path], policy: str) -> str | None:
    """The weights that were evaluated, as the metrics name them."""
    path = files.get(f"{EVALUATIONS}/{policy}/metrics.json")
    return None if path is None else str(json.loads(path.read_text(encoding="utf-8")).get("weights"))


def _shares(path: Path) -> dict[str, float]:
    right: dict[str, list[bool]] = defaultdict(list)
    for grade in read_records(path, Grade):
        right[grade.problem_id].append(grade.verdict == "correct")
    return {problem: sum(grades) / len(grades) for problem, grades in right.items()}


def _item(problem: Problem) -> Item:
    return Item(described(problem.question, problem.answer), problem.cluster)
