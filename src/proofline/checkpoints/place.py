"""What is asked of a place that keeps objects: a local folder or a bucket, below one root.

An object is written whole: `put` returns when it has reached the disk (or the store's side) and has been found there
with the size and CRC-32C (RFC 3720) of what was handed over. `create` is the one that two writers can not both do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import google_crc32c

Chunks = Iterable[bytes | memoryview]
CHUNK_BYTES = 1 << 20
PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
"""A part of a name. None begins with a dot, so none is `..`."""


class CheckpointError(ValueError):
    """A checkpoint, or the place that should keep it, that cannot be used as it is."""


class PlaceError(ValueError):
    """The place did not answer, or refused: what lies there is neither whole nor damaged by that."""


class TakenError(CheckpointError):
    """Another writer has made this object first."""


@dataclass(frozen=True)
class Found:
    """An object as it lies there."""

    num_bytes: int
    crc32c: str
    """8 hex digits."""


class Place(Protocol):
    """Objects by name, below one root."""

    def below(self, name: str) -> Place:
        """The objects whose names begin with `name/`, as a place of their own."""

    def describe(self, name: str = "") -> str:
        """Where an object lies, for messages."""

    def put(self, name: str, chunks: Chunks) -> Found:
        """Write an object, replacing one of that name. Raises CheckpointError where it did not arrive whole."""

    def create(self, name: str, content: bytes) -> None:
        """Write a small object that is not there yet. Raises TakenError where it is."""

    def size(self, name: str) -> int:
        """Bytes of an object. Raises FileNotFoundError; CheckpointError where it is no plain object."""

    def read(self, name: str) -> Iterator[bytes]:
        """An object's content, in chunks."""

    def names(self) -> dict[str, int]:
        """Every object and its size in bytes."""

    def local(self, names: Iterable[str], scratch: Path) -> Path:
        """A folder of this machine that has these objects as files: `scratch`, where they lie elsewhere."""

    def remove(self, names: Iterable[str]) -> None:
        """Remove objects, in this order; one that is gone already is no error."""


def checked_name(name: str) -> str:
    """The name, if it stays below the root wherever it is used. Raises CheckpointError."""
    if not all(PART.fullmatch(part) for part in name.split("/")):
        raise CheckpointError(
            f"found the name {name!r}; names of objects are letters, digits, `_`, `-`, `.` and single slashes, with no "
            "part that begins with a dot. Nothing was read or written under it"
        )
    return name


def checksum(chunks: Chunks) -> Found:
    """Size and CRC-32C of a stream."""
    crc, size = 0, 0
    for chunk in chunks:
        crc, size = google_crc32c.extend(crc, bytes(chunk)), size + len(chunk)
    return Found(size, f"{crc:08x}")
