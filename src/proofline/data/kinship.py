"""Which problems are too near to each other? For decontamination, and for groups that are not independent.

In: problems. Two are kin, from strict to loose, where they share

- `skeleton`: the question but for its numbers;
- `ngram`: a run of `n` words of the question (Brown et al. 2020, appendix C);
- `short`: all of a question of fewer than `2n` words, standing in the other or asked in other words;
- `near_duplicate`: most words and pairs of words of the question, numbers alike (Jaccard similarity);
- `solution`: most words and pairs of words of the solution, numbers included.

Boilerplate counts for none (see `wording`). Pairs that may be similar come from MinHash signatures (Broder 1997, by
`datasketch`), and the similarity itself is exact. Generated problems know their kin, by their template: between two of
them only skeletons and runs count.
"""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from datasketch import MinHash, MinHashLSH

from proofline.data.wording import ASKING, ngrams, request, words
from proofline.records import Problem

QUESTION_SIMILARITY, PROSE_SIMILARITY, SOLUTION_SIMILARITY = 0.65, 0.5, 0.8
"""Measured by `benchmarks/curation.py`: see docs/curation.md. Formulas are alike by chance, stories are not."""
MIN_PROSE_WORDS = 25
"""Of letters, from which a question is a story."""
MIN_QUESTION_WORDS, MIN_SOLUTION_WORDS = 10, 20
"""Shorter texts are similar by chance."""
MIN_SHORT_WORDS, MIN_ASKED_WORDS = 5, 3
"""Fewer words may stand in an unrelated question: they count where they are what it asks. Fewer still, where it asks
nothing else."""
BANDS, ROWS = 64, 4
"""Of the signature: a pair of similarity 0.5 becomes a candidate with probability 0.98, of 0.6 0.9999, of 0.1 0.006."""


class Print(NamedTuple):
    """What texts are compared by."""

    shingles: np.ndarray
    """Sorted hashes (uint32) of its words and pairs of words."""
    signature: MinHash
    prose: int
    """How many of its words are of letters."""


@lru_cache(maxsize=2**16)
def fingerprint(text: str, *, numbers: bool) -> Print:
    """Words and pairs of words, each with its how-manieth occurrence; with `numbers` false all numbers are alike."""
    tokens = [token if numbers or not token[0].isdigit() else "0" for token in words(text)]
    counts: Counter[str] = Counter()
    hashes = set()
    for gram in [*tokens, *(f"{one} {two}" for one, two in pairwise(tokens))]:
        counts[gram] += 1
        hashes.add(zlib.crc32(f"{gram} {counts[gram]}".encode()))
    signature = _EMPTY.copy()
    if hashes:
        signature.update_batch(hashes)
    prose = sum(token.isalpha() and len(token) > 1 for token in tokens)
    return Print(np.array(sorted(hashes), dtype=np.uint32), signature, prose)


_EMPTY = MinHash(num_perm=BANDS * ROWS, hashfunc=int)


class Similar:
    """Texts that can be asked for those similar to a given one."""

    def __init__(self, threshold: float, min_words: int, *, numbers: bool, of_prose: float | None = None) -> None:
        self._threshold, self._of_prose, self._numbers = threshold, of_prose or threshold, numbers
        self._min_shingles = 2 * min_words - 1
        self._index = MinHashLSH(num_perm=BANDS * ROWS, params=(BANDS, ROWS))
        self._known: dict[str, np.ndarray] = {}

    def add(self, key: str, text: str) -> None:
        mine = fingerprint(text, numbers=self._numbers)
        if len(mine.shingles) >= self._min_shingles and key not in self._known:
            self._known[key] = mine.shingles
            self._index.insert(key, mine.signature)

    def to(self, text: str) -> list[str]:
        """The keys of the texts whose similarity reaches the threshold."""
        mine = fingerprint(text, numbers=self._numbers)
        if len(mine.shingles) < self._min_shingles:
            return []
        threshold = self._of_prose if mine.prose >= MIN_PROSE_WORDS else self._threshold
        found = self._index.query(mine.signature)
        return sorted(key for key in found if _jaccard(mine.shingles, self._known[key]) >= threshold)


def _jaccard(one: np.ndarray, other: np.ndarray) -> float:
    shared = len(np.intersect1d(one, other, assume_unique=True))
    return shared / (len(one) + len(other) - shared)


def similar_questions() -> Similar:
    return Similar(QUESTION_SIMILARITY, MIN_QUESTION_WORDS, numbers=False, of_prose=PROSE_SIMILARITY)


def similar_solutions() -> Similar:
    return Similar(SOLUTION_SIMILARITY, MIN_SOLUTION_WORDS, numbers=True)


class Kin:
    """Problems, all of one split, and why another one is too near to one of them."""

    def __init__(self, problems: Sequence[Problem], n: int) -> None:
        self._n = n
        self._skeletons = {problem.skeleton for problem in problems}
        self._runs = set().union(*(ngrams(problem.question, n) for problem in problems))
        self._generated = {problem.id for problem in problems if problem.source == "synthetic"}
        self._short: dict[int, dict[tuple[str, ...], list[str]]] = defaultdict(lambda: defaultdict(list))
        self._questions, self._solutions = similar_questions(), similar_solutions()
        for problem in problems:
            self._add(problem)

    def _add(self, problem: Problem) -> None:
        asked = tuple(request(problem.question))
        if len(words(problem.question)) < 2 * self._n:
            self._short[len(asked)][asked].append(problem.id)
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
        asked = request(question)
        found = []
        for size, runs in self._short.items():
            for start in range(len(asked) - size + 1):
                if size >= MIN_SHORT_WORDS or _is_asked(asked, start, size):
                    found += runs.get(tuple(asked[start : start + size]), ())
        return found


def _is_asked(tokens: Sequence[str], start: int, size: int) -> bool:
    """Is this run what a question asks, all of it or after a word of asking?"""
    if start == 0:
        return size == len(tokens) or size >= MIN_ASKED_WORDS
    asking = tokens[start - 1] in ASKING or tuple(tokens[max(0, start - 2) : start]) == ("value", "of")
    return asking and size >= MIN_ASKED_WORDS


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
