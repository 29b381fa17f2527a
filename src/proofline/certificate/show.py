"""A certificate to read: a table for the terminal, and the same in Markdown for the README.

In: the statement. Out: text. The README holds it between two markers of its own, written by `proofline readme` from the
committed `docs/certificate.json`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

ORDER = ("identical", "same decisions", "equivalent", "different")


def as_text(statement: dict[str, Any]) -> str:
    """Every artefact and every test, in columns."""
    predicate = statement["predicate"]
    artefacts = [(one["path"], one["class"], one["reason"]) for one in predicate["artefacts"]]
    metrics = [("metric", "committed", "reproduced", "difference", "bound", "found with 80%"), *_metric_rows(predicate)]
    parts = [summary(predicate), *(f"FAULT {fault}" for fault in predicate["faults"]), "", *_columns(artefacts)]
    if len(metrics) > 1:
        parts += [
            "",
            *_columns(metrics),
            *(f"{name}: {said}" for name, said in predicate["metrics"]["methods"].items()),
        ]
    differences = predicate["environment"]["differences"]
    parts += ["", "environment, committed -> reproduced:"]
    parts += ["  unknown"] if isinstance(differences, str) else [f"  {one}" for one in differences or ["the same"]]
    return "\n".join(parts)


def as_markdown(statement: dict[str, Any]) -> str:
    """One row a class, one a headline metric."""
    predicate = statement["predicate"]
    stages = {name: [one["stage"] for one in predicate["artefacts"] if one["class"] == name] for name in ORDER}
    rows = [(name, str(len(of)), ", ".join(dict.fromkeys(of))) for name, of in stages.items() if of]
    verdict = f": {predicate['verdict']}"
    said = summary(predicate).replace(verdict, f": **{verdict[2:]}**", 1)
    parts = [said, _table(("class", "artefacts", "of stages"), rows)]
    if tests := _metric_rows(predicate):
        method = " and ".join(predicate["metrics"]["methods"])
        parts += [
            f"Headline metrics that a training can move (bounds for all {len(tests)} together at 95%, from {method}):",
            _table(("metric", "committed", "reproduced", "difference", "bound", "found with 80%"), tests),
        ]
    return "\n\n".join(parts)


def summary(predicate: dict[str, Any]) -> str:
    """One sentence: what came out, of which commit, where."""
    counts = Counter(one["class"] for one in predicate["artefacts"])
    found = ", ".join(f"{counts[name]} {name}" for name in ORDER if counts[name])
    machine = predicate["environment"]["reproduced"]
    processor, gpus = f"{machine['hardware.cpu']} ({machine['hardware.instruction_sets']})", machine["hardware.gpus"]
    stages = predicate["stages"]
    which = "all stages" if stages == "all" else f"stages {', '.join(stages)}"
    faults = f", {len(predicate['faults'])} faults" if predicate["faults"] else ""
    return (
        f"Commit {predicate['source']['commit'][:12]}, {which}: {predicate['verdict']}{faults} "
        f"({found} of {len(predicate['artefacts'])} artefacts), on {processor}, GPUs {gpus}, "
        f"{predicate['finished'][:10]}."
    )


def _metric_rows(predicate: dict[str, Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for test in predicate["metrics"]["tests"]:
        a, b = (math.nan if test[side] is None else test[side] for side in ("committed", "reproduced"))
        numbers = (f"{100 * a:.1f}", f"{100 * b:.1f}", f"{100 * (b - a):+.1f}", f"{100 * test['bound']:.1f}")
        rows.append((test["metric"], *numbers, f"{100 * test['detectable']:.1f}"))
    return rows


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """Left-aligned text; the last column as long as it is."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)] if rows else []
    return [
        "  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in rows
    ]


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
