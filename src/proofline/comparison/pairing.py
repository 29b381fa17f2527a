"""Two sides on identical items, or a refusal that shows what differs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from proofline.comparison.results import ComparisonError, Item, Results, counted

SHOWN = 3
"""Items that a refusal shows of each side."""


class ItemsDifferError(ComparisonError):
    """The sides were not asked the same."""


@dataclass(frozen=True)
class Side:
    """What stands on one side: one evaluation, or one for each seed."""

    seeds: tuple[Results, ...]

    @property
    def name(self) -> str:
        return ",".join(one.name for one in self.seeds)

    def values(self, metric: str, keys: Sequence[str]) -> list[list[float]]:
        """(seeds, items)."""
        return [[one.value(metric, key) for key in keys] for one in self.seeds]


@dataclass(frozen=True)
class Pair:
    """Both sides, the items in a fixed order, and the metrics that both have."""

    a: Side
    b: Side
    items: Mapping[str, Item]
    metrics: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(self.items)


def pair(a: Sequence[Results], b: Sequence[Results]) -> Pair:
    """Raises ItemsDifferError where any two of all these results are about other items, ComparisonError where the
    sides have no metric in common."""
    first = a[0]
    for other in (*a[1:], *b):
        _same_items(first, other)
    ours, theirs = (set(one[0].metrics) for one in (a, b))
    for side in (a, b):
        for one in side[1:]:
            if one.metrics.keys() != side[0].metrics.keys():
                raise ComparisonError(
                    f"{side[0].name} has {', '.join(side[0].metrics)}, {one.name} of the same side "
                    f"{', '.join(one.metrics)}: seeds of one recipe have the same metrics"
                )
    both = [metric for metric in first.metrics if metric in theirs]
    if not both:
        has_a, has_b = (", ".join(sorted(metrics)) or "none" for metrics in (ours, theirs))
        told = "".join(f"\n  {note}" for note in _notes(a, b, set(), set()))
        raise ComparisonError(f"no metric is in both: {a[0].name} has {has_a}; {b[0].name} has {has_b}{told}")
    items = {key: first.items[key] for key in sorted(first.items)}
    measured = [metric for metric in both if any(_defined(side[0], metric) for side in (a, b))]
    notes = _notes(a, b, ours ^ theirs, set(both) - set(measured))
    return Pair(Side(tuple(a)), Side(tuple(b)), items, tuple(measured), tuple(notes))


def _same_items(first: Results, other: Results) -> None:
    if first.items.keys() == other.items.keys():
        return
    lines = [
        f"{first.name} and {other.name} are not about the same items (question and reference): "
        f"{len(first.items.keys() & other.items.keys())} in both"
    ]
    for one, without in ((first, other), (other, first)):
        only = sorted(one.items.keys() - without.items.keys(), key=lambda key: one.items[key].text)
        lines.append(f"{len(only)} only in {one.name}" + (":" if only else ""))
        lines += [f"    {one.items[key].text}" for key in only[:SHOWN]]
        lines += [f"    … and {len(only) - SHOWN} more"] if len(only) > SHOWN else []
    raise ItemsDifferError("\n  ".join([*lines, "evaluate both on the same items, with the same limit"]))


def _defined(results: Results, metric: str) -> bool:
    return any(not math.isnan(value) for value in results.metrics[metric].values())


def _notes(a: Sequence[Results], b: Sequence[Results], single: set[str], empty: set[str]) -> list[str]:
    notes = [f"{one.name}: {note}" for one in (*a, *b) for note in one.notes]
    prompts = [(a[0].items[key].prompt, b[0].items[key].prompt) for key in a[0].items]
    differ = sum(bool(ours and theirs) and ours != theirs for ours, theirs in prompts)
    notes += counted(differ, "item", "put to the sides in different prompts: chat template, examples or instructions")
    notes += [f"{metric} is on one side only, and is not compared" for metric in sorted(single)]
    notes += [f"{metric} has no number for any item, and is not compared" for metric in sorted(empty)]
    return notes
