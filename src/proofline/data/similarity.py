"""Texts that share most of their words: candidates by MinHash signatures (Broder 1997, by `datasketch`), then exactly.

In: questions or solutions, each with a key. Out: the keys of those similar to a text. Similarity is Jaccard's, of the
sets of words and pairs of words (see `wording`); in questions all numbers are alike and all names, in solutions none.
"""

from __future__ import annotations

import zlib
from collections import Counter
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from datasketch import MinHash, MinHashLSH

from proofline.data.wording import nameless, words

QUESTION_SIMILARITY, PROSE_SIMILARITY, SOLUTION_SIMILARITY = 0.65, 0.5, 0.8
"""Measured by `benchmarks/curation.py`: see docs/curation.md. Formulas are alike by chance, stories are not."""
MIN_PROSE_WORDS = 25
"""Of letters, from which a question is a story."""
MIN_QUESTION_WORDS, MIN_SOLUTION_WORDS = 10, 20
"""Shorter texts are similar by chance."""
QUESTION_BANDS, SOLUTION_BANDS, ROWS = 64, 16, 4
"""Of the signatures: two questions of similarity 0.5 become candidates with probability 0.98, of 0.6 with 0.9999, of
0.1 with 0.006; two solutions of similarity 0.8 with 0.9998."""


class Print(NamedTuple):
    """What texts are compared by."""

    shingles: np.ndarray
    """Sorted hashes (uint32) of its words and pairs of words."""
    signature: MinHash
    prose: int
    """How many of its words are of letters."""


@lru_cache(maxsize=2**16)
def fingerprint(text: str, bands: int, *, exact: bool) -> Print:
    """Words and pairs of words, each with its how-manieth occurrence; unless `exact`, numbers and names are alike."""
    tokens = words(text if exact else nameless(text))
    tokens = tokens if exact else ["0" if token[0].isdigit() else token for token in tokens]
    counts: Counter[str] = Counter()
    hashes = set()
    for gram in [*tokens, *(f"{one} {two}" for one, two in pairwise(tokens))]:
        counts[gram] += 1
        hashes.add(zlib.crc32(f"{gram} {counts[gram]}".encode()))
    signature = _empty(bands).copy()
    if hashes:
        signature.update_batch(hashes)
    prose = sum(token.isalpha() and len(token) > 1 for token in tokens)
    return Print(np.array(sorted(hashes), dtype=np.uint32), signature, prose)


@lru_cache
def _empty(bands: int) -> MinHash:
    """Copied, because the permutations take longer to draw than to apply."""
    return MinHash(num_perm=bands * ROWS, hashfunc=int)


class Similar:
    """Texts that can be asked for those similar to a given one."""

    def __init__(self, threshold: float, of_prose: float, min_words: int, bands: int, *, exact: bool) -> None:
        self._threshold, self._of_prose, self._bands, self._exact = threshold, of_prose, bands, exact
        self._min_shingles = 2 * min_words - 1
        self._index = MinHashLSH(num_perm=bands * ROWS, params=(bands, ROWS))
        self._known: dict[str, Print] = {}

    def add(self, key: str, text: str) -> None:
        mine = fingerprint(text, self._bands, exact=self._exact)
        if len(mine.shingles) >= self._min_shingles and key not in self._known:
            self._known[key] = mine
            self._index.insert(key, mine.signature)

    def to(self, text: str) -> list[str]:
        """The keys of the texts whose similarity reaches the threshold."""
        mine = fingerprint(text, self._bands, exact=self._exact)
        if len(mine.shingles) < self._min_shingles:
            return []
        return sorted(key for key in self._index.query(mine.signature) if self._near(mine, self._known[key]))

    def _near(self, one: Print, other: Print) -> bool:
        threshold = self._of_prose if min(one.prose, other.prose) >= MIN_PROSE_WORDS else self._threshold
        few, many = sorted((len(one.shingles), len(other.shingles)))
        return few >= threshold * many and _jaccard(one.shingles, other.shingles) >= threshold


def _jaccard(one: np.ndarray, other: np.ndarray) -> float:
    shared = len(np.intersect1d(one, other, assume_unique=True))
    return shared / (len(one) + len(other) - shared)


def similar_questions() -> Similar:
    return Similar(QUESTION_SIMILARITY, PROSE_SIMILARITY, MIN_QUESTION_WORDS, QUESTION_BANDS, exact=False)


def similar_solutions() -> Similar:
    return Similar(SOLUTION_SIMILARITY, SOLUTION_SIMILARITY, MIN_SOLUTION_WORDS, SOLUTION_BANDS, exact=True)
