"""Results made up for a test of the mathematics; those of the harnesses' logs are real ones, in `logs/`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from proofline.comparison.results import Item, Results


def results(name: str, metrics: Mapping[str, Sequence[float]], clusters: Sequence[str] | None = None) -> Results:
    """Items `item-0`, `item-1`, …, with these values in order."""
    count = len(next(iter(metrics.values())))
    keys = [f"item-{number:03}" for number in range(count)]
    items = {key: Item(f"question {key} → 1", clusters[at] if clusters else key) for at, key in enumerate(keys)}
    values = {metric: dict(zip(keys, column, strict=True)) for metric, column in metrics.items()}
    return Results(name, "invented", items, values, ())
