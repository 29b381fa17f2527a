"""A repository that was moved or copied: the addresses of its artifacts in its SQLite store follow it.

MLflow writes the folder of an experiment's artifacts into the database once, and each run's, model's and version's
below it; nothing in its interface changes them (mlflow#3144). In another place new files would go to the old one, which
would be made again, and nothing stored would be found. So the addresses are rewritten, in MLflow's own tables.

Only for SQLite: a database behind a server is not this repository's, and a folder that is not on this machine may
well be on another one.
"""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

TABLES = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


class Address(NamedTuple):
    """Where a row of the store has its files: `root` is a repository's artifact folder, `below` the rest."""

    table: str
    column: str
    row: int
    root: str
    below: str


def follow_artifacts(uri: str, artifact_root: Path) -> int:
    """Let the addresses that lead to where the repository no longer is lead to `artifact_root`.

    Returns how many were rewritten, and says so on stderr. Nothing happens where the store is no SQLite file, and to
    addresses below the artifact folder of another repository that is still there and shares the store.
    """
    database = Path(uri.removeprefix("sqlite:///"))
    if not uri.startswith("sqlite:///") or not database.is_file():
        return 0
    ours = artifact_root.resolve().parent in database.resolve().parents
    with closing(sqlite3.connect(database, timeout=60, isolation_level=None)) as store:
        elsewhere = [one for one in _addresses(store, artifact_root) if _leads_here(one, artifact_root, ours)]
        if not elsewhere:
            return 0
        store.execute("BEGIN IMMEDIATE")
        for table, column, row, root, below in elsewhere:
            moved = (artifact_root.as_uri() + below, row, root + below)
            store.execute(f"UPDATE {table} SET {column} = ? WHERE rowid = ? AND {column} = ?", moved)
        store.execute("COMMIT")
    old = ", ".join(sorted({str(_local(one.root)) for one in elsewhere}))
    print(
        f"tracking: {database} kept its artifacts in {old}, and this repository is elsewhere now: "
        f"{len(elsewhere)} addresses lead to {artifact_root}",
        file=sys.stderr,
    )
    return len(elsewhere)


def _addresses(store: sqlite3.Connection, artifact_root: Path) -> Iterator[Address]:
    """All addresses below an artifact folder of this name in another place."""
    made = {name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    for table, column in TABLES:
        if table not in made:
            continue
        for row, address in store.execute(f"SELECT rowid, {column} FROM {table} WHERE {column} LIKE 'file:%'"):
            before, name, below = address.partition(f"/{artifact_root.name}")
            root = before + name
            if name and (not below or below[0] == "/") and _local(root).resolve() != artifact_root.resolve():
                yield Address(table, column, row, root, below)


def _leads_here(address: Address, artifact_root: Path, ours: bool) -> bool:
    """Does the row belong to this repository now? Its folder has gone or, in a copy, this one has the files too."""
    old = _local(address.root)
    if not ours:
        return not old.parent.exists()
    copied = address.table == "experiments" or Path(f"{artifact_root}{unquote(address.below)}").exists()
    return copied or not old.exists()


def _local(address: str) -> Path:
    return Path(unquote(urlsplit(address).path))
