"""All that interrupted stages have kept in a place, what there is of each, and whether it is of the present recipe."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proofline.checkpoints.manifest import Manifest
from proofline.checkpoints.pieces import Piece, Pieces
from proofline.checkpoints.place import CheckpointError, Place
from proofline.checkpoints.store import LOCK, Keep, Store, chosen
from proofline.storage.lock import HeldError, held

KEPT = re.compile(r"([a-z_]+)/([0-9a-f]{16})/(step|piece)-\d+(?:[/.].*)?", re.DOTALL)
Kept = Store | Pieces
"""A training's checkpoints, or the pieces of a stage of shards."""


@dataclass(frozen=True)
class Pruned:
    """What was removed, or would be."""

    steps: list[int]
    num_leftovers: int
    num_bytes: int


def find_kept(place: Place, which: str | None = None) -> list[Kept]:
    """What a place has: all, that of a stage, or one (`STAGE/IDENTITY`, of which the beginning is enough).

    Raises CheckpointError where what was asked for is not there.
    """
    found = sorted({match.groups() for name in place.names() if (match := KEPT.fullmatch(name))})
    chosen = [names for names in found if which is None or "/".join(names[:2]).startswith(which)]
    if which is not None and not chosen:
        there = ", ".join("/".join(names[:2]) for names in found) or "none at all"
        raise CheckpointError(f"found no checkpoints of {which!r} in {place.describe()}; there are: {there}")
    kinds: dict[str, type[Kept]] = {"step": Store, "piece": Pieces}
    return [kinds[kind](place.below(f"{stage}/{identity}"), stage, identity) for stage, identity, kind in chosen]


def newest_manifest(store: Kept) -> Manifest | Piece | None:
    """Of the newest checkpoint or piece that can be believed."""
    for step in store.committed():
        try:
            return store.manifest(step)
        except CheckpointError:
            continue
    return None


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """How the settings that something was made by differ from the present ones, one line each."""
    return [
        f"{name} {before.get(name)!r}, now {now.get(name)!r}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    ]


@contextmanager
def unused(store: Kept, folder: Path) -> Iterator[None]:
    """Inside the block no stage of this machine uses the store. Raises CheckpointError where one does."""
    try:
        with held(folder / store.stage / store.identity / LOCK):
            yield
    except HeldError as error:
        raise CheckpointError(f"{store.stage}/{store.identity} is in use by {error}; wait for it, or stop it") from None


def prune(store: Kept, keep: Keep | None, dry: bool) -> Pruned:
    """Remove what is damaged, leftovers, and whole checkpoints beyond `keep` (None: all there is).

    With `keep` a training's newest whole one stays, whatever its number; and so do all whole pieces, each of which
    holds what no other has.
    """
    names = store.place.names()
    faults = {step: store.fault(step) for step in store.committed()}
    whole = [step for step, fault in faults.items() if fault is None]
    stays = set() if keep is None else set(whole) if isinstance(store, Pieces) else chosen(whole, keep)
    goes = [step for step in faults if step not in stays]
    leftovers = list(store.leftovers())
    pruned = Pruned(goes, len(leftovers), sum(names[name] for name in leftovers) + sum(map(store.num_bytes, goes)))
    if not dry:
        for step in goes:
            store.remove(step)
        store.collect()
    return pruned
