"""What `registry list`, `history` and `verify` print: a line each, of what people choose by."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from proofline.config.schema import TRAINED
from proofline.registry.files import examine
from proofline.registry.history import history
from proofline.registry.origin import DIRTY, EDITS, EXPERIMENT, SEED
from proofline.registry.store import WEIGHTS, aliases, model_id_of, model_metrics, model_name, versions
from proofline.registry.unfinished import cut_off, in_words
from proofline.storage.weights import WeightsError, weights_hash

HEADLINES = {"accuracy": "accuracy", "verifier.auroc_within_layout": "AUROC within layout"}
"""Metrics that the list shows where a version has them, and what it calls them."""
COLUMNS = ("version", "registered", "seed", "evaluation", "aliases", "workspace", "recipe")


def listing(client: Any, root: Path) -> Iterator[str]:
    """All versions, newest first. `workspace` says which one `models/POLICY` is."""
    rows = [COLUMNS, *(row for policy in TRAINED for row in _rows(client, policy, root))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if len(rows) == 1:
        yield "no versions; `dvc repro` registers what it trains, `proofline registry register POLICY` what lies here"
        return
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
    for policy in TRAINED:
        here, known = _weights(root, policy), {version.tags.get(WEIGHTS) for version in versions(client, policy)}
        if here is not None and here not in known:
            yield f"models/{policy} is not registered (weights {here}); `proofline registry register {policy}`"


def verification(client: Any) -> Iterator[tuple[str, bool]]:
    """For each version a line, and whether it loads with the weights it was registered with; then a line for each
    registration that was cut off, which makes no version worse."""
    for policy in TRAINED:
        for version in versions(client, policy):
            wrong = examine(client, version)
            untold = "" if WEIGHTS in version.tags else " (made by hand: no weights hash to compare)"
            said = wrong or f"loads, with the weights it was registered with{untold}"
            yield f"{version.name} {version.version}: {said}", wrong is None
        for model in cut_off(client, policy):
            yield f"{model.name}: {in_words(model)}; the next `proofline registry register {policy}` clears up", True


def told(client: Any, policy: str) -> list[str]:
    """The history, oldest first."""
    lines = [str(entry) for entry in history(client, policy)]
    return lines or [f"{model_name(policy)} has had no champion yet"]


def _rows(client: Any, policy: str, root: Path) -> Iterator[tuple[str, ...]]:
    named, here = aliases(client, policy), _weights(root, policy)
    for version in versions(client, policy):
        tags = version.tags
        yield (
            f"{version.name} {version.version}",
            f"{datetime.fromtimestamp(version.creation_timestamp / 1000):%Y-%m-%d %H:%M}",
            tags.get(SEED, "-"),
            _evaluation(client, version),
            ", ".join(sorted(alias for alias, number in named.items() if number == int(version.version))) or "-",
            f"models/{policy}" if here is not None and tags.get(WEIGHTS) == here else "-",
            _recipe(tags),
        )


def _recipe(tags: dict[str, str]) -> str:
    """Which recipe: the experiment's name, and how it differs from its commit."""
    edits = tags.get(EDITS) or ("uncommitted code" if DIRTY in tags else "")
    return "; ".join(filter(None, [tags.get(EXPERIMENT), edits])) or "-"


def _evaluation(client: Any, version: Any) -> str:
    model_id = model_id_of(version)
    if model_id is None:
        return "-"
    found = model_metrics(client, model_id)
    shown = [f"{title} {100 * found[name]:.1f}%" for name, title in HEADLINES.items() if name in found]
    return ", ".join(shown) or "-"


def _weights(root: Path, policy: str) -> str | None:
    try:
        return weights_hash(root / "models" / policy)
    except WeightsError:
        return None
