"""The SQLite store as a file: made by one process while the others wait, whole or not at all.

MLflow makes and migrates a database whenever it opens one that lacks a table, without a lock: of two that do so at
once one fails, in the middle of the other's migration (hydraflow#245).
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from proofline.tracking.reach import database_file


@contextmanager
def opening(uri: str, artifact_root: Path) -> Iterator[None]:
    """Inside the block this process alone opens the store at `uri`, which is there. Other stores than SQLite see to it
    themselves. Raises TrackingError where the path cannot be one of a database."""
    database = database_file(uri)
    if database is None:
        yield
        return
    with open(f"{database}.lock", "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not database.exists() or not database.stat().st_size:
            _make(database, artifact_root)
        yield


def _make(database: Path, artifact_root: Path) -> None:
    """Made beside its place and renamed into it: a maker that is killed leaves no half-migrated database."""
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    partial = Path(f"{database}.partial")
    for rest in (partial, Path(f"{partial}-journal")):
        rest.unlink(missing_ok=True)
    SqlAlchemyStore(f"sqlite:///{partial}", artifact_root.as_uri()).engine.dispose()
    os.replace(partial, database)
