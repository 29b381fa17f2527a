"""All trainings that have checkpoints in a place, what there is of each, and whether it is of the present recipe."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proofline.checkpoints.manifest import Manifest
from proofline.checkpoints.place import CheckpointError, Place
from proofline.checkpoints.store import LOCK, Keep, Store, chosen
from proofline.storage.lock import HeldError, held

TRAINING = re.compile(r"([a-z_]+)/([0-9a-f]{16})/step-\d+(?:/.*)?", re.DOTALL)


@dataclass(frozen=True)
class Pruned:
    """What was removed, or would be."""

    steps: list[int]
    num_leftovers: int
    num_bytes: int


def find_trainings(place: Place, which: str | None = None) -> list[Store]:
    """The stores of a place: all, those of a stage, or one (`STAGE/IDENTITY`, of which the beginning is enough).

    Raises CheckpointError where what was asked for is not there.
    """
    found = sorted({match.groups() for name in place.names() if (match := TRAINING.fullmatch(name))})
    chosen = [names for names in found if which is None or "/".join(names).startswith(which)]
    if which is not None and not chosen:
        there = ", ".join("/".join(names) for names in found) or "none at all"
        raise CheckpointError(f"found no checkpoints of {which!r} in {place.describe()}; there are: {there}")
    return [Store(place.below("/".join(names)), *names) for names in chosen]


def newest_manifest(store: Store) -> Manifest | None:
    """Of the newest checkpoint whose manifest can be believed."""
    for step in store.committed():
        try:
            return store.manifest(step)
        except CheckpointError:
            continue
    return None


def differences(decided_by: Mapping[str, Any], section: Mapping[str, Any], seed: int, software: str) -> list[str]:
    """How the recipe of a checkpoint differs from the present one, one line each."""
    before = decided_by.get("section", {})
    lines = [
        f"{name} {before.get(name)!r}, now {section.get(name)!r}"
        for name in sorted(before.keys() | section.keys())
        if before.get(name) != section.get(name)
    ]
    if decided_by.get("seed") != seed:
        lines.append(f"seed {decided_by.get('seed')}, now {seed}")
    if decided_by.get("software") != software:
        lines.append("other code or library versions")
    return lines


@contextmanager
def unused(store: Store, folder: Path) -> Iterator[None]:
    """Inside the block no training of this machine uses the store. Raises CheckpointError where one does."""
    try:
        with held(folder / store.stage / store.identity / LOCK):
            yield
    except HeldError as error:
        raise CheckpointError(f"{store.stage}/{store.identity} is in use by {error}; wait for it, or stop it") from None


def prune(store: Store, keep: Keep | None, dry: bool) -> Pruned:
    """Remove damaged checkpoints, leftovers, and whole checkpoints beyond `keep` (None: all of them).

    With `keep` the newest whole one stays, whatever its number.
    """
    names = store.place.names()
    faults = {step: store.fault(step) for step in store.committed()}
    whole = [step for step, fault in faults.items() if fault is None]
    stays = set() if keep is None else chosen(whole, keep)
    goes = [step for step in faults if step not in stays]
    leftovers = list(store.leftovers())
    pruned = Pruned(goes, len(leftovers), sum(names[name] for name in leftovers) + sum(map(store.num_bytes, goes)))
    if not dry:
        for step in goes:
            store.remove(step)
        store.collect()
    return pruned
