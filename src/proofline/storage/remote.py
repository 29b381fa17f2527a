"""Reading a file from a local path or a `gs://` URL through fsspec. The only door to gcsfs.

A file that is not there is told apart from one that cannot be asked for, and from one whose bucket does not exist:
gcsfs itself answers "no" to all three.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class ReadError(ValueError):
    """A file that cannot be reached, may not be read, or is damaged; a bucket that does not exist."""


def read_lines(path: str) -> Iterator[str]:
    """Yield the lines of a file of UTF-8 text; one whose name ends in `.gz` is unpacked. Raises ReadError."""
    import fsspec

    guard_gcsfs()
    compression = "gzip" if path.endswith(".gz") else None
    with _reading(path), fsspec.open(path, "rt", encoding="utf-8", compression=compression) as text:
        yield from text


def exists(path: str) -> bool:
    """Is there such a file? Raises ReadError where that cannot be found out."""
    import fsspec

    guard_gcsfs()
    with _reading(path):
        filesystem, key = fsspec.url_to_fs(path)
        try:
            return bool(filesystem.info(key)["type"] == "file")
        except (FileNotFoundError, NotADirectoryError):
            if "gs" in filesystem.protocol:
                _check_bucket(filesystem, path, key.partition("/")[0])
            return False


def _check_bucket(filesystem: Any, path: str, bucket: str) -> None:
    """Raises ReadError where there is no such bucket: only its listing is refused then, an empty one's is empty."""
    try:
        filesystem.ls(bucket, max_results=1)
    except FileNotFoundError:
        raise ReadError(
            f"there is no bucket gs://{bucket}, where {path} is looked for: correct the name in PROOFLINE_DATA_ROOT, "
            f"or make the bucket (`gcloud storage buckets create gs://{bucket}`) and upload the files"
        ) from None


@contextmanager
def _reading(path: str) -> Iterator[None]:
    """Inside the block a file is asked for or read. The libraries behind fsspec share no class of errors."""
    try:
        yield
    except ReadError:
        raise
    except Exception as error:
        cause = " ".join(str(error).split()) or type(error).__name__
        remedy = (
            "Are the bucket's name, the network and the credentials right? docs/remote.md says how to find out"
            if "://" in path
            else "Is it whole, and may you read it?"
        )
        raise ReadError(f"{path} cannot be read: {cause}. {remedy}") from error


def guard_gcsfs() -> None:
    """Before gcsfs is imported: else it asks each bucket's type over gRPC, which stalls 40 s where none answers.

    DVC's own process has the same from `proofline.pth`. What gcsfs logs as a traceback it raises as well.
    """
    os.environ.setdefault("GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false")
    logging.getLogger("gcsfs").setLevel(logging.CRITICAL)
