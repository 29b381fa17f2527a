"""The files of a model's folder, here or in a bucket (`gs://…`): their names, their hash, and a way to another place.

A file is stored once where that is safe. A disk that can share blocks (XFS, Btrfs) does. Else a file that nobody may
write to is linked: DVC's cache then holds the very same file, read-only as all of the cache. One that may be written to
is copied, since a change of it would be a change of the cache.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path

from proofline.storage.remote import ReadError, _reading, guard_gcsfs
from proofline.storage.space import room_for

WEIGHTS = "*.safetensors"
PATTERNS = ("*.json", WEIGHTS, "*.jinja", "*.txt", "*.model", "LICENSE*")
"""What belongs to a model in a folder; the rest (pictures, other formats, folders below) stays where it is."""
SHARE_BLOCKS = 0x40049409
"""Linux's FICLONE."""


def model_files(folder: str) -> list[str]:
    """The names of its model's files, in order. Raises ReadError where there is no such folder or bucket."""
    if "://" not in folder:
        if not Path(folder).is_dir():
            raise ReadError(f"{folder} is not a folder; base.folder names one made by `save_pretrained`, or gs://…")
        names = [file.name for file in Path(folder).iterdir() if file.is_file()]
    else:
        import fsspec

        guard_gcsfs()
        with _reading(folder):
            filesystem, root = fsspec.url_to_fs(folder)
            names = [Path(one["name"]).name for one in filesystem.ls(root, detail=True) if one["type"] == "file"]
    return sorted(name for name in names if any(fnmatch(name, pattern) for pattern in PATTERNS))


def files_hash(folder: Path) -> str:
    """16 hex digits of the SHA-256 over a model's files but for its weights: names and contents."""
    digest = hashlib.sha256()
    for name in model_files(str(folder)):
        if not fnmatch(name, WEIGHTS):
            digest.update(name.encode() + b"\0" + hashlib.sha256((folder / name).read_bytes()).digest())
    return digest.hexdigest()[:16]


def bring(folder: str, names: Iterable[str], target: Path) -> None:
    """Make these files of a folder those of `target`, which is made. Raises ReadError, DiskFullError."""
    target.mkdir(parents=True, exist_ok=True)
    with room_for(target, 0, "Make room and start the stage again."):
        for name in names:
            if "://" in folder:
                _download(f"{folder.rstrip('/')}/{name}", target / name)
            else:
                take(Path(folder, name).resolve(), target / name)


def take(source: Path, target: Path) -> None:
    """The file under another name: with shared blocks, as a link, or copied."""
    with _reading(str(source)):
        if _shared(source, target):
            return
        if not source.stat().st_mode & 0o222:
            try:
                os.link(source, target)
                return
            except OSError:  # another disk, or one without links
                pass
        shutil.copyfile(source, target)


def _shared(source: Path, target: Path) -> bool:
    """Has the disk made a file of the same blocks?"""
    with open(source, "rb") as old, open(target, "wb") as new:
        try:
            fcntl.ioctl(new.fileno(), SHARE_BLOCKS, old.fileno())
            return True
        except OSError:
            pass
    target.unlink()
    return False


def _download(url: str, target: Path) -> None:
    import fsspec

    guard_gcsfs()
    with _reading(url):
        filesystem, key = fsspec.url_to_fs(url)
        filesystem.get_file(key, str(target))
