"""Markdown tables, and numbers as they stand in their cells."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from proofline.evaluation.claims import DASH
from proofline.evaluation.metrics import Metrics, estimate


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def share(value: float | None) -> str:
    """A share in percent, without an interval."""
    return DASH if value is None or value != value else f"{100 * value:.1f}"


def score(value: Metrics, sign: str = "") -> str:
    """`0.814 [0.782, 0.843]`; with the sign `+`, as differences are written."""
    middle, low, high = (
        DASH if bound != bound else f"{bound:{sign}.3f}".replace("-", "−") for bound in estimate(value)
    )
    return DASH if middle == DASH else f"{middle} [{low}, {high}]"
