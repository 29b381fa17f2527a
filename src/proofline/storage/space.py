"""A disk without room, said in words: which disk, how much is missing, what is kept, how to go on.

The libraries that write large files say it badly, or not at all (PyTorch 2.13: `unexpected pos 64 vs 0`). So when a
write has failed, what it left is removed and the disk itself is asked whether it has the room.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryFile

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""Full disk, full quota, and a process's limit (`ulimit -f`)."""
UNITS = (("GB", 10**9), ("MB", 10**6), ("kB", 10**3), ("bytes", 1))


class DiskFullError(ValueError):
    """There is no room for what has to be written."""


@contextmanager
def room_for(part: Path, need_bytes: int, remedy: str) -> Iterator[None]:
    """Inside the block `part`, a file or folder, is written. Raises DiskFullError where that fails for want of room."""
    try:
        yield
    except Exception as error:
        if full := full_disk(part, need_bytes, remedy, error):
            raise full from error
        raise


def full_disk(part: Path, need_bytes: int, remedy: str, error: BaseException) -> DiskFullError | None:
    """Why the error has come: None where it is not for want of room. Removes what there is of `part`.

    `need_bytes`: what it needs whole, as far as that is known.
    """
    need_bytes = max(need_bytes, size_bytes(part))
    shutil.rmtree(part, ignore_errors=True) if part.is_dir() else part.unlink(missing_ok=True)
    folder = part.resolve().parent
    reason = _said(error) or _asked(folder, need_bytes)
    if reason is None:
        return None
    free = shutil.disk_usage(folder).free
    missing = f", {spelled(need_bytes - free)} are missing" if free < need_bytes else ""
    return DiskFullError(
        f"{reason}: the disk mounted at {mount_point(folder)} has no room for {part}: {spelled(need_bytes)} or more "
        f"are needed, {spelled(free)} are free{missing}. {remedy}"
    )


def size_bytes(path: Path) -> int:
    """Of a file, or of all files of a folder; 0 where there is none."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.is_file())


def mount_point(folder: Path) -> Path:
    return next(above for above in (folder, *folder.parents) if above.is_mount())


def spelled(count: int) -> str:
    """`1.5 GB`."""
    unit, size = next(((unit, size) for unit, size in UNITS if abs(count) >= size), UNITS[-1])
    return f"{count / size:.1f} {unit}" if size > 1 else f"{count} {unit}"


def _said(error: BaseException | None) -> str | None:
    """The system's words, where the error or what led to it has them."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in NO_ROOM:
            return error.strerror
        error = error.__cause__ or error.__context__
    return None


def _asked(folder: Path, need_bytes: int) -> str | None:
    """The system's words for why so many bytes cannot be written there; None: they can."""
    if shutil.disk_usage(folder).free < need_bytes:
        return os.strerror(errno.ENOSPC)
    try:
        with TemporaryFile(dir=folder) as probe:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(probe.fileno(), 0, max(1, need_bytes))
    except OSError as error:
        return _said(error)
    return None
