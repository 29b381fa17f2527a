"""Where versions lie: the tracking store of this repository, opened to read or to write; names, versions, aliases.

Reading makes nothing: no database, no experiment. Writing makes both on first use, in a repository only.
"""

from __future__ import annotations

import os
import re
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from proofline.config.environment import load_environment, repository_root
from proofline.tracking.mlflow_run import open_experiment, quiet_mlflow, spell
from proofline.tracking.reach import check_reachable, public
from proofline.tracking.relocate import follow_artifacts

CANDIDATE, CHAMPION = "candidate", "champion"
WEIGHTS = "proofline.weights"
"""The tag by which versions are told apart: the hash of their weights."""


class RegistryError(ValueError):
    """The registry cannot do this: no store, no such version, files that are lost, somebody else was first."""


def open_registry() -> tuple[Any, str]:
    """A client of the environment's store and the experiment's id, both made where there are none."""
    root, uri = repository_root(), load_environment().tracking_uri
    if not is_repository(root) and not _exists(uri):
        raise RegistryError(_no_repository(root))
    check_reachable(uri)
    quiet_mlflow()
    return open_experiment(uri, root / "mlartifacts")


def read_registry() -> Any:
    """A client of the environment's store. Raises RegistryError or TrackingError where there is none."""
    root, uri = repository_root(), load_environment().tracking_uri
    if not _exists(uri):
        lost = f"{public(uri)} does not exist: nothing has been registered here; run `dvc repro`"
        raise RegistryError(lost if is_repository(root) else _no_repository(root))
    check_reachable(uri)
    quiet_mlflow()
    from mlflow.tracking import MlflowClient

    follow_artifacts(uri, root / "mlartifacts")
    return MlflowClient(uri, registry_uri=uri)


def is_repository(root: Path) -> bool:
    return (root / "dvc.yaml").is_file() or "DVC_ROOT" in os.environ


@contextmanager
def plain_errors() -> Iterator[None]:
    """What the store, or the way to it, raises becomes a RegistryError: its first line, and what to look at."""
    from mlflow.exceptions import MlflowException
    from requests import RequestException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, RequestException, SQLAlchemyError, sqlite3.Error, OSError) as error:
        uri = public(load_environment().tracking_uri)
        raise RegistryError(f"the store {uri} does not do it: {first_line(error)}") from error


def first_line(error: BaseException) -> str:
    """The first line of an error that says something, cut at 300 characters."""
    lines = [line for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
    return lines[0].strip()[:300]


def model_name(policy: str) -> str:
    return f"proofline-{policy}"


def versions(client: Any, policy: str) -> list[Any]:
    """All versions of a policy's registered model, newest first; none where it was never registered."""
    found = client.search_model_versions(f"name = '{model_name(policy)}'")
    return sorted(found, key=lambda version: int(version.version), reverse=True)


def point(client: Any, name: str, alias: str, version: str) -> None:
    """Let an alias of a registered model stand for a version.

    Of two that give a model the same new alias at once MLflow refuses one, which found none a moment before: asked
    again it finds the other's, and moves it.
    """
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        client.set_registered_model_alias(name, alias, version)
    except (MlflowException, SQLAlchemyError):
        client.set_registered_model_alias(name, alias, version)


def aliases(client: Any, policy: str) -> dict[str, int]:
    """Which version each alias of a policy points to."""
    found = client.search_registered_models(f"name = '{model_name(policy)}'")
    return {alias: int(version) for model in found for alias, version in model.aliases.items()}


def by_number(client: Any, policy: str, number: int) -> Any:
    """The version of this number. Raises RegistryError with the numbers there are."""
    known = versions(client, policy)
    for version in known:
        if int(version.version) == number:
            return version
    numbers = ", ".join(str(version.version) for version in reversed(known)) or "none"
    raise RegistryError(f"{model_name(policy)} has no version {number}; there are: {numbers}")


def by_weights(client: Any, policy: str, weights: str) -> Any | None:
    """The oldest version with these weights; None where they are not registered."""
    same = [version for version in versions(client, policy) if version.tags.get(WEIGHTS) == weights]
    return same[-1] if same else None


def model_id_of(version: Any) -> str | None:
    """Id of the logged model behind a version, which MLflow keeps in its address alone; None where there is none."""
    found = re.search(r"/models/(m-[0-9a-f]+)/", version.source or "")
    return found.group(1) if found else None


def create_model(client: Any, name: str, description: str) -> None:
    """Make a registered model; one that is there stays as it is."""
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name, description=description)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def model_metrics(client: Any, model_id: str) -> dict[str, float]:
    """The newest value of each metric of a logged model; none where the model was deleted."""
    from mlflow.exceptions import MlflowException

    try:
        metrics = client.get_logged_model(model_id).metrics or []
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return {}
    return {metric.key: metric.value for metric in sorted(metrics, key=lambda metric: metric.timestamp)}


def log_model_metrics(client: Any, model_id: str, run_id: str | None, metrics: Mapping[str, float]) -> None:
    """Metrics of a logged model, which MLflow keeps by run: none where that was deleted. What the model has already is
    not logged again."""
    from mlflow.entities import Metric

    if run_id is None or client.get_run(run_id).info.lifecycle_stage != "active":
        return
    known = model_metrics(client, model_id)
    now = time.time_ns() // 1_000_000
    fresh = [
        Metric(spell(name), float(value), now, 0, model_id=model_id, run_id=run_id)
        for name, value in metrics.items()
        if known.get(spell(name)) != float(value)
    ]
    if fresh:
        client.log_batch(run_id, metrics=fresh)


def _exists(uri: str) -> bool:
    """Is there a store? A database file lies there or not; of a server the answer comes later."""
    return not uri.startswith("sqlite:///") or Path(uri.removeprefix("sqlite:///")).is_file()


def _no_repository(root: Path) -> str:
    return (
        f"{root} is not a repository of this project (no dvc.yaml here or above) and has no store; "
        "change into one, or name a store with PROOFLINE_TRACKING_URI"
    )
