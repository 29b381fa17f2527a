"""A version's files: stored, fetched, examined, taken away.

A version loads where its weights and its code have the hashes it was registered with and MLflow loads it, in a process
of its own with the code that the version carries. Where DVC links results to its cache instead of copying them, a store
in a folder here has links too: weights lie on the disk once.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from proofline.registry.inside import CODE, foreign
from proofline.registry.origin import Origin
from proofline.registry.package import write_package
from proofline.registry.store import WEIGHTS, first_line
from proofline.storage.folders import take
from proofline.storage.weights import weights_hash

LOAD = "import gc, os, sys; gc.disable(); import mlflow.pyfunc; mlflow.pyfunc.load_model(sys.argv[1]); os._exit(0)"
"""Without going through all objects while they are made and at the end: 4.9 instead of 7.1 s."""


class LostError(ValueError):
    """A version whose files cannot be had."""


def store_files(client: Any, address: str, policy_dir: Path, policy: str, model_id: str | None, origin: Origin) -> None:
    """Put weights and package at an artifact address, over what may lie there."""
    files = _files_at(client, address)
    _store_policy(files, policy_dir)
    with tempfile.TemporaryDirectory() as scratch:
        package = Path(scratch, "version")
        write_package(package, policy, model_id, origin)
        files.log_artifacts(str(package))


def _store_policy(files: Any, policy_dir: Path) -> None:
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

    if not isinstance(files, LocalArtifactRepository):
        files.log_artifacts(str(policy_dir), "model")
        return
    here = Path(files.artifact_dir, "model")
    shutil.rmtree(here, ignore_errors=True)  # written over, a link would change what it is linked to
    if not _linked_by_dvc(policy_dir):
        files.log_artifacts(str(policy_dir), "model")
        return
    for file in (file for file in policy_dir.rglob("*") if file.is_file()):
        file.chmod(file.stat().st_mode & ~0o222)  # as DVC is about to make it
        there = here / file.relative_to(policy_dir)
        there.parent.mkdir(parents=True, exist_ok=True)
        take(file, there)


def _linked_by_dvc(folder: Path) -> bool:
    """Do DVC's settings of the folder's repository (`cache.type`) make hard links of results?"""
    from dvc.config import Config

    root = next((one for one in folder.absolute().parents if (one / ".dvc").is_dir()), None)
    return root is not None and "hardlink" in Config(str(root / ".dvc")).get("cache", {}).get("type", [])


def remove_files(client: Any, address: str) -> None:
    """Take away everything below an artifact address."""
    _files_at(client, address).delete_artifacts()


def examine(client: Any, version: Any) -> str | None:
    """None where the version loads and its weights are those that were registered; else what is wrong with it."""
    with tempfile.TemporaryDirectory() as scratch:
        try:
            folder = fetch(client, version.name, version.version, Path(scratch))
        except LostError as error:
            return str(error)
        registered = version.tags.get(WEIGHTS)
        try:
            found = weights_hash(folder / "model") if registered else None
        except ValueError as error:
            return f"its weights are lost: {first_line(error)}"
        if found != registered:
            return f"its weights have the hash {found}, and were registered with {registered}"
        return foreign(folder, version.tags.get(CODE)) or _load(folder, scratch)


def fetch(client: Any, name: str, number: str, scratch: Path) -> Path:
    """A version's folder on this machine: in `scratch`, or where it lies if that is here. Raises LostError."""
    from mlflow.store.artifact.local_artifact_repo import LocalArtifactRepository

    try:
        files = _files_at(client, client.get_model_version_download_uri(name, number))
        here = isinstance(files, LocalArtifactRepository)
        return Path(files.download_artifacts("", None if here else str(scratch)))
    except Exception as error:  # a store's own exceptions, of any library: whichever, the files are not to be had
        raise LostError(f"its files are lost: {first_line(error)}") from error


def _load(folder: Path, scratch: str) -> str | None:
    """Load it as MLflow does, elsewhere than in this process: the version's own code must not meet ours."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOAD, str(folder)], cwd=scratch, capture_output=True, text=True
    )
    if done.returncode == 0:
        return None
    last = done.stderr.strip().splitlines()[-1:] or [f"exit status {done.returncode}"]
    return f"MLflow does not load it: {last[0][:300]}"


def _files_at(client: Any, address: str) -> Any:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    return get_artifact_repository(address, tracking_uri=client.tracking_uri)
