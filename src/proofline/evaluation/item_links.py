"""From a number in the report to the items behind it.

In: a table's corner, row and column titles, as `results` and `verifier_tables` write them, and the cell's text.
Out: the cell's links, or None where no items are known behind such a cell.

A table is known by its titles alone. That they mean what they are taken for is held against the number that stands in
the cell: what the items give must round to it, or there is no page.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlencode

from proofline.evaluation.items import Items, Query
from proofline.evaluation.study import TITLES
from proofline.evaluation.tally import benchmark_title

ANCHOR = "items"
NUMBER = re.compile(r"[+−-]?\d[\d,]*(?:\.\d+)?")
ROUNDING = 0.0501
"""Cells have one decimal."""
POLICIES = {title: name for name, title in TITLES.items()}
ELLIPSIS = "…"
"""A row whose title begins so goes on with the title above it."""


class PageError(ValueError):
    """The report's Markdown and its items contradict each other, or a picture is missing."""


class Link(NamedTuple):
    """To what a query selects."""

    query: Query
    words: str

    @property
    def href(self) -> str:
        return f"#{ANCHOR}?{urlencode(self.query)}"


class Cell(NamedTuple):
    """What stands behind a cell."""

    values: tuple[float, ...]
    """What the items give for its first numbers."""
    inside: tuple[Link, ...] = ()
    """Of its first numbers, one by one."""
    below: tuple[Link, ...] = ()
    """To be added under it."""


def cell_links(items: Items, corner: str, row: str, column: str, text: str) -> Cell | None:
    """Of one cell. Raises PageError where the items give another number than stands in it."""
    rule = next((rule for title, rule in RULES.items() if re.fullmatch(title, corner)), None)
    numbers = [float(one.replace("−", "-").replace(",", "")) for one in NUMBER.findall(text)]
    cell = rule(items, row, column) if rule and numbers else None
    if cell is None:
        return None
    found = numbers[: len(cell.values)]
    if len(found) < len(cell.values) or any(abs(a - b) > ROUNDING for a, b in zip(found, cell.values, strict=True)):
        given = ", ".join(f"{value:.2f}" for value in cell.values)
        raise PageError(
            f"table {corner!r}, row {row!r}, column {column!r}: the report says {text!r}, its items give {given}; "
            "say in `evaluation/item_links.py` what such a cell means"
        )
    return cell


def _accuracy(items: Items, row: str, column: str) -> Cell | None:
    best, against = row.partition(", best of ")[0], column.partition("won / lost / tied against ")[2]
    scope = _scope(items, column)
    if row in POLICIES and against in POLICIES:
        return _record(items, POLICIES[row], POLICIES[against])
    if scope is None:
        return None
    if row in POLICIES:
        return _percent(items, (("right", POLICIES[row]),), scope)
    return _picked(items, scope) if POLICIES.get(best) == items.verified else None


def _steps(items: Items, row: str, column: str) -> Cell | None:
    if row not in POLICIES:
        return None
    policy = POLICIES[row]
    cases: dict[str, tuple[Query, Query]] = {
        "show their steps": ((("shows", policy),), ()),
        "right among these": ((("right", policy),), (("shows", policy),)),
        "right among the others": ((("right", policy),), (("hides", policy),)),
    }
    return _percent(items, *cases[column]) if column in cases else None


def _change(items: Items, row: str, column: str) -> Cell | None:
    names, _, kind = row.rpartition(", ")
    before, _, after = (POLICIES.get(name, "") for name in names.partition(" → "))
    scope = _scope(items, column)
    total = 0 if scope is None else _count(items, scope)
    if scope is None or not (total and before and after) or kind not in ("greedy", "samples"):
        return None
    if kind == "greedy":
        won, lost = ((*scope, *query) for query in _decided(after, before))
        gain, words = float(_count(items, won) - _count(items, lost)), ("won", "lost")
    else:
        won, lost = ((*scope, ("more", f"{one}~{two}")) for one, two in ((after, before), (before, after)))
        right = [item.right_samples for item, _ in items.select(scope)]
        gain, words = sum(row[after] - row[before] for row in right) / items.num_samples, ("better", "worse")
    links = tuple(Link(query, f"{_count(items, query):,} {how}") for query, how in zip((won, lost), words, strict=True))
    return Cell((100 * gain / total,), below=links)


def _verifier(items: Items, row: str, column: str) -> Cell | None:
    scope = _scope(items, column)
    if scope is None:
        return None
    if row == "problems with right and wrong samples":
        mixed: Query = (*scope, ("mixed", items.verified))
        return Cell((_count(items, mixed),), (Link(mixed, "these problems"),))
    error = next((error for error in CANDIDATE_ERRORS if row.startswith(error)), None)
    if error is None:
        return None
    shown: Query = (("steps", "shown"),) if row.endswith("… of those that show their steps") else ()
    graded, verdict = CANDIDATE_ERRORS[error]
    of: Query = (*scope, *shown, ("graded", graded))
    query: Query = (*of, ("genrm", verdict))
    hits, total = (sum(len(kept) for _, kept in items.select(one)) for one in (query, of))
    return Cell((100 * hits / total,), (Link(query, f"{hits:,} of {total:,} samples"),)) if total else None


def _samples(items: Items, row: str, column: str) -> Cell | None:
    known = row in POLICIES and column == f"pass@{items.num_samples}"
    return _percent(items, (("any", POLICIES[row]),), ()) if known else None


CANDIDATE_ERRORS = {"false accepts": ("wrong", "accepted"), "false rejects": ("right", "rejected")}
"""Of which candidates the row speaks, and what the verifier says of those it counts."""
RULES: dict[str, Callable[[Items, str, str], Cell | None]] = {
    r"accuracy, % \[interval\]": _accuracy,
    r"%": _steps,
    r"step": _change,
    r"verifier": _verifier,
    r"\d+ samples a problem, %": _samples,
}
"""By a table's corner."""


def _scope(items: Items, column: str) -> Query | None:
    """`GSM8K (n=1319)` -> its benchmark; `all` -> every item; None for another column."""
    scopes: dict[str, Query] = {benchmark_title(name): (("benchmark", name),) for name in items.benchmarks}
    return {**scopes, "all": ()}.get(re.sub(r" \(n=[\d,]+\)$", "", column))


def _count(items: Items, query: Query) -> int:
    return len(items.select(query))


def _percent(items: Items, query: Query, of: Query) -> Cell | None:
    hits, total = _count(items, (*of, *query)), _count(items, of)
    return Cell((100 * hits / total,), (Link((*of, *query), f"{hits:,} of {total:,} problems"),)) if total else None


def _decided(policy: str, other: str) -> tuple[Query, Query]:
    """The problems that only the policy solves, and those that only the other does."""
    return (("right", policy), ("wrong", other)), (("wrong", policy), ("right", other))


def _record(items: Items, policy: str, other: str) -> Cell:
    queries = _decided(policy, other)
    won, lost = (_count(items, query) for query in queries)
    links = tuple(Link(query, f"problems {how}") for query, how in zip(queries, ("won", "lost"), strict=True))
    return Cell((won, lost, len(items.rows) - won - lost), links)


def _picked(items: Items, scope: Query) -> Cell | None:
    shares = [item.picked for item, _ in items.select(scope)]
    query: Query = (*scope, ("picked", "right"))
    link = Link(query, f"{_count(items, query):,} problems where its choice, or one that ties with it, is right")
    return Cell((100 * sum(shares) / len(shares),), (link,)) if shares else None
