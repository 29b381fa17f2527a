"""Can the tracking store be reached? Asked before a stage computes anything; costs milliseconds and no MLflow."""

from __future__ import annotations

import os
import socket
import urllib.request
from pathlib import Path
from urllib.parse import unquote, urlsplit

TIMEOUT_SECONDS = 5.0


class TrackingError(ValueError):
    """The tracking store cannot be used."""


class SilentError(TrackingError):
    """The tracking store does not answer now. It may do so later."""


def check_reachable(uri: str) -> None:
    """Raise TrackingError, with the remedy, where there can be no store at `uri`; SilentError where none answers."""
    if database := database_file(uri):
        _check_folder(database.parent, uri)
    elif uri.startswith(("http://", "https://")):
        _check_server(uri)
    elif "://" in uri and urlsplit(uri).hostname:
        _check_port(uri)
    else:
        raise TrackingError(
            f"tracking_uri is {uri!r}; expected a server (http://host:port) or a database (sqlite:///path, "
            "postgresql://…). Set PROOFLINE_TRACKING_URI, or `tracking_uri` in .execution.yaml"
        )


def database_file(uri: str) -> Path | None:
    """The file of an SQLite store; None for other stores.

    Raises TrackingError where the path is not one in a URI: SQLAlchemy reads `%41` as `A` and ends it at a `?`, so the
    database would be made elsewhere; and written as `%2541`, MLflow makes a folder of that name.
    """
    prefix, separator, path = uri.partition("sqlite:///")
    if prefix or not separator:
        return None
    read = unquote(path.partition("?")[0])
    if read != path:
        raise TrackingError(
            f"tracking store {uri}: in the address of a database `%` and two digits stand for another character, and a "
            f"`?` ends it, so this one would be {read}. Nothing has been computed. Rename the folder, or keep the "
            "database in another one: PROOFLINE_TRACKING_URI=sqlite:////home/me/mlflow.db"
        )
    return Path(path)


def public(uri: str) -> str:
    """The URI without its password, fit for a message."""
    parts = urlsplit(uri)
    return uri.replace(f":{parts.password}@", ":***@") if parts.password else uri


def _check_folder(folder: Path, uri: str) -> None:
    if not os.access(folder, os.W_OK):
        raise TrackingError(
            f"tracking store {uri}: {folder} {'is not writable' if folder.exists() else 'does not exist'}; "
            "create it, or point PROOFLINE_TRACKING_URI elsewhere"
        )


def _check_server(uri: str) -> None:
    try:
        with urllib.request.urlopen(f"{uri.rstrip('/')}/health", timeout=TIMEOUT_SECONDS):
            return
    except OSError as error:
        raise _unreachable(uri, error) from None


def _check_port(uri: str) -> None:
    parts = urlsplit(uri)
    port = parts.port or (5432 if parts.scheme.startswith("postgresql") else 3306)
    try:
        socket.create_connection((parts.hostname, port), timeout=TIMEOUT_SECONDS).close()
    except OSError as error:
        raise _unreachable(uri, error) from None


def _unreachable(uri: str, error: OSError) -> TrackingError:
    return SilentError(
        f"tracking store {public(uri)} does not answer: {error}. "
        "Start the server, or record locally: PROOFLINE_TRACKING_URI=sqlite:///mlflow.db"
    )
