"""Worked examples for a prompt: training demonstrations of the problem's own benchmark, the same for all its problems.

Of the demonstrations of a benchmark, one a problem, the lowest hashes of (run seed, demonstration) are shown, the
lowest first: adding a demonstration moves no other, and four examples begin with the two that two would be. A
demonstration of a problem that is no training problem is refused, so what is tested is never shown.
"""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from operator import itemgetter

from proofline.records import Demonstration, Problem, stable_id

Benchmark = tuple[str, str]
"""A problem's source and family."""
Ranked = tuple[str, Demonstration]
"""A demonstration after its hash."""
Examples = Mapping[Benchmark, Sequence[Demonstration]]
"""What is shown before the problems of each benchmark; nothing before those of others."""
NO_EXAMPLES: Examples = {}


class ExamplesError(ValueError):
    """Too few demonstrations, or one of a problem that is not for training."""


def draw_examples(
    demonstrations: Iterable[Demonstration],
    train: Iterable[Problem],
    tested: Iterable[Problem],
    shots: int,
    seed: int,
) -> dict[Benchmark, tuple[Demonstration, ...]]:
    """`shots` examples for each benchmark of the tested problems. Raises ExamplesError."""
    benchmarks = {problem.id: benchmark(problem) for problem in train if problem.split == "train"}
    solved: dict[Benchmark, set[str]] = defaultdict(set)
    lowest: dict[Benchmark, list[Ranked]] = defaultdict(list)
    for row in demonstrations:
        if row.problem_id not in benchmarks:
            raise ExamplesError(
                f"demonstration {row.id} solves {row.problem_id}, which is no training problem: "
                "`dvc repro prepare` writes demonstrations and problems that belong together"
            )
        name = benchmarks[row.problem_id]
        solved[name].add(row.problem_id)
        _keep_lowest(lowest[name], (stable_id("example", seed, row.id), row), shots)
    examples = {}
    for name in sorted({benchmark(problem) for problem in tested}):
        if len(solved[name]) < shots:
            raise ExamplesError(
                f"{'/'.join(name)}: {len(solved[name])} problems with a demonstration where evaluation.shots asks for "
                f"{shots}; raise prepare.demonstrations (of sampled ones sampling.base_problems), or set "
                "evaluation.shots to [0]"
            )
        examples[name] = tuple(row for _, row in lowest[name])
    return examples


def _keep_lowest(lowest: list[Ranked], one: Ranked, number: int) -> None:
    """The so many lowest, of each problem one."""
    same = [at for at, (_, row) in enumerate(lowest) if row.problem_id == one[1].problem_id]
    if same and lowest[same[0]][0] < one[0]:
        return
    for at in same:
        del lowest[at]
    insort(lowest, one, key=itemgetter(0))
    del lowest[number:]


def benchmark(problem: Problem) -> Benchmark:
    return problem.source, problem.family


def shown_before(problem: Problem, examples: Examples) -> Sequence[Demonstration]:
    """The examples in a problem's prompt."""
    return examples.get(benchmark(problem), ())
