"""A comparison as a person reads it, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from proofline.comparison.compare import Comparison, Measured
from proofline.comparison.pairing import Side
from proofline.evaluation.claims import DASH, confidence_words, p_words
from proofline.evaluation.markdown import table
from proofline.evaluation.statistics import Estimate


def as_text(comparison: Comparison) -> str:
    """Sides, a table, a sentence for each metric, notes. Markdown that reads well on a terminal."""
    return "\n".join(_lines(comparison)) + "\n"


def _lines(comparison: Comparison) -> Iterator[str]:
    pair, tests = comparison.pair, len(comparison.measured)
    for letter, side in (("A", pair.a), ("B", pair.b)):
        for one in side.seeds:
            yield f"{letter}: {one.name} ({one.origin})"
    kin = "each its own cluster" if comparison.clusters == len(pair.items) else f"in {comparison.clusters} clusters"
    yield f"{len(pair.items)} identical items, {kin}; {tests} {'metric' if tests == 1 else 'metrics'}\n"
    level = confidence_words(comparison.confidence)
    head = ["metric", "A", "B", f"A − B [{level}]", "p", "p (Holm)", "A higher", "B higher", "equal"]
    yield table(head, [_row(one) for one in comparison.measured])
    yield ""
    yield from (f"- {sentence(one, comparison.confidence, tests)}" for one in comparison.measured)
    yield from (
        f"- {_over_seeds(one, level)}" for one in comparison.measured if one.over_seeds.low == one.over_seeds.low
    )
    yield from (f"- {note}." for note in pair.notes)


def sentence(one: Measured, confidence: float, tests: int) -> str:
    """What the data show of a metric, and what they exclude."""
    corrected = f", Holm's correction for {tests} metrics included" if tests > 1 else ""
    level = 1 - confidence
    a_above, b_above = number(one.excluded_a, one), number(one.excluded_b, one)
    bounds = f"an advantage of A above {a_above} and one of B above {b_above} are excluded"
    if one.difference.low != one.difference.low:
        return f"{one.metric}: no interval, there is too little to compare."
    if one.p_holm < level and (one.difference.low > 0 or one.difference.high < 0):
        side = "A" if one.difference.value > 0 else "B"
        low, high = sorted((abs(one.difference.low), abs(one.difference.high)))
        size = f"{number(abs(one.difference.value), one)} ({number(low, one)} to {number(high, one)})"
        return f"**{one.metric}: {side} is higher** by {size}, {p_words(one.p_holm)}{corrected}."
    seen = one.smallest_shown
    test = "this test on its own" if tests > 1 else "this test"
    power = f"; {test} would have shown {number(seen, one)} or more with 80% chance" if seen == seen else ""
    return f"{one.metric}: no difference shown ({p_words(one.p_holm)}{corrected}); {bounds}{power}."


def number(value: float, one: Measured) -> str:
    """A difference: in points where the metric is a share."""
    if value != value:
        return DASH
    return f"{100 * value:.1f} points" if one.is_share else f"{value:.4g}"


def as_json(comparison: Comparison) -> dict[str, Any]:
    """Everything, with the names of the code's fields; undefined is null when written."""
    pair = comparison.pair
    return {
        "a": _side(pair.a),
        "b": _side(pair.b),
        "difference": "a - b",
        "items": len(pair.items),
        "clusters": comparison.clusters,
        "confidence": comparison.confidence,
        "tests": len(comparison.measured),
        "metrics": {one.metric: _measured(one) for one in comparison.measured},
        "notes": list(pair.notes),
    }


def _side(side: Side) -> list[dict[str, Any]]:
    return [
        {
            "name": one.name,
            "origin": one.origin,
            "run": one.run_id,
            "sources": [asdict(source) for source in one.sources],
        }
        for one in side.seeds
    ]


def _measured(one: Measured) -> dict[str, Any]:
    fields = {name: value for name, value in asdict(one).items() if name != "metric"}
    fields |= {name: fields[name]._asdict() for name in ("difference", "over_seeds")}
    return fields | {"excluded": {"a_above": one.excluded_a, "b_above": one.excluded_b}}


def _row(one: Measured) -> list[str]:
    p_values = [p_words(p).removeprefix("p ").removeprefix("= ") for p in (one.p_value, one.p_holm)]
    counts = [str(count) for count in (one.a_better, one.b_better, one.ties)]
    left_out = f" ({one.left_out} left out: no value on a side)" if one.left_out else ""
    return [
        one.metric + left_out,
        _cell(one.a, one),
        _cell(one.b, one),
        _signed(one.difference, one),
        *p_values,
        *counts,
    ]


def _cell(value: float, one: Measured) -> str:
    return DASH if value != value else f"{100 * value:.1f}%" if one.is_share else f"{value:.4g}"


def _signed(difference: Estimate, one: Measured) -> str:
    def signed(value: float) -> str:
        shown = DASH if value != value else f"{100 * value:+.1f}" if one.is_share else f"{value:+.4g}"
        return shown.replace("-", "−")

    return f"{signed(difference.value)} [{signed(difference.low)}, {signed(difference.high)}]"


def _over_seeds(one: Measured, level: str) -> str:
    a, b = (", ".join(_cell(seed, one) for seed in seeds) for seeds in (one.seeds_a, one.seeds_b))
    further = _signed(one.over_seeds, one)
    return f"{one.metric} by seed: A {a}; B {b}. Further seeds on these items: {further} ({level}, Welch)."
