"""What a candidate looks like, and whether that tells its label.

A verifier that knows only the layout must be at chance on what it is trained on. So each trace has a counterpart: the
same problem, layout, kind of writer and source of chains, the other label. The ledger counts labels by layout and
tests that the two are independent (Pearson's chi-square statistic against seeded permutations of the labels).
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from proofline.data.equations import find_equations

PERMUTATIONS = 999
_OPERATION = re.compile(r"(?<=[\d)])\s*(?:[-+*/]|mod)")


class Look(NamedTuple):
    """A candidate's layout and label."""

    layout: str
    label: bool

    @staticmethod
    @cache
    def of(layout: str, label: bool) -> Look:
        """The one object for all candidates that look so: there are few kinds, and many candidates."""
        return Look(layout, label)


def layout(candidate: str) -> str:
    """`3 steps in 64 characters`: equations, whether one of them holds several operations, and length to within 20%."""
    equations = find_equations(candidate)
    nested = any(len(_OPERATION.findall(equation.left)) > 1 for equation in equations)
    length = round(2 ** (round(2 * math.log2(max(1, len(candidate)))) / 2))
    return f"{len(equations)} {'nested' if nested else 'steps'} in {length} characters"


def by_layout(rows: Sequence[tuple[str, bool]]) -> dict[str, dict[str, int]]:
    """How many of each label each layout has, the commonest layout first."""
    counts = Counter(rows)
    order = Counter(name for name, _ in rows)
    return {name: {"yes": counts[name, True], "no": counts[name, False]} for name, _ in order.most_common()}


def independence(rows: Sequence[tuple[str, bool]], seed: int) -> dict[str, float]:
    """Does the layout tell the label? `cramers_v`: 0 not at all, 1 wholly; `p_value` of the permutation test.

    Both are NaN where there is one label or one layout only: nothing could be told from it.
    """
    numbers = {name: number for number, name in enumerate(sorted({name for name, _ in rows}))}
    names, labels = np.array([numbers[name] for name, _ in rows]), np.array([label for _, label in rows])
    if len(rows) < 2 or len(numbers) < 2 or labels.all() or not labels.any():
        return {"p_value": math.nan, "cramers_v": math.nan}
    rng = np.random.default_rng(seed)
    found = _chi_square(names, labels)
    permuted = [_chi_square(names, rng.permutation(labels)) for _ in range(PERMUTATIONS)]
    # As many ties as there are count against independence: the permutations are few kinds of tables.
    as_large = sum(value >= found - 1e-9 for value in permuted)
    return {"p_value": (1 + as_large) / (1 + PERMUTATIONS), "cramers_v": math.sqrt(found / len(rows))}


def _chi_square(names: np.ndarray, labels: np.ndarray) -> float:
    """Pearson's statistic of the table layouts (L) x labels (2)."""
    totals = np.bincount(names).astype(float)
    yes = np.bincount(names, weights=labels, minlength=len(totals))
    share = labels.mean()
    return float((((yes - share * totals) ** 2) / (totals * share * (1 - share))).sum())
