"""Intervals and tests over problems, whose unit is the cluster: related problems are not independent of each other.

In: the cluster of each problem (`Problem.cluster`: one template, or near-duplicates), and values per problem, shape
(problems,): right or wrong of one answer each, or the mean over a problem's samples. Out: `Estimate`s and paired tests
as in `statistics`, for the independent trials that the clusters are worth (`effective`), with Student's quantiles for
as many degrees of freedom as there are clusters, less one; a test flips the signs of whole clusters. One cluster alone
has no interval. A problem without kin is a cluster of one: the same formulas are then Wilson's and Tango's, a hair
wider, and McNemar's test.

A share among candidates or among some of the problems is a ratio of two sums, both of which vary from one draw of
clusters to the next (Cochran 1977, "Sampling Techniques", ch. 6).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike

from proofline.config.schema import Evaluation
from proofline.evaluation.effective import effective_trials
from proofline.evaluation.power import smallest_difference
from proofline.evaluation.selection import Floats, Ints
from proofline.evaluation.statistics import NAN, Estimate, Paired, resampled, sign_flip, tango, wilson
from proofline.records import Problem


class Clusters:
    """The problems of a measurement by cluster. `seed` decides the draws of `weights` alone."""

    def __init__(self, names: Sequence[str], confidence: float, resamples: int, seed: int) -> None:
        self._names = np.array(names, dtype=str)
        self._of: Ints = np.unique(self._names, return_inverse=True)[1].reshape(-1)
        self.count = int(self._of.max(initial=-1)) + 1
        self.confidence, self._resamples, self._seed = confidence, resamples, seed

    @classmethod
    def of(cls, problems: Iterable[Problem], section: Evaluation, seed: int) -> Clusters:
        names = [problem.cluster for problem in problems]
        return cls(names, section.confidence, section.bootstrap_resamples, seed)

    def __getitem__(self, rows: Ints) -> Clusters:
        """Those of some of the problems."""
        return Clusters(self._names[rows].tolist(), self.confidence, self._resamples, self._seed)

    def mean(self, shares: ArrayLike) -> Estimate:
        """Mean of the problems' shares in [0, 1], over those where it is defined."""
        values = np.asarray(shares, float)
        defined = np.isfinite(values)
        return self.share(np.where(defined, values, 0.0), defined.astype(float))

    def share(self, hits: Floats, among: Floats) -> Estimate:
        """Sum of `hits` over sum of `among`, of which they are a part; NaN where the latter is 0."""
        (above,), sizes = self._sums(among, hits)
        if not len(sizes):
            return Estimate(NAN, NAN, NAN)
        value = min(float(above.sum() / sizes.sum()), 1.0)
        if len(sizes) < 2:
            return Estimate(value, NAN, NAN)
        trials = effective_trials(above, np.zeros(len(sizes)), sizes)
        return wilson(value * trials, trials, self.confidence, len(sizes) - 1)._replace(value=value)

    def compare(self, first: ArrayLike, second: ArrayLike) -> Paired:
        """Mean of `first - second` over the problems where both are defined; sign-flip test over clusters."""
        gaps = np.asarray(first, float) - np.asarray(second, float)
        defined = np.isfinite(gaps)
        gaps = np.where(defined, gaps, 0.0)
        (wins, losses), sizes = self._sums(defined.astype(float), np.maximum(gaps, 0.0), np.maximum(-gaps, 0.0))
        better, worse = int((gaps > 0).sum()), int((gaps < 0).sum())
        counts = better, worse, int(defined.sum()) - better - worse
        won, lost = (float(side.sum() / sizes.sum()) if len(sizes) else NAN for side in (wins, losses))
        if len(sizes) < 2:
            return Paired(Estimate(won - lost, NAN, NAN), sign_flip(wins - losses), *counts)
        trials, degrees = effective_trials(wins, losses, sizes), len(sizes) - 1
        return Paired(
            tango(won * trials, lost * trials, trials, self.confidence, degrees)._replace(value=won - lost),
            sign_flip(wins - losses),
            *counts,
            smallest_difference(won + lost, trials, degrees, 1 - self.confidence),
        )

    def weights(self) -> Iterator[Ints]:
        """How often each problem is in a bootstrap's draw of clusters, (problems,), draw after draw."""
        draws = resampled(self.count, self._resamples, self._seed)
        return (np.bincount(row, minlength=self.count)[self._of] for rows in draws for row in rows)

    def totals(self, values: Floats) -> Floats:
        """(clusters,): the sum over each one's problems."""
        return np.bincount(self._of, values, self.count).astype(float)

    def _sums(self, among: Floats, *values: Floats) -> tuple[list[Floats], Floats]:
        """Sums of the values and of `among`, of the clusters that have any."""
        sizes = self.totals(among)
        return [self.totals(one)[sizes > 0] for one in values], sizes[sizes > 0]
