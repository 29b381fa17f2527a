"""Two files under one name: are they the same, and if not, do they decide the same?

In: the entries of the committed and of the reproduced file. Out: `Comparison`. What has no decisions of its own (a
picture, a text, weights) can only be the same bytes or not; `classes` then asks what it was made of, or what it does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from enum import IntEnum
from pathlib import PurePosixPath
from typing import Any, NamedTuple

import numpy as np

from proofline.certificate.decisions import Rows, is_derived
from proofline.certificate.manifest import WEIGHTS, Entry


class Class(IntEnum):
    """From best to worst."""

    IDENTICAL = 0
    SAME = 1
    EQUIVALENT = 2
    DIFFERENT = 3

    def __str__(self) -> str:
        return ("identical", "same decisions", "equivalent", "different")[self]


ROWS_ABSOLUTE, ROWS_RELATIVE = 1e-3, 1e-4
"""Measured values of a row: log-probabilities (nats) summed over a solution's tokens, probabilities."""
VALUES_ABSOLUTE = 1e-4
"""Numbers of a JSON file: shares and differences of shares."""
TOLERANCE = {"rows_absolute": ROWS_ABSOLUTE, "rows_relative": ROWS_RELATIVE, "values_absolute": VALUES_ABSOLUTE}


class Comparison(NamedTuple):
    """How a reproduced file stands to the committed one, by itself."""

    known: Class | None
    """None: other bytes, and nothing in them that decides."""
    reason: str
    excusable: bool = True
    """False where no other training can be the reason."""


def compare_outs(committed: Mapping[str, Entry], reproduced: Mapping[str, Entry]) -> Comparison:
    """The worst of an out's files; weights count last, so that a changed configuration is not hidden behind them."""
    if missing := sorted(set(committed) ^ set(reproduced)):
        side = "committed" if missing[0] in committed else "reproduced"
        return Comparison(Class.DIFFERENT, f"{missing[0]} was {side} only", excusable=False)
    in_model = any(path.endswith(WEIGHTS) for path in committed)
    found = [_compare(path, committed[path], reproduced[path], in_model) for path in sorted(committed)]
    return max(found, key=_badness, default=Comparison(Class.IDENTICAL, ""))


def _badness(one: Comparison) -> tuple[bool, float]:
    return not one.excusable, Class.SAME + 0.5 if one.known is None else float(one.known)


def _compare(path: str, committed: Entry, reproduced: Entry, in_model: bool) -> Comparison:
    if committed.md5 == reproduced.md5:
        return Comparison(Class.IDENTICAL, "")
    if in_model and not path.endswith(WEIGHTS):
        return Comparison(
            Class.DIFFERENT, f"{PurePosixPath(path).name}: other bytes, and no training writes it", excusable=False
        )
    if committed.rows is not None and reproduced.rows is not None:
        found = compare_rows(committed.rows, reproduced.rows)
    elif committed.values is not None and reproduced.values is not None:
        found = compare_values(committed.values, reproduced.values)
    else:
        found = Comparison(None, "other bytes")
    return found._replace(reason=f"{PurePosixPath(path).name}: {found.reason}")


def compare_rows(committed: Rows, reproduced: Rows) -> Comparison:
    """Digest by digest, then the measured values."""
    if committed.count != reproduced.count or committed.kind != reproduced.kind:
        counts = f"{reproduced.count:,} rows of {reproduced.kind}, committed {committed.count:,} of {committed.kind}"
        return Comparison(Class.DIFFERENT, counts, excusable=committed.kind == reproduced.kind)
    if changed := int((committed.digests != reproduced.digests).sum()):
        first = int(np.flatnonzero(committed.digests != reproduced.digests)[0]) + 1
        return Comparison(Class.DIFFERENT, f"{changed:,} of {committed.count:,} rows differ, the first in line {first}")
    largest, field = 0.0, ""
    for name in committed.measured:
        a, b = committed.values(name), reproduced.values(name)
        gaps = np.nan_to_num(np.abs(a - b))
        if np.any(over := gaps > ROWS_ABSOLUTE + ROWS_RELATIVE * np.nan_to_num(np.maximum(np.abs(a), np.abs(b)))):
            return Comparison(Class.DIFFERENT, f"{name} differs by up to {gaps.max():.3g} ({int(over.sum())} values)")
        if gaps.size and gaps.max() >= largest:
            largest, field = float(gaps.max()), name
    return Comparison(
        Class.SAME, f"same {committed.count:,} rows" + (f", {field} within {largest:.1e}" if field else "")
    )


def compare_values(committed: Any, reproduced: Any) -> Comparison:
    """Leaf by leaf; hashes of weights count for nothing."""
    differing = [
        (name, a, b)
        for name, a, b in leaf_pairs(committed, reproduced)
        if a != b and not is_derived(name.split(".")[-1])
    ]
    gaps = [_gap(a, b) for _, a, b in differing]
    if any(gap > VALUES_ABSOLUTE for gap in gaps):
        worst = max(range(len(gaps)), key=gaps.__getitem__)
        name, a, b = differing[worst]
        return Comparison(Class.DIFFERENT, f"{name} is {_short(b)}, committed {_short(a)} ({len(gaps)} values differ)")
    largest = f", numbers within {max(gaps):.1e}" if gaps else ""
    return Comparison(Class.SAME, f"same values{largest}")


def leaf_pairs(a: Any, b: Any, name: str = "") -> Iterator[tuple[str, Any, Any]]:
    """The leaves of two JSON values side by side; None beside what only one has."""
    if isinstance(a, dict) and isinstance(b, dict):
        for key in {**a, **b}:
            yield from leaf_pairs(a.get(key), b.get(key), f"{name}.{key}" if name else str(key))
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for position, (one, other) in enumerate(zip(a, b, strict=True)):
            yield from leaf_pairs(one, other, f"{name}.{position}")
    else:
        yield name, a, b


def _gap(a: Any, b: Any) -> float:
    """Between two numbers of which one at least is a float; anything else that differs is infinitely far apart."""
    numbers = all(isinstance(one, int | float) and not isinstance(one, bool) for one in (a, b))
    return abs(a - b) if numbers and isinstance(a + b, float) else math.inf


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else repr(value)[:60]
