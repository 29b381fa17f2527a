"""Shards that a stage has finished are kept, so that one that was interrupted computes the others only.

A shard's results are found again by the hash of all that it was computed from: its items, what its function was given,
the threads that multiplied. They are looked for among the pieces of stages of the same recipe, inputs, code, library
versions and arithmetic (`checkpoints/pieces.py`). The unit is a whole shard because a sample's bits depend on what it
is decoded with: what comes out is what an undisturbed stage gives, to the bit, however often and wherever it was cut.

The stage's own process writes, whatever processes have computed a shard and in whatever order they finish. The first
piece comes after a minute, then as often as one costs 1% of the time: a stage of seconds keeps nothing.
"""

from __future__ import annotations

import hashlib
import sys
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from pydantic import TypeAdapter
from pydantic_core import to_json

from proofline.checkpoints.cadence import FIRST_SECONDS, SHARE
from proofline.checkpoints.pieces import Piece, Pieces, piece_name
from proofline.checkpoints.place import CheckpointError, PlaceError
from proofline.tracking import Run

LEAST_SECONDS = 10.0
"""Between two pieces, however cheap they are: a day has a few thousand of them."""
PIECE_BYTES = 8 << 20
"""About the size at which a piece is cut and another one begun."""

MOST_WAITING = 16_384
"""Results that wait for a piece, if no shard alone has more: memory must not grow with what a stage has to do."""

Result = TypeVar("Result")
Spelled = Callable[[], tuple[str, list[str]]]
"""A shard's name, and its results as JSON."""


@dataclass
class Kept:
    """The finished shards of one stage: those of an interrupted one, and its own so far."""

    pieces: Pieces
    decided_by: Mapping[str, Any]
    run: Run
    every: int | None = None
    """Shards between two pieces, where somebody has said so; None: measured."""
    clock: Callable[[], float] = time.monotonic
    _found: dict[str, int] = field(default_factory=dict)
    """The piece of each shard that an interrupted stage has finished."""
    _waiting: deque[tuple[int, Spelled]] = field(default_factory=deque)
    """Shards that are finished and in no piece yet, and how many results each has."""
    _number: int = 0
    """Of the last piece."""
    _read: Piece | None = None
    _num_taken: int = 0

    def __post_init__(self) -> None:
        self._due_at = self.clock() + FIRST_SECONDS
        self.pieces.collect()
        for number in self.pieces.numbers():
            self._number = max(self._number, number)
            if shards := self._believed(number):
                self._found |= dict.fromkeys(shards, number)
            else:
                self.pieces.remove(number)

    @property
    def goes_on(self) -> bool:
        """Has an interrupted stage finished any shard?"""
        return bool(self._found)

    def part(self, kind: Any, *given: object) -> Part[Any]:
        """The shards of one function, which makes results of this kind of what it is given beside the items."""
        return Part(self, TypeAdapter(kind), to_json([str(kind), *given]))

    def take_up(self, keys: Sequence[str]) -> dict[int, str]:
        """Which of these shards an interrupted stage has finished; the run is told, and who watches it."""
        found = {at: key for at, key in enumerate(keys) if key in self._found}
        if found:
            many = f"{len(found):,} of {len(keys):,} shards"
            print(f"checkpoints: {many} were finished by an interrupted run", file=sys.stderr, flush=True)
            self._num_taken += len(found)
            self.run.set_tag("proofline.taken_up", f"{self._num_taken} shards")
        return found

    def lines(self, key: str) -> Sequence[str]:
        """The results of a shard that was taken up."""
        number = self._found[key]
        if self._read is None or self._read.number != number:
            self._read = self.pieces.read(number)
        return self._read.shards[key]

    def put(self, num_results: int, spelled: Spelled) -> None:
        """A shard is finished. Its name and results are spelled when a piece is written, which may be never."""
        self._waiting.append((num_results, spelled))
        crowded = sum(number for number, _ in self._waiting) > MOST_WAITING
        if self.every:
            if len(self._waiting) >= self.every:
                self.write()
        elif self.clock() >= self._due_at or (crowded and self._number):
            self.write()
        elif crowded and len(self._waiting) > 1:
            self._waiting.popleft()  # so many in less than a minute are cheap

    def write(self) -> None:
        """Keep what is finished and not kept yet. A place that does not take it costs a line on stderr, no more."""
        began = self.clock()
        try:
            for piece in _cut(spelled() for _, spelled in self._waiting):
                self._number += 1
                self.pieces.write(self._number, self.decided_by, piece)
        except (CheckpointError, PlaceError, OSError) as error:
            shards, where = len(self._waiting), self.pieces.place.describe()
            print(f"checkpoints: {shards} shards are not kept in {where}: {error}", file=sys.stderr, flush=True)
        self._waiting.clear()
        ended = self.clock()
        self._due_at = ended + max(LEAST_SECONDS, (ended - began) / SHARE)

    def interrupted(self) -> None:
        """The stage ends before its end: what waits is kept too, unless it has only just begun."""
        if self._waiting and (self.every or self._number or self.clock() >= self._due_at):
            self.write()

    def _believed(self, number: int) -> Collection[str]:
        """The shards of a piece; none of one that is not what was written, which is told."""
        for _ in range(2):  # a stream that broke on its way is no damage
            try:
                return self.pieces.read(number).shards
            except CheckpointError as error:
                fault = error
        where = self.pieces.place.describe(piece_name(number))
        print(f"checkpoints: {where} is not used, its shards are computed again: {fault}", file=sys.stderr, flush=True)
        return ()


@dataclass(frozen=True)
class Part(Generic[Result]):
    """The shards of one function of a stage."""

    kept: Kept
    kind: TypeAdapter[Result]
    given: bytes

    def key(self, shard: Sequence[object], threads: int) -> str:
        """The hash of what a shard is computed from."""
        digest = hashlib.sha256(self.given + f" {threads}".encode())
        for item in shard:
            digest.update(b"\n" + to_json(item))
        return digest.hexdigest()

    def taken(self, shards: Sequence[Sequence[object]], threads: int) -> dict[int, str]:
        """Which shards an interrupted stage has finished, and their names."""
        return self.kept.take_up([self.key(shard, threads) for shard in shards]) if self.kept.goes_on else {}

    def take(self, key: str) -> list[Result]:
        """The results of a shard that was taken up."""
        return [self.kind.validate_json(line) for line in self.kept.lines(key)]

    def put(self, shard: Sequence[object], threads: int, results: Sequence[Result]) -> None:
        """The results of a shard that is finished."""

        def spelled() -> tuple[str, list[str]]:
            return self.key(shard, threads), [self.kind.dump_json(result).decode() for result in results]

        self.kept.put(len(results), spelled)


Parts = Callable[..., Part[Any] | None]
"""Of a stage, by what they make and what they are given: `Kept.part`, or none."""


def none_kept(kind: Any, *given: object) -> None:
    """The part of a stage that keeps nothing."""


def _cut(shards: Iterable[tuple[str, list[str]]]) -> Iterator[dict[str, list[str]]]:
    """Shards for one piece after the other."""
    together, num_bytes = dict[str, list[str]](), 0
    for key, lines in shards:
        together[key] = lines
        num_bytes += sum(map(len, lines))
        if num_bytes >= PIECE_BYTES:
            yield together
            together, num_bytes = {}, 0
    if together:
        yield together
