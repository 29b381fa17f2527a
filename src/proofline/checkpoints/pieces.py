"""What a stage of many shards (sampling, grading, verification) has finished, until the stage is done.

A piece is one object, `piece-00000007.json`: the results of some shards, each under the name of what it was computed
from. It is made whole and once, it vouches for every byte of itself, and it says whose it is. Nothing else belongs to
it, so a piece that is damaged or foreign costs its own shards and no others.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from proofline.checkpoints.manifest import DamageError, Natural, Part, parse, seal, unseal
from proofline.checkpoints.place import CheckpointError, Place

NAME = re.compile(r"piece-(\d{8})\.json")
LARGEST_BYTES = 1 << 30
"""Of a piece that is believed to be one."""
Lines = tuple[str, ...]
"""The results of a shard, each as JSON."""


class Piece(BaseModel):
    """The results of some shards."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    stage: str
    identity: str
    """Of the stage that it belongs to: the folder it lies in."""
    number: Natural
    written: str
    """UTC, ISO 8601."""
    decided_by: dict[str, Any]
    """What the identity is the hash of, for people: recipe, inputs, code, arithmetic."""
    shards: dict[str, Lines]
    """By the hash of what each was computed from."""

    @property
    def extent(self) -> str:
        return f"{sum(map(len, self.shards.values())):,} results of {len(self.shards):,} shards"

    @property
    def made(self) -> str:
        return f"written {self.written}"

    @property
    def parts(self) -> dict[str, Part]:
        """A piece has none."""
        return {}


@dataclass(frozen=True)
class Pieces:
    """The pieces of the stage that is called `stage`/`identity`, in a place of their own."""

    place: Place
    stage: str
    identity: str

    unit = "piece"

    def numbers(self) -> list[int]:
        """Of all pieces, the newest first."""
        return sorted((int(match[1]) for name in self.place.names() if (match := NAME.fullmatch(name))), reverse=True)

    steps = committed = numbers

    def read(self, number: int) -> Piece:
        """Raises DamageError where it is not what was written, or another stage's."""
        name = piece_name(number)
        try:
            piece = parse(Piece, unseal(self.place.read(name), self.place.size(name), LARGEST_BYTES))
        except FileNotFoundError:
            raise DamageError("it is gone") from None
        if (piece.stage, piece.identity, piece.number) != (self.stage, self.identity, number):
            raise DamageError(f"it is that of {piece.stage}/{piece.identity}, piece {piece.number}")
        return piece

    manifest = read

    def write(self, number: int, decided_by: Mapping[str, Any], shards: Mapping[str, Sequence[str]]) -> None:
        """Make a piece exist. Raises TakenError, PlaceError, OSError."""
        piece = Piece(
            stage=self.stage, identity=self.identity, number=number, decided_by=dict(decided_by),
            written=datetime.now(UTC).isoformat(timespec="seconds"),
            shards={key: tuple(lines) for key, lines in shards.items()},
        )  # fmt: skip
        self.place.create(piece_name(number), seal(piece.model_dump(mode="json")))

    def fault(self, number: int) -> str | None:
        """What keeps a piece from being used; None: it is what was written, to the byte."""
        try:
            self.read(number)
        except CheckpointError as error:
            return str(error)
        return None

    def num_bytes(self, number: int) -> int:
        return self.place.names().get(piece_name(number), 0)

    def leftovers(self) -> list[str]:
        """Drafts of a writer that was stopped."""
        return [name for name in self.place.names() if name.startswith("piece-") and not NAME.fullmatch(name)]

    def remove(self, number: int) -> None:
        self.place.remove([piece_name(number)])

    def collect(self) -> None:
        """Remove the leftovers."""
        self.place.remove(self.leftovers())

    def clear(self) -> None:
        """Remove all there is of this stage."""
        self.place.remove([*map(piece_name, self.numbers()), *self.leftovers()])


def piece_name(number: int) -> str:
    return f"piece-{number:08d}.json"
