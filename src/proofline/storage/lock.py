"""One process at a time: a lock file that the kernel gives back when its holder ends, however that happens.

`flock(2)`, so the lock of a dead process is no obstacle, and over NFS it holds between machines. The file names the
holder and is removed with the lock.
"""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

POLL_SECONDS = 0.2
_files: set[int] = set()
"""Open files of the locks that this process holds."""


class LockError(ValueError):
    """What lies there can be no lock."""


class HeldError(ValueError):
    """Another process has the lock. The message is its holder: `process 123 on host`."""


@contextmanager
def held(path: Path, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold the lock at `path` inside the block. Raises HeldError where it is not free after `wait_seconds`, LockError
    where it cannot be one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = _take(path)
    if file is None and wait_seconds:
        print(f"waiting for {_holder(path)} to give {path} back", file=sys.stderr, flush=True)
    deadline = time.monotonic() + wait_seconds
    while file is None:
        if time.monotonic() >= deadline:
            raise HeldError(_holder(path))
        time.sleep(POLL_SECONDS)
        file = _take(path)
    _files.add(file)
    try:
        yield
    finally:
        if file in _files:  # not so in a fork
            path.unlink(missing_ok=True)
            _files.remove(file)
            os.close(file)


def _leave_to_parent() -> None:
    """In a fork, which may outlive the holder and must not keep its locks."""
    while _files:
        os.close(_files.pop())


os.register_at_fork(after_in_child=_leave_to_parent)


def _take(path: Path) -> int | None:
    """The open file with its lock; None where another process holds it."""
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o644)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise LockError(f"{path} is a symbolic link, and what it names would be written over. Remove it") from None
        raise
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # The holder before may have removed what was opened here: a lock on a file that nobody else can open is none.
        if path.stat().st_ino == os.fstat(file).st_ino:
            os.ftruncate(file, 0)
            os.write(file, f"process {os.getpid()} on {socket.gethostname()}".encode())
            return file
    except (BlockingIOError, FileNotFoundError):
        pass
    except BaseException:
        os.close(file)
        raise
    os.close(file)
    return None


def _holder(path: Path) -> str:
    try:
        return path.read_text() or "another process"
    except FileNotFoundError:
        return "another process"
