"""Our own problems: two families, exact derivations, disjoint template skeletons per split.

A template skeleton belongs to one split for ever, by its hash, so no problem of the test split shares its
story line or exercise form with a training problem, whatever the seed. Training problems come with
demonstrations by two kinds of writers: three fifths `worked` (every step on its own line), two fifths
`compact` (the whole derivation in one expression). Both are right; the second is harder to imitate.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from fractions import Fraction
from random import Random

from proofline.data.synthetic.exercises import exercise
from proofline.data.synthetic.steps import Derived, evaluate, expression, nested, number
from proofline.data.synthetic.word import word_problem
from proofline.records import Demonstration, Problem, Split, stable_id

WRITERS = ("worked", "compact", "worked", "compact", "worked")


def skeleton_split(template: str) -> Split:
    """The split a template skeleton belongs to: 70% train, 10% dev, 20% test."""
    bucket = int(hashlib.sha256(template.encode()).hexdigest(), 16) % 10
    return "dev" if bucket == 0 else "test" if bucket <= 2 else "train"


def write_solution(derived: Derived, style: str) -> str:
    """The derivation as text in a style: `worked`, `compact`, or `terse` (the closing line alone)."""
    values = evaluate(derived.steps)
    lines: list[str] = []
    if style == "worked":
        lines = [
            f"{step.label}: {expression(step, values)}={number(value)}"
            for step, value in zip(derived.steps, values, strict=True)
        ]
    elif style == "compact":
        lines = [f"{nested(derived.steps, i)}={number(values[i])}" for i in derived.fraction or (len(values) - 1,)]
    return "\n".join([*lines, derived.closing(values)])


def generate(split: Split, seed: int) -> Iterator[tuple[Problem, Derived]]:
    """An endless stream of distinct problems of a split, the two families in turn."""
    rng = Random(f"proofline synthetic {seed} {split}")
    seen: set[str] = set()
    while True:
        make = exercise if len(seen) % 2 else word_problem
        while True:
            derived = make(rng)
            problem_id = Problem.make_id("synthetic", derived.question)
            if skeleton_split(derived.template) == split and problem_id not in seen:
                break
        seen.add(problem_id)
        yield to_problem(derived, split, problem_id), derived


def to_problem(derived: Derived, split: Split, problem_id: str) -> Problem:
    values: list[Fraction] = evaluate(derived.steps)
    return Problem(
        id=problem_id,
        source="synthetic",
        family=derived.family,
        split=split,
        question=derived.question,
        solution=write_solution(derived, "worked"),
        answer=derived.answer(values),
        level=len(derived.steps),
        skeleton=stable_id(derived.template),
    )


def generate_problems(split: Split, count: int, seed: int) -> Iterator[Problem]:
    """`count` problems of a split; the first n of a longer stream are the same n."""
    stream = generate(split, seed)
    for _ in range(count):
        yield next(stream)[0]


def demonstrations(problems: Iterable[Problem], seed: int) -> Iterator[Demonstration]:
    """One demonstration per training problem, in the problems' order; the writer is drawn by the problem's id.

    `problems` must come from `generate_problems("train", …, seed)`: their derivations are generated again.
    """
    wanted = list(problems)
    missing = {problem.id for problem in wanted}
    derivations: dict[str, Derived] = {}
    stream = generate("train", seed)
    while missing:
        problem, derived = next(stream)
        if problem.id in missing:
            derivations[problem.id] = derived
            missing.discard(problem.id)
    for problem in wanted:
        style = WRITERS[int(stable_id("style", problem.id), 16) % len(WRITERS)]
        text = write_solution(derivations[problem.id], style)
        yield Demonstration(
            id=stable_id("demonstration", problem.id, style),
            problem_id=problem.id,
            question=problem.question,
            solution=text,
            style=style,
        )
