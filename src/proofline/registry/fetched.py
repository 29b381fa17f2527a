"""A version's files on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Any


class FetchError(ValueError):
    """A version whose files cannot be had."""


def fetch_version(client: Any, name: str, number: str, folder: Path) -> Path:
    """Copy a version's `model/` into `folder`; returns where it lies. Raises FetchError."""
    from mlflow.exceptions import MlflowException
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    try:
        address = client.get_model_version_download_uri(name, number)
        store = get_artifact_repository(address, tracking_uri=client.tracking_uri)
        return Path(store.download_artifacts("model", str(folder)))
    except (MlflowException, OSError) as error:
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise FetchError(f"{name} version {number}: its files cannot be had: {said}") from None
