r"""What picking one of k samples is worth: the expected accuracy over all k-subsets of a problem's n samples.

In: one problem's samples, shape (n,). Answers are integers: equal number, equal answer; 0 (`RIGHT`) is the right
one, -1 (`UNREAD`) means that no answer could be read. Out: a share in [0, 1]; NaN where k > n.

    pass@k     any right one counts (the oracle's choice): 1 - C(n-c, k) / C(n, k), Chen et al. 2021
    vote@k     the answer with most votes (maj@k; Wang et al. 2022), or most summed weight
    best-of-k  the sample with the highest score

Ties are shared: of t tied answers or samples each is chosen with chance 1/t. Samples without a readable answer
do not vote; a subset without any vote counts as wrong.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RIGHT, UNREAD = 0, -1
MAX_SUBSETS = 2000
"""Above this number of k-subsets (8 samples have at most 70), so many are drawn with a fixed seed instead."""
TIE = 1e-9


def ladder(num_samples: int) -> list[int]:
    """1, 2, 4, ... and `num_samples` itself: the k at which curves are drawn."""
    powers = [2**i for i in range(num_samples.bit_length())]
    return sorted({*powers, num_samples})


def pass_at_k(answers: Ints, k: int) -> float:
    """Chance that a random k-subset holds a right answer."""
    n, right = len(answers), int((answers == RIGHT).sum())
    return 1 - comb(n - right, k) / comb(n, k) if 1 <= k <= n else float("nan")


def best_of_k(answers: Ints, scores: Floats, k: int) -> float:
    """Chance that the highest-scored of a random k-subset is right; a NaN score is the lowest of all. Exact."""
    n = len(answers)
    if not 1 <= k <= n:
        return float("nan")
    ranked = np.nan_to_num(scores, nan=-np.inf, neginf=-np.inf, posinf=np.inf)
    expected, below = 0.0, 0
    for score in np.unique(ranked):
        tied = ranked == score
        chosen = comb(below + int(tied.sum()), k) - comb(below, k)
        expected += chosen / comb(n, k) * float((answers[tied] == RIGHT).mean())
        below += int(tied.sum())
    return expected


def vote_at_k(answers: Ints, k: int, weights: Floats | None = None) -> float:
    """Chance that the vote of a random k-subset is right; a NaN weight counts nothing."""
    n = len(answers)
    if not 1 <= k <= n:
        return float("nan")
    votes = np.ones(n) if weights is None else np.nan_to_num(weights, nan=0.0)
    ballots = (answers[:, None] == np.unique(answers[answers != UNREAD])[None, :]).astype(float)
    if ballots.shape[1] == 0 or RIGHT not in answers:
        return 0.0
    members = subsets(n, k)
    present = members @ ballots > 0
    totals = np.where(present, members @ (ballots * votes[:, None]), -np.inf)
    top = present & (totals >= totals.max(axis=1, keepdims=True) - TIE)
    # RIGHT is the smallest answer that votes, so it is column 0.
    return float((top[:, 0] / np.maximum(top.sum(axis=1), 1)).mean())


@lru_cache(maxsize=64)
def subsets(n: int, k: int) -> Floats:
    """Rows of 0/1, shape (subsets, n), each with k ones: all of them, or `MAX_SUBSETS` at random."""
    if comb(n, k) <= MAX_SUBSETS:
        chosen = np.array(list(combinations(range(n), k)))
    else:
        chosen = np.random.default_rng((n, k)).random((MAX_SUBSETS, n)).argsort(axis=1)[:, :k]
    members = np.zeros((len(chosen), n))
    np.put_along_axis(members, chosen, 1.0, axis=1)
    return members
