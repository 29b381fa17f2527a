"""How often do the 95% intervals hold the truth, and how often does the test see what is not there? By simulation.

    python benchmarks/coverage.py [--simulations 1000]

Test sets are drawn whose truth is known: clusters as unequal as the templates of the default recipe's mathematics,
whose members are alike (intra-cluster correlation 0.1, 0.3, 0.5; there it was 0.3 to 0.5) or that have no kin; one
answer a problem, or the mean of eight; shares, and differences of paired shares. Each interval is what `Clusters`
gives, beside the one that it gave before (BCa bootstrap of clusters; Wilson and Tango where no problem has kin).
Writes results/coverage.json and prints tables: coverage in percent, the former interval's in brackets.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

import numpy as np
from report import write_result
from scipy.special import ndtr, ndtri

from proofline.evaluation.clusters import Clusters
from proofline.evaluation.selection import Floats, Ints
from proofline.evaluation.statistics import Estimate, tango, wilson

TEMPLATES = (
    1, 1, 1, 2, 2, 3, 3, 3, 3, 3, 3, 4, 4, 5, 5, 5, 5, 5,
    7, 7, 7, 7, 7, 7, 8, 8, 9, 9, 9, 10, 10, 10, 10, 11, 18, 22, 26,
)  # fmt: skip
"""Test problems of each."""
CLUSTERS, SHARES, ALIKE = (20, 50, 200), (0.02, 0.1, 0.5, 0.9, 0.98), (None, 0.1, 0.3, 0.5)
PAIRS = ((0.02, 0.02), (0.1, 0.1), (0.5, 0.5), (0.2, 0.1), (0.98, 0.9))
AGREEMENT = 0.5
"""Correlation of two policies' results on a problem."""
LEVEL, RESAMPLES = 0.95, 1000


@dataclass(frozen=True)
class Case:
    """A kind of test set."""

    clusters: int
    answers: int
    """Of each policy to a problem."""
    alike: float | None
    """Intra-cluster correlation; None: no problem has kin."""
    shares: tuple[float, ...]
    """Of right answers: one policy's, or two policies'."""

    @property
    def truth(self) -> float:
        return float(self.shares[0] - sum(self.shares[1:]))

    @property
    def sizes(self) -> Ints:
        spread = np.linspace(0, len(TEMPLATES) - 1, self.clusters).round().astype(int)
        return np.ones(self.clusters, int) if self.alike is None else np.array(TEMPLATES)[spread]

    @property
    def of(self) -> Ints:
        """Cluster of each problem."""
        return np.repeat(np.arange(self.clusters), self.sizes)

    def drawn(self, simulations: int, rng: np.random.Generator) -> list[Floats]:
        """(simulations, problems) per policy: the share of right answers to each problem."""
        alike = self.alike or 0.3
        weight = (1 - alike) / alike
        cells = np.maximum(joint(*self.shares), 1e-9)
        chances = rng.gamma(np.maximum(weight * cells, 1e-6), size=(simulations, self.clusters, 4))
        chances = (chances / chances.sum(axis=2, keepdims=True))[:, self.of]
        if self.answers > 1:
            marginals = (chances[..., 0] + chances[..., 1], chances[..., 0] + chances[..., 2])
            return [rng.binomial(self.answers, np.clip(one, 0, 1)) / self.answers for one in marginals]
        cell = (rng.random((*chances.shape[:2], 1)) > chances.cumsum(axis=2)).sum(axis=2)
        return [(cell <= 1).astype(float), ((cell == 0) | (cell == 2)).astype(float)]


def joint(first: float, second: float = 0.0) -> Floats:
    """Chances that both, only the first, only the second, neither is right."""
    both = first * second + AGREEMENT * np.sqrt(first * (1 - first) * second * (1 - second))
    both = min(both, first, second)
    return np.array([both, first - both, second - both, 1 - first - second + both])


def cases() -> Iterator[Case]:
    truths: list[tuple[float, ...]] = [*((one,) for one in SHARES), *PAIRS]
    for shares, alike, clusters in product(truths, ALIKE, CLUSTERS):
        for answers in (1, 8):
            if len(shares) == 1 or alike in (None, 0.3):
                yield Case(clusters, answers, alike, shares)


def measure(case: Case, simulations: int, seed: int) -> dict[str, Any]:
    """Coverage, median width and false alarms of `Clusters`, and of what it did before."""
    rng = np.random.default_rng((seed, case.clusters, case.answers, int(10 * (case.alike or 0)), *_thousandths(case)))
    clusters = Clusters([f"{one:04}" for one in case.of], LEVEL, RESAMPLES, 0)
    first, second = case.drawn(simulations, rng)
    alarms = None
    if len(case.shares) == 1:
        found = [clusters.mean(row) for row in first]
        before = former(first, case, lambda row: wilson(int(row.sum()), len(row), LEVEL))
    else:
        paired = [clusters.compare(*rows) for rows in zip(first, second, strict=True)]
        found = [one.difference for one in paired]
        alarms = float(np.mean([one.p_value < 1 - LEVEL for one in paired])) if case.truth == 0 else None
        before = former(first - second, case, lambda row: tango((row > 0).sum(), (row < 0).sum(), len(row), LEVEL))
    return {
        **asdict(case),
        "new": covered(found, case.truth),
        "old": covered(before, case.truth),
        "new_width": width(found),
        "old_width": width(before),
        "false_alarms": alarms,
    }


def _thousandths(case: Case) -> list[int]:
    return [round(1000 * share) for share in case.shares]


def covered(found: list[Estimate], truth: float) -> float:
    """Undefined bounds hold nothing."""
    return float(np.mean([one.low - 1e-9 <= truth <= one.high + 1e-9 for one in found]))


def width(found: list[Estimate]) -> float:
    return float(np.nanmedian([one.high - one.low for one in found]))


def former(values: Floats, case: Case, kinless: Callable[[Floats], Estimate]) -> list[Estimate]:
    """(simulations, problems) values -> the former intervals: at 0 and 1 Wilson's over clusters."""
    if case.alike is None and case.answers == 1:
        return [kinless(row) for row in values]
    starts = np.searchsorted(case.of, np.arange(case.clusters))
    sums, sizes = np.add.reduceat(values, starts, axis=1), case.sizes.astype(float)
    rng = np.random.default_rng(0)
    draws = rng.multinomial(case.clusters, np.full(case.clusters, 1 / case.clusters), size=RESAMPLES).astype(float)
    replicates = np.sort((sums @ draws.T) / (draws @ sizes), axis=1)
    found = [bca(*rows, sizes) for rows in zip(sums, replicates, strict=True)]
    if len(case.shares) > 1:
        return found
    ends = {value: wilson(int(value) * case.clusters, case.clusters, LEVEL) for value in (0.0, 1.0)}
    return [ends.get(one.value, one) for one in found]


def bca(sums: Floats, replicates: Floats, sizes: Floats) -> Estimate:
    """Efron (1987), of the ratio of sums; undefined without spread."""
    value = float(sums.sum() / sizes.sum())
    influence = sums - value * sizes
    if np.ptp(influence) < 1e-12:
        return Estimate(value, np.nan, np.nan)
    below = np.mean(replicates < value) + 0.5 * np.mean(replicates == value)
    bias = ndtri(np.clip(below, 0.5 / RESAMPLES, 1 - 0.5 / RESAMPLES))
    acceleration = (influence**3).sum() / (6 * (influence**2).sum() ** 1.5)
    tails = bias + ndtri([(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    places = ndtr(bias + tails / (1 - acceleration * tails)) * (RESAMPLES - 1)
    low, high = np.interp(places, np.arange(RESAMPLES), replicates)
    return Estimate(value, float(low), float(high))


def tables(rows: list[dict[str, Any]]) -> Iterator[str]:
    """One for shares, one for differences: a row per kind of test set, a column per truth."""
    for title, policies in (("shares", 1), ("differences of paired shares", 2)):
        ours = [row for row in rows if len(row["shares"]) == policies]
        columns = list(dict.fromkeys(row["shares"] for row in ours))
        yield f"\nCoverage of {title}, %: new (old)" + ("; false alarms of the test in italics" if policies > 1 else "")
        yield "| answers | alike | clusters | " + " | ".join(" - ".join(map(str, one)) for one in columns) + " |"
        yield "| --- " * (3 + len(columns)) + "|"
        kinds = dict.fromkeys((row["answers"], row["alike"], row["clusters"]) for row in ours)
        for kind in sorted(kinds, key=lambda kind: (kind[0], kind[1] or 0, kind[2])):
            cells = [cell(row) for one in columns for row in ours if (row["shares"], *_kind(row)) == (one, *kind)]
            yield "| " + " | ".join([str(kind[0]), str(kind[1] or "no kin"), str(kind[2]), *cells]) + " |"


def _kind(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["answers"], row["alike"], row["clusters"]


def cell(row: dict[str, Any]) -> str:
    alarms = f" *{100 * row['false_alarms']:.1f}*" if row["false_alarms"] is not None else ""
    return f"{100 * row['new']:.1f} ({100 * row['old']:.1f}){alarms}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--simulations", type=int, default=1000)
    simulations = parser.parse_args().simulations
    rows = [measure(case, simulations, seed=0) for case in cases()]
    settings = {"simulations": simulations, "level": LEVEL, "resamples of the former": RESAMPLES}
    write_result("coverage", settings, ["numpy", "scipy"], cases=rows)
    print("\n".join(tables(rows)))


if __name__ == "__main__":
    main()
