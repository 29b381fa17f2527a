"""Each trace and its counterpart: a Yes and a No that nothing but their content tells apart.

In: kept traces, problem by problem. Out: couples, put aside on the disk, and the order in which their traces are
trained on. A problem's couples depend on the problem alone; which of all couples are taken and how their traces are
shuffled is decided by numbers, so that the texts of one problem are held.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from proofline.config.schema import Traces
from proofline.data.candidates import kind_of
from proofline.records import VerificationTrace, stable_id
from proofline.storage.rows import Aside


class Couple(NamedTuple):
    """A Yes and a No that are put aside. Sampled candidates first, then written ones; within those by a seeded hash, so
    that a new candidate does not move the others."""

    written: bool
    orders: tuple[int, int]
    places: tuple[int, int]


def couple_up(
    traces: Iterable[VerificationTrace], section: Traces, seed: int
) -> Iterator[tuple[VerificationTrace, VerificationTrace]]:
    """A Yes and a No that nothing but their content tells apart, `per_problem` traces of a problem at most."""
    for _, rows in groupby(traces, key=attrgetter("problem_id")):
        groups: dict[tuple[str, ...], dict[bool, list[VerificationTrace]]] = defaultdict(lambda: {True: [], False: []})
        for trace in sorted(rows, key=lambda trace: _order(trace, seed)):
            kind = kind_of(trace.candidate_from.policy)
            groups[trace.origin, trace.layout, kind][trace.label].append(trace)
        couples = [couple for group in groups.values() for couple in zip(group[True], group[False], strict=False)]
        couples.sort(key=lambda couple: (_is_written(couple[0]), _order(couple[0], seed)))
        yield from couples[: section.per_problem // 2]


def put_aside(
    couple: tuple[VerificationTrace, VerificationTrace], aside: Aside[VerificationTrace], seed: int
) -> Couple:
    """Write both, and keep what their order depends on."""
    yes, no = couple
    return Couple(_is_written(yes), (_order(yes, seed), _order(no, seed)), (aside.put(yes), aside.put(no)))


def shuffled(couples: Iterable[Couple]) -> array[int]:
    """The places of their traces, in an order that knows neither problem nor label."""
    traces = sorted(row for one in couples for row in zip(one.orders, one.places, strict=True))
    return array("Q", [place for _, place in traces])


def _is_written(trace: VerificationTrace) -> bool:
    return kind_of(trace.candidate_from.policy) == "written"


def _order(trace: VerificationTrace, seed: int) -> int:
    return int(stable_id("trace order", seed, trace.id), 16)
