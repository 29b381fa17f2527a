"""A prefix of a Google Cloud Storage bucket as a place of objects, through gcsfs.

An upload counts when the store itself states the size and the CRC-32C that were sent; where it makes no such statement
the object is read back. `create` is an upload on the condition that there is no generation (`ifGenerationMatch=0`). It
may be repeated after an answer that was lost: whether the object that is found then is one's own, its bytes tell.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from pathlib import Path
from typing import Any

from proofline.checkpoints.place import (
    CheckpointError,
    Chunks,
    Found,
    PlaceError,
    TakenError,
    checked_name,
    checksum,
)
from proofline.storage.gcsfs_mended import mend_gcsfs
from proofline.storage.remote import guard_gcsfs

BLOCK_BYTES = 8 << 20
"""Of an upload or a download at a time; a multiple of 256 KiB, which the store asks for."""


class Bucket:
    """Objects below a `gs://bucket/prefix`. Raises PlaceError where the store does not answer, or refuses."""

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")

    @cached_property
    def _files(self) -> Any:
        import fsspec

        guard_gcsfs()
        mend_gcsfs()
        return fsspec.filesystem("gs", use_listings_cache=False, skip_instance_cache=True)

    def below(self, name: str) -> Bucket:
        return Bucket(self.path(name))

    def describe(self, name: str = "") -> str:
        return f"{self.url}/{name}".rstrip("/")

    def path(self, name: str) -> str:
        return f"{self.url}/{checked_name(name)}"

    def put(self, name: str, chunks: Chunks) -> Found:
        def counted() -> Iterator[bytes | memoryview]:
            for chunk in chunks:
                file.write(chunk)
                yield chunk

        with self._asking(name), self._files.open(self.path(name), "wb", block_size=BLOCK_BYTES) as file:
            sent = checksum(counted())
        self._refuse_other(name, sent)
        return sent

    def create(self, name: str, content: bytes) -> None:
        with self._asking(name):
            try:
                self._files.pipe_file(self.path(name), content, mode="create")
            except FileExistsError:
                if b"".join(self.read(name)) != content:
                    raise TakenError(f"{self.describe(name)} is there already") from None
        try:
            self._refuse_other(name, checksum([content]))
        except PlaceError:
            self.remove([name])  # it is this writer's, or the store would have said that it is taken
            raise

    def size(self, name: str) -> int:
        with self._asking(name):
            return int(self._files.info(self.path(name))["size"])

    def read(self, name: str) -> Iterator[bytes]:
        # Not through an open file: that waits without end for the rest of an answer that is too short.
        size, at = self.size(name), 0
        while at < size:
            with self._asking(name):
                chunk = self._files.cat_file(self.path(name), start=at, end=min(at + BLOCK_BYTES, size))
            if not chunk:
                raise PlaceError(f"{self.describe(name)} ends after {at:,} of {size:,} bytes; try again")
            yield chunk
            at += len(chunk)

    def names(self) -> dict[str, int]:
        root = self.url.partition("://")[2] + "/"
        with self._asking(""):
            try:
                found = self._files.find(self.url, detail=True)
            except FileNotFoundError:
                found = {}
            if not found:
                self._check_bucket(root.partition("/")[0])
        return {path.removeprefix(root): int(info["size"]) for path, info in found.items() if path.startswith(root)}

    def local(self, names: Iterable[str], scratch: Path) -> Path:
        for name in names:
            target = scratch / checked_name(name)
            target.parent.mkdir(parents=True, exist_ok=True)
            with self._asking(name):
                self._files.get_file(self.path(name), str(target))
        return scratch

    def remove(self, names: Iterable[str]) -> None:
        for name in names:
            with self._asking(name), suppress(FileNotFoundError):
                self._files.rm_file(f"{self.url}/{name}")

    def _refuse_other(self, name: str, sent: Found) -> None:
        """Raises PlaceError where the store has another object than was sent."""
        found = self._stated(name)
        if found != sent:
            raise PlaceError(
                f"{self.describe(name)} arrived with {found.num_bytes:,} bytes and CRC-32C {found.crc32c}; "
                f"{sent.num_bytes:,} with {sent.crc32c} were sent. It is not used"
            )

    def _stated(self, name: str) -> Found:
        """What the store says that it has."""
        with self._asking(name):
            info = self._files.info(self.path(name))
        if "crc32c" not in info:
            return checksum(self.read(name))
        return Found(int(info["size"]), base64.b64decode(info["crc32c"]).hex())

    def _check_bucket(self, bucket: str) -> None:
        """An empty bucket is empty, one that does not exist is an error: gcsfs lists both as nothing."""
        try:
            self._files.ls(bucket, max_results=1)
        except FileNotFoundError:
            raise PlaceError(f"there is no bucket gs://{bucket}: correct PROOFLINE_CHECKPOINTS, or make it") from None

    @contextmanager
    def _asking(self, name: str) -> Iterator[None]:
        """Inside the block the store is asked; the libraries share no class of errors."""
        try:
            yield
        except (CheckpointError, PlaceError, FileNotFoundError):
            raise
        except Exception as error:
            if type(error).__module__.startswith("proofline."):
                raise
            cause = " ".join(str(error).split()) or type(error).__name__
            raise PlaceError(
                f"{self.describe(name)} cannot be reached: {cause}. Are the bucket's name, the network and the "
                "credentials right? docs/remote.md says how to find out"
            ) from error
