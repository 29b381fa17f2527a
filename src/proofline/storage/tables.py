"""Rows of published data sets: JSON Lines files, packed or not, in a local folder or under a `gs://` URL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from proofline.storage.remote import exists, read_lines

SUFFIXES = (".jsonl.gz", ".jsonl")


class TableError(ValueError):
    """A data file that is missing, there twice, or not JSON Lines."""


def read_table(root: str, name: str) -> Iterator[tuple[str, dict[str, object]]]:
    """Yield (place, fields) for each row of `root/name.jsonl[.gz]`; a place is `path:line`.

    Raises TableError, and ReadError where the file cannot be read.
    """
    path = find_table(root, name)
    for number, line in enumerate(read_lines(path), 1):
        try:
            fields = json.loads(line)
        except json.JSONDecodeError as error:
            raise TableError(f"{path}:{number}: not JSON: {error}; one object a line is expected") from None
        if not isinstance(fields, dict):
            raise TableError(f"{path}:{number}: found {type(fields).__name__}; one object a line is expected")
        yield f"{path}:{number}", fields


def located(root: str, path: str) -> str:
    """Where a file lies that the recipe names: a URL or an absolute path as it is, others under `root`.

    Raises TableError where there is none.
    """
    place = path if "://" in path else str(Path(path).expanduser())
    if "://" not in place and not Path(place).is_absolute():
        place = f"{root.rstrip('/')}/{path}"
    if not exists(place):
        raise TableError(
            f"no file {place}; correct the path in the recipe, or set PROOFLINE_DATA_ROOT to the folder or gs:// URL "
            "under which it lies"
        )
    return place


def find_table(root: str, name: str) -> str:
    """The one file of that name. Raises TableError where there is none or two."""
    candidates = [f"{root.rstrip('/')}/{name}{suffix}" for suffix in SUFFIXES]
    found = [path for path in candidates if exists(path)]
    if not found:
        raise TableError(
            f"no {' or '.join(candidates)}; set PROOFLINE_DATA_ROOT to the folder or gs:// URL that holds it"
        )
    if len(found) > 1:
        raise TableError(f"both {' and '.join(found)}; remove one, so that it is clear which is read")
    return found[0]
