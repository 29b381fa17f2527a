"""Intervals and tests over problems, whose unit is the cluster: related problems are not independent of each other.

In: the cluster of each problem (`Problem.cluster`: one template, or near-duplicates), and values per problem, shape
(problems,): bool for one answer each, or the mean over a problem's samples. Out: `Estimate`s and paired tests as in
`statistics`. Of one answer each to problems without kin they are the exact ones; else clusters are resampled, and a
test flips the signs of whole clusters.

A share among candidates or among some of the problems is a ratio of two sums, both of which vary from one draw of
clusters to the next (Cochran 1977, "Sampling Techniques", ch. 6).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from proofline.config.schema import Evaluation
from proofline.evaluation.selection import Floats, Ints
from proofline.evaluation.statistics import (
    NAN,
    Estimate,
    Paired,
    bca,
    compare_shares,
    resampled,
    sign_flip,
    wilson,
)
from proofline.records import Problem


class Clusters:
    """The problems of a measurement by cluster, and how they are resampled. `seed` decides the draws alone."""

    def __init__(self, names: Sequence[str], confidence: float, resamples: int, seed: int) -> None:
        self._names = np.array(names, dtype=str)
        self._of: Ints = np.unique(self._names, return_inverse=True)[1].reshape(-1)
        self.count = int(self._of.max(initial=-1)) + 1
        self.confidence, self._resamples, self._seed = confidence, resamples, seed

    @classmethod
    def of(cls, problems: Sequence[Problem], section: Evaluation, seed: int) -> Clusters:
        names = [problem.cluster for problem in problems]
        return cls(names, section.confidence, section.bootstrap_resamples, seed)

    def __getitem__(self, rows: Ints) -> Clusters:
        """Those of some of the problems."""
        return Clusters(self._names[rows].tolist(), self.confidence, self._resamples, self._seed)

    def solved(self, right: Floats) -> Estimate:
        """Share of problems with a right answer, of one answer each: Wilson's interval where none has kin."""
        if self._kinless:
            return wilson(int(right.sum()), len(right), self.confidence)
        return self.mean(right.astype(float))

    def compare_solved(self, first: Floats, second: Floats) -> Paired:
        """Right and wrong results of one answer each: Tango's interval and McNemar's test where none has kin."""
        if self._kinless:
            return compare_shares(first, second, self.confidence)
        return self.compare(first.astype(float), second.astype(float))

    def share(self, hits: Floats, among: Floats) -> Estimate:
        """`ratio` of a share in [0, 1]. Where it is 0 or 1 a bootstrap sees no spread: then Wilson's, over clusters."""
        found = self.ratio(hits, among)
        if found.value in (0.0, 1.0):
            clusters = int((self._sums(among) > 0).sum())
            return wilson(int(found.value) * clusters, clusters, self.confidence)
        return found

    def mean(self, shares: Floats) -> Estimate:
        """Mean of the problems' shares, over those where it is defined."""
        defined = np.isfinite(shares)
        return self.share(np.where(defined, shares, 0.0), defined.astype(float))

    def compare(self, first: Floats, second: Floats) -> Paired:
        """Mean of `first - second` over the problems where both are defined; sign-flip test over clusters."""
        defined = np.isfinite(first) & np.isfinite(second)
        gaps = np.where(defined, first - second, 0.0)
        difference = self.ratio(gaps, defined.astype(float))
        p_value = sign_flip(self._sums(gaps), self._resamples, self._seed) if defined.any() else NAN
        wins, losses = int((gaps > 0).sum()), int((gaps < 0).sum())
        return Paired(difference, p_value, wins, losses, int(defined.sum()) - wins - losses)

    def ratio(self, hits: Floats, among: Floats) -> Estimate:
        """Sum of `hits` over sum of `among`; NaN where the latter is 0."""
        above, below = self._sums(hits), self._sums(among)
        if below.sum() == 0:
            return Estimate(NAN, NAN, NAN)
        value = float(above.sum() / below.sum())
        sums = ((above[rows].sum(axis=1), below[rows].sum(axis=1)) for rows in self._draws())
        replicates = np.concatenate([hit[of > 0] / of[of > 0] for hit, of in sums])
        return bca(value, replicates, above - value * below, self.confidence)

    @property
    def _kinless(self) -> bool:
        return self.count == len(self._names)

    def weights(self) -> Iterator[Ints]:
        """How often each problem is in a draw, (problems,), draw after draw."""
        return (np.bincount(row, minlength=self.count)[self._of] for rows in self._draws() for row in rows)

    def _draws(self) -> Iterator[Ints]:
        return resampled(self.count, self._resamples, self._seed)

    def _sums(self, values: Floats) -> Floats:
        return np.bincount(self._of, values).astype(float)
