"""The checkpoints of one training in a place: `step-00000120/manifest.json` and the objects that the manifest names.

A checkpoint is there from the moment its manifest is, which exactly one writer can make. What no manifest names is a
leftover of a writer that was stopped. A manifest goes first when a checkpoint is removed.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from proofline.checkpoints.folder import Folder
from proofline.checkpoints.manifest import MANIFEST, DamageError, Manifest, parse, seal, unseal
from proofline.checkpoints.place import CheckpointError, Found, Place, TakenError, checksum

STEP = re.compile(r"step-(\d{8,12})")

LOCK = "lock"
"""Beside the checkpoints on this machine: held by the training that they belong to."""


def step_folder(step: int) -> str:
    return f"step-{step:08d}"


@dataclass(frozen=True)
class Keep:
    """Which checkpoints stay when a new one is there."""

    last: int = 2
    """The newest so many."""
    every: int | None = None
    """And those whose steps are a multiple of this."""


def chosen(steps: Sequence[int], keep: Keep) -> set[int]:
    """Those of some steps, newest first, that are to be kept: never none."""
    return set(steps[: keep.last]) | {step for step in steps if keep.every and step % keep.every == 0}


@dataclass(frozen=True)
class Store:
    """The checkpoints of the training that is called `stage`/`identity`, in a place of their own."""

    place: Place
    stage: str
    identity: str

    unit = "step"

    def steps(self) -> list[int]:
        """Whatever calls itself a checkpoint, the one of the most steps first."""
        found = {match[1] for name in self.place.names() if (match := STEP.fullmatch(name.partition("/")[0]))}
        return sorted(map(int, found), reverse=True)

    def manifest(self, step: int) -> Manifest:
        """Raises DamageError, CheckpointError where there is none that can be believed."""
        name = f"{step_folder(step)}/{MANIFEST}"
        try:
            manifest = parse(Manifest, unseal(self.place.read(name), self.place.size(name)))
        except FileNotFoundError:
            raise DamageError(f"it has no {MANIFEST}: it was cut off while it was written") from None
        except DamageError as error:
            raise DamageError(f"{MANIFEST}: {error}") from None
        belongs = (manifest.stage, manifest.identity, manifest.step)
        if belongs != (self.stage, self.identity, step):
            raise DamageError(f"{MANIFEST}: it is that of {manifest.stage}/{manifest.identity}, step {manifest.step}")
        return manifest

    def fault(self, step: int) -> str | None:
        """What keeps a checkpoint from being used; None: it is what was written, to the byte."""
        try:
            manifest = self.manifest(step)
            assert manifest.shares
            for name, part in manifest.objects.items():
                whole = f"{step_folder(step)}/{name}"
                size = self.place.size(whole)
                if size != part.num_bytes:
                    return f"{name} has {size:,} bytes, {part.num_bytes:,} were written"
                if checksum(self.place.read(whole)).crc32c != part.crc32c:
                    return f"{name} is not what was written: its checksum is another"
        except FileNotFoundError:
            return f"{name} missing"
        except CheckpointError as error:
            return str(error)
        return None

    def fetch(self, step: int, scratch: Path) -> list[Path]:
        """The shares of a whole checkpoint as folders of this machine, in the order of the processes that wrote it."""
        manifest = self.manifest(step)
        root = self.place.local([f"{step_folder(step)}/{name}" for name in manifest.objects], scratch)
        here = Folder(root / step_folder(step))
        for name, part in manifest.objects.items():
            if checksum(here.read(name)) != Found(part.num_bytes, part.crc32c):
                raise DamageError(f"{here.describe(name)} changed while it was read; start again")
        return [here.root / share for share in manifest.shares]

    def last_whole(self) -> int | None:
        """The undamaged checkpoint of the most steps; says on stderr why those with more are not used."""
        for step in self.steps():
            # Twice: a stream that broke on its way is no damage.
            fault = self.fault(step) and self.fault(step)
            if fault is None:
                return step
            where = self.place.describe(step_folder(step))
            print(f"checkpoints: {where} is not used: {fault}", file=sys.stderr, flush=True)
        return None

    def committed(self) -> list[int]:
        """Steps that have a manifest, newest first; what they hold is not read."""
        names = self.place.names()
        return [step for step in self.steps() if f"{step_folder(step)}/{MANIFEST}" in names]

    def commit(self, manifest: Manifest) -> None:
        """Make the checkpoint exist, all its objects being there. Raises TakenError where another writer has."""
        name = f"{step_folder(manifest.step)}/{MANIFEST}"
        try:
            self.place.create(name, seal(manifest.model_dump(mode="json")))
        except TakenError:
            raise TakenError(
                f"step {manifest.step} of this very training was committed by another process meanwhile: "
                f"{self.place.describe(name)} stays as that one wrote it. Let one of the two go on"
            ) from None

    def num_bytes(self, step: int) -> int:
        """Of all that lies in a checkpoint's folder."""
        return sum(size for name, size in self.place.names().items() if name.startswith(step_folder(step) + "/"))

    def remove(self, step: int) -> None:
        """A checkpoint, whole or not; at no moment is there a manifest whose objects are gone."""
        folder = step_folder(step)
        names = [name for name in self.place.names() if name == folder or name.startswith(folder + "/")]
        self.place.remove(sorted(names, key=lambda name: name != f"{folder}/{MANIFEST}"))

    def rotate(self, keep: Keep) -> list[int]:
        """Remove what is not to be kept, of the committed ones. Returns the steps that went.

        Nothing goes unless one that stays is whole: the caller has just written one, or has verified it.
        """
        committed = self.committed()
        stays = chosen(committed, keep)
        goes = [step for step in committed if step not in stays]
        for step in goes:
            self.remove(step)
        return goes

    def leftovers(self, attempt: str | None = None) -> Iterator[str]:
        """Objects that no manifest names; those of a running `attempt` are not among them."""
        named: set[str] = set()
        names = self.place.names()
        for step in self.committed():
            try:
                named |= {f"{step_folder(step)}/{name}" for name in (MANIFEST, *self.manifest(step).objects)}
            except CheckpointError:  # nobody can say what belongs to it: it stays as evidence, until it is removed
                named |= {name for name in names if name.startswith(step_folder(step) + "/")}
        for name in names:
            if not STEP.fullmatch(name.partition("/")[0]) or name in named:
                continue
            if attempt is None or f"/{attempt}-" not in name:
                yield name

    def clear(self) -> None:
        """Remove all there is of this training."""
        for step in self.steps():
            self.remove(step)

    def collect(self, attempt: str | None = None) -> None:
        """Remove the leftovers, but for those of a running attempt."""
        self.place.remove(list(self.leftovers(attempt)))
