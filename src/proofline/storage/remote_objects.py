"""One object that a DVC remote should hold, and how it is not there as it should be."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from proofline.storage.space import spelled


@dataclass(frozen=True)
class Object:
    """One that should be there."""

    what: str
    """Whose bytes they are: a path of the repository, or `run cache …`."""
    md5: str
    path: str
    """In the remote."""
    copy: Path
    """Where the cache has it, if it has."""
    order: int
    """Uploads go in this order: a listing must not be there before what it lists, nor a run before its results."""

    @property
    def size(self) -> int | None:
        """Bytes of the local copy."""
        return self.copy.stat().st_size if self.copy.is_file() else None

    @property
    def is_sound(self) -> bool:
        """There is a local copy, and it is what its name says."""
        return self.copy.is_file() and md5_of(self.copy) == self.md5


@dataclass(frozen=True)
class Difference:
    """An object that is not there as it should be."""

    object: Object
    kind: str
    """`missing`, `truncated`, `too long`, or `checksum`: as many bytes, but others (or none to count them by)."""
    size: int | None
    """Bytes in the remote."""

    def __str__(self) -> str:
        sizes = [spelled(size) for size in (self.size, self.object.size) if size is not None]
        return f"{self.kind:10} {self.object.what}  {' of '.join(dict.fromkeys(sizes))}"


def md5_of(path: Path) -> str:
    """Of a file, in hexadecimal digits."""
    with open(path, "rb") as content:
        return hashlib.file_digest(content, "md5").hexdigest()
