"""Which problems are too near to each other? For decontamination, and for groups that are not independent.

In: problems. Two are kin, from strict to loose, where they share

- `skeleton`: the question but for its numbers;
- `ngram`: a run of `n` words of the question (Brown et al. 2020, appendix C);
- `short`: all of a question of fewer than `2n` words, standing in the other or asked in other words;
- `near_duplicate`: most words and pairs of words of the question, numbers and names alike (see `similarity`);
- `solution`: most words and pairs of words of the solution, numbers and names included.

Boilerplate counts for none (see `wording`). Generated problems know their kin, by their template: between two of them
only skeletons and runs count.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from proofline.data.similarity import similar_questions, similar_solutions
from proofline.data.wording import ASKING, JOINING, ngrams, request, words
from proofline.records import Problem

MIN_SHORT_WORDS, MIN_ASKED_WORDS = 5, 2
"""Fewer words stand in unrelated questions too: they count after a word of asking; fewer still, where they are all."""
HEAD = 3
"""Short questions are looked up by so many first words."""


class Kin:
    """Problems, all of one split, and why another one is too near to one of them."""

    def __init__(self, problems: Sequence[Problem], n: int) -> None:
        self._n = n
        self._skeletons = {problem.skeleton for problem in problems}
        self._runs = set().union(*(ngrams(problem.question, n) for problem in problems))
        self._generated = {problem.id for problem in problems if problem.source == "synthetic"}
        self._short: dict[tuple[str, ...], list[tuple[list[str], str]]] = defaultdict(list)
        self._questions, self._solutions = similar_questions(), similar_solutions()
        for problem in problems:
            self._add(problem)

    def _add(self, problem: Problem) -> None:
        if len(words(problem.question)) < 2 * self._n:
            asked = request(problem.question)
            self._short[tuple(asked[:HEAD])].append((asked, problem.id))
        self._questions.add(problem.id, problem.question)
        self._solutions.add(problem.id, problem.solution)

    def reason(self, problem: Problem) -> str | None:
        """The first that applies of the reasons above; None for a problem without kin here."""
        if problem.skeleton in self._skeletons:
            return "skeleton"
        if not self._runs.isdisjoint(ngrams(problem.question, self._n)):
            return "ngram"
        if self._others(problem, self._short_in(problem.question)):
            return "short"
        if self._others(problem, self._questions.to(problem.question)):
            return "near_duplicate"
        if self._others(problem, self._solutions.to(problem.solution)):
            return "solution"
        return None

    def _others(self, problem: Problem, found: Sequence[str]) -> bool:
        """Is one of these a kinsman? Two generated problems are none."""
        return any(problem.source != "synthetic" or key not in self._generated for key in found)

    def _short_in(self, question: str) -> list[str]:
        """The short questions that stand in this one."""
        asked = request(question)
        return [
            key
            for start in range(len(asked))
            for head in {tuple(asked[start : start + size]) for size in range(1, HEAD + 1)}
            for run, key in self._short.get(head, ())
            if asked[start : start + len(run)] == run and _is_asked(asked, start, start + len(run))
        ]


def _is_asked(tokens: Sequence[str], start: int, end: int) -> bool:
    """Is this run a question of its own within another? It is no part of a longer formula, and where it is of few words
    it follows a word of asking."""
    if end - start == len(tokens):
        return True
    if (start and JOINING.match(tokens[start - 1])) or (end < len(tokens) and JOINING.match(tokens[end])):
        return False
    follows = not start or tokens[start - 1] in ASKING or tokens[max(0, start - 2) : start] == ["value", "of"]
    return end - start >= (MIN_ASKED_WORDS if follows else MIN_SHORT_WORDS)


def grouped(problems: Sequence[Problem]) -> list[Problem]:
    """The problems with their `cluster`: one for all that skeletons or near-duplicates connect, named by the least
    skeleton in it. A generated problem's is its template."""
    published = [problem for problem in problems if problem.source != "synthetic"]
    parent = {problem.skeleton: problem.skeleton for problem in published}

    def root(name: str) -> str:
        while parent[name] != name:
            parent[name] = name = parent[parent[name]]
        return name

    questions, solutions = similar_questions(), similar_solutions()
    skeletons = {problem.id: problem.skeleton for problem in published}
    for problem in published:
        near = {*questions.to(problem.question), *solutions.to(problem.solution)}
        for other in (skeletons[key] for key in near):
            low, high = sorted((root(problem.skeleton), root(other)))
            parent[high] = low
        questions.add(problem.id, problem.question)
        solutions.add(problem.id, problem.solution)
    return [
        problem.model_copy(update={"cluster": root(problem.skeleton)}) if problem.skeleton in parent else problem
        for problem in problems
    ]
