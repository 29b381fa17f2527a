"""A local folder as a place of objects.

A file is written under its own name (nothing reads it before a manifest names it), flushed to the disk, and read back.
What has to exist once is made beside its place and linked there: link(2) fails where the name is taken, and nobody ever
sees half of it. Nothing is followed out of the folder: a symbolic link below the root is no object.
"""

from __future__ import annotations

import os
import secrets
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from proofline.checkpoints.place import (
    CHUNK_BYTES,
    CheckpointError,
    Chunks,
    Found,
    TakenError,
    checked_name,
    checksum,
)


class Folder:
    """Objects as files below `root`, which itself may be a link to a larger disk."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def below(self, name: str) -> Folder:
        return Folder(self.path(name))

    def describe(self, name: str = "") -> str:
        return str(self.root / name)

    def path(self, name: str) -> Path:
        """The file of an object. Raises CheckpointError for a name, or a link on the way, that leads elsewhere."""
        path = self.root
        for part in checked_name(name).split("/"):
            path = path / part
            if path.is_symlink():
                raise CheckpointError(
                    f"found a symbolic link at {path} (to {os.readlink(path)}); what lies below {self.root} are plain "
                    "files and folders, and links are not followed. Remove it"
                )
        return path

    def put(self, name: str, chunks: Chunks) -> Found:
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        return _write(path, chunks)

    def create(self, name: str, content: bytes) -> None:
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
        try:
            _write(draft, [content])
            os.link(draft, path)
            for folder in path.parents:  # those that are new have an entry in the one above
                _flush(folder)
                if folder in self.root.parents:
                    break
        except FileExistsError:
            raise TakenError(f"{path} is there already") from None
        finally:
            draft.unlink(missing_ok=True)

    def size(self, name: str) -> int:
        status = self.path(name).lstat()
        if not stat.S_ISREG(status.st_mode):
            raise CheckpointError(f"{self.path(name)} is no file; remove it")
        return status.st_size

    def read(self, name: str) -> Iterator[bytes]:
        self.size(name)
        with open(os.open(self.path(name), os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                yield chunk

    def names(self) -> dict[str, int]:
        found = {}
        for folder, below, files in os.walk(self.root):
            links = [name for name in below if (Path(folder) / name).is_symlink()]
            for name in [*files, *links]:
                path = Path(folder) / name
                with suppress(FileNotFoundError):  # another process has just removed it
                    found[path.relative_to(self.root).as_posix()] = path.lstat().st_size
        return found

    def local(self, names: Iterable[str], scratch: Path) -> Path:
        for name in names:
            self.size(name)
        return self.root

    def remove(self, names: Iterable[str]) -> None:
        """Of a link, the link; folders that are empty then go too. Names are those that `names` gave."""
        emptied: set[Path] = set()
        for name in names:
            path = self.root / name
            path.unlink(missing_ok=True)
            emptied |= {folder for folder in path.parents if self.root in folder.parents}
        for folder in sorted(emptied, key=lambda folder: len(folder.parts), reverse=True):
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def _write(path: Path, chunks: Chunks) -> Found:
    """Write a new file, to the disk and not only to the kernel, and read it back; what is handed over is counted as it
    goes. Whoever waits for the file may have read and removed it before this is done. Raises CheckpointError where
    something else lies there."""

    def counted() -> Iterator[bytes | memoryview]:
        for chunk in chunks:
            file.write(chunk)
            yield chunk

    path.unlink(missing_ok=True)
    with open(path, "x+b") as file:
        sent = checksum(counted())
        file.flush()
        os.fsync(file.fileno())
        file.seek(0)
        found = checksum(iter(lambda: file.read(CHUNK_BYTES), b""))
    with suppress(FileNotFoundError):
        _flush(path.parent)
    if found != sent:
        raise CheckpointError(
            f"{path} has {found.num_bytes:,} bytes with CRC-32C {found.crc32c}; {sent.num_bytes:,} with "
            f"{sent.crc32c} were written. The disk, or what mounts it, loses data: keep checkpoints elsewhere"
        )
    return sent


def _flush(folder: Path) -> None:
    """A folder's entries, to the disk."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
