"""What every reader returns: one evaluation, item by item.

An item is known by its content, the question and the reference, never by its place: its key is a hash of both. Items
of equal content in one evaluation are numbered, and are one cluster.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from proofline.records import stable_id
from proofline.tracking.lineage import Item as Source


class ComparisonError(ValueError):
    """Results that cannot be read, or cannot be compared."""


class Item(NamedTuple):
    """One question."""

    text: str
    """Question and reference, as a person recognises them."""
    cluster: str
    """Items of one cluster are not independent."""
    prompt: str = ""
    """Hash of what the model was given for it, where that is known."""


@dataclass(frozen=True)
class Results:
    """One evaluation."""

    name: str
    """As it was asked for."""
    origin: str
    """What it was read as."""
    items: Mapping[str, Item]
    """By key."""
    metrics: Mapping[str, Mapping[str, float]]
    """Values by metric and key of the item; NaN or absent: the item has none."""
    sources: tuple[Source, ...]
    """The files behind it, by content."""
    run_id: str | None = None
    """Of the evaluation, where the tracking store knows it."""
    notes: tuple[str, ...] = ()
    """What a reader of the numbers should know."""

    def named(self, name: str, *notes: str) -> Results:
        return replace(self, name=name, notes=(*self.notes, *notes))

    def value(self, metric: str, key: str) -> float:
        return self.metrics[metric].get(key, math.nan)


def keyed(contents: Iterable[object]) -> list[tuple[str, str]]:
    """(key, cluster) of each content, in order; the second of two equal ones has another key and the same cluster."""
    seen: Counter[str] = Counter()
    found = []
    for content in contents:
        cluster = stable_id(content)
        seen[cluster] += 1
        found.append((cluster if seen[cluster] == 1 else f"{cluster}#{seen[cluster]}", cluster))
    return found


def source(path: Path) -> Source:
    """A file, by its content. Its folder is left out: it is this machine's."""
    with open(path, "rb") as content:
        return Source(path.name, hashlib.file_digest(content, "md5").hexdigest(), path.stat().st_size)


def described(question: str, reference: object) -> str:
    """Both on one line, each cut where it is long."""
    return f"{_shortened(question, 80)} → {_shortened(str(reference), 30)}"


def _shortened(text: str, length: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"


def counted(number: int, one: str, rest: str, many: str | None = None) -> list[str]:
    """`['2 samples ended in an error']`; nothing of none."""
    return [f"{number} {one if number == 1 else many or one + 's'} {rest}"] if number else []
