"""Reading a file from a local path or a `gs://` URL through fsspec. The only door to gcsfs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, cast


def is_remote(path: str) -> bool:
    """True for a URL such as `gs://bucket/key`, False for a local path."""
    return "://" in path


@contextmanager
def open_text(path: str) -> Iterator[IO[str]]:
    """A file opened as UTF-8 text; a name that ends in `.gz` is unpacked on the way."""
    import fsspec

    _guard_gcsfs()
    with fsspec.open(path, "rt", encoding="utf-8", compression="gzip" if path.endswith(".gz") else None) as text:
        yield cast(IO[str], text)


def exists(path: str) -> bool:
    """Is there such a file?"""
    import fsspec

    _guard_gcsfs()
    filesystem, key = fsspec.url_to_fs(path)
    return bool(filesystem.isfile(key))


def _guard_gcsfs() -> None:
    """Before gcsfs is imported: else it asks each bucket's type over gRPC, which stalls 40 s where none answers."""
    os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
