"""The manifest of a checkpoint: what it is, and the name, size and CRC-32C of every object that belongs to it.

It is written last and only once, so a checkpoint without one does not exist. Its file is one exact spelling of what it
says, with the checksum of that in it: any byte that differs is seen, in the manifest as in what it names.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Annotated, Any, Literal, TypeVar

import google_crc32c
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from proofline.checkpoints.place import CheckpointError

MANIFEST = "manifest.json"
LARGEST_BYTES = 16 << 20
"""Of a manifest's file; one of 10,000 processes has 4 MB."""
Natural = Annotated[int, Field(ge=0, le=2**62)]
Said = TypeVar("Said", bound=BaseModel)


class DamageError(CheckpointError):
    """A checkpoint that is not what was written."""


class Part(BaseModel):
    """An object as its writer handed it over."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    num_bytes: Natural
    crc32c: Annotated[str, Field(pattern=r"^[0-9a-f]{8}$")]


ObjectName = Annotated[str, Field(pattern=r"^[0-9a-f]{8}-[0-9]{5}/[a-z]+\.(safetensors|json)$")]
"""`<attempt>-<rank>/model.safetensors`."""


class Manifest(BaseModel):
    """A checkpoint of a training."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    stage: str
    identity: str
    """Of the training that it belongs to: the folder it lies in."""
    step: Natural
    """Optimizer steps done."""
    of_steps: Natural
    processes: Annotated[int, Field(ge=1, le=1 << 20)]
    """That wrote it, each its own share."""
    written: str
    """UTC, ISO 8601."""
    decided_by: dict[str, Any]
    """What the identity is the hash of, for people: recipe, seed, start, rows, code."""
    objects: dict[ObjectName, Part]

    @property
    def shares(self) -> list[str]:
        """The folders of its processes, in their order. Raises DamageError where one has none, or another's."""
        found = sorted({name.partition("/")[0] for name in self.objects})
        attempt = found[0].partition("-")[0] if found else ""
        if len(found) != self.processes or found[-1] != f"{attempt}-{self.processes - 1:05d}":
            raise DamageError(f"it names shares of {len(found)} processes, and {self.processes} wrote it")
        return found

    @property
    def num_bytes(self) -> int:
        return sum(part.num_bytes for part in self.objects.values())

    @property
    def number(self) -> int:
        return self.step

    @property
    def extent(self) -> str:
        """How far the training was, in words."""
        return f"of {self.of_steps}"

    @property
    def made(self) -> str:
        """By whom and when, in words."""
        return f"by {self.processes} processes, {self.written}"

    @property
    def parts(self) -> dict[str, Part]:
        return self.objects


def seal(content: dict[str, Any]) -> bytes:
    """JSON that vouches for itself."""
    crc = google_crc32c.value(json.dumps(content, sort_keys=True).encode())
    return (json.dumps({"content": content, "crc32c": f"{crc:08x}"}, sort_keys=True, indent=1) + "\n").encode()


def unseal(chunks: Iterator[bytes], size: int, largest: int = LARGEST_BYTES) -> dict[str, Any]:
    """What was sealed. Raises DamageError where the bytes are not those of `seal`."""
    if size > largest:
        raise DamageError(f"it has {size:,} bytes, and none that was written here has more than {largest:,}")
    data = b"".join(chunks)
    try:
        content = json.loads(data)["content"]
        if seal(content) == data:
            return dict(content)
    except (ValueError, KeyError, TypeError, RecursionError):
        pass
    raise DamageError("its bytes are not those that were written")


def parse(kind: type[Said], content: dict[str, Any]) -> Said:
    """Raises DamageError where the content is no manifest, or whatever is asked for."""
    try:
        return kind.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        what, found = kind.__name__.lower(), str(first["input"])[:80]
        raise DamageError(f"it is no {what}: {place}: {first['msg']}, found {found!r}") from None
