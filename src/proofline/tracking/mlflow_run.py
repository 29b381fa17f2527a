"""The MLflow back end: one flat run that a spool's events are sent to, in batches.

Sending the same event twice is harmless (MLflow keeps one of two equal metrics, params and tags), so a batch that
failed half-way is simply sent again.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from proofline.tracking.lineage import Item
from proofline.tracking.relocate import follow_artifacts
from proofline.tracking.spool import Event

EXPERIMENT = "proofline"
MAX_METRICS, MAX_PARAMS, MAX_TEXT = 1000, 100, 6000  # MLflow's limits on one request and one value
T = TypeVar("T")


def quiet_mlflow() -> None:
    """Before MLflow's import: no telemetry, no chatter, and a dead server costs seconds rather than four minutes."""
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
    os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")


def open_experiment(uri: str, artifact_root: Path) -> tuple[Any, str]:
    """A client of the store and the id of the experiment, made on first use as one of model training.

    A server decides itself where artifacts lie; a bare database is told to keep them under `artifact_root`, also when
    the repository has been moved since.
    """
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    follow_artifacts(uri, artifact_root)
    client = MlflowClient(uri, registry_uri=uri)  # else the registry would be the working directory's
    experiment = client.get_experiment_by_name(EXPERIMENT)
    if experiment is None:
        location = None if uri.startswith("http") else artifact_root.as_uri()
        try:  # without this tag the UI opens the experiment as one of prompts and traces
            client.create_experiment(EXPERIMENT, location, {"mlflow.experimentKind": "custom_model_development"})
        except MlflowException:  # another stage has just made it
            if client.get_experiment_by_name(EXPERIMENT) is None:
                raise
        experiment = client.get_experiment_by_name(EXPERIMENT)
    return client, experiment.experiment_id


class MlflowRun:
    """One run in the store at `uri`; `run_id` names one that was begun before."""

    def __init__(self, uri: str, artifact_root: Path, run_id: str | None = None) -> None:
        self._client, self._experiment_id = open_experiment(uri, artifact_root)
        self.run_id = run_id

    def begin(self, name: str, start_time_ms: int, tags: Mapping[str, str]) -> None:
        run = self._client.create_run(self._experiment_id, start_time_ms, dict(tags), name)
        self.run_id = run.info.run_id

    def send(self, events: Iterable[Event]) -> None:
        """Metrics, params, tags and artifacts of these events."""
        from mlflow.entities import Metric, Param, RunTag

        metrics: list[Metric] = []
        params: list[Param] = []
        tags: list[RunTag] = []
        for event in events:
            match event["kind"]:
                case "metrics":
                    time_ms, step = event["time_ms"], event["step"]
                    metrics += [Metric(spell(name), value, time_ms, step) for name, value in event["values"].items()]
                case "params":
                    params += [Param(spell(name), value[:MAX_TEXT]) for name, value in event["values"].items()]
                case "tag":
                    tags.append(RunTag(spell(event["name"]), event["value"][:MAX_TEXT]))
                case "artifact":
                    self._send_artifact(event["path"], event["folder"])
        for batch in chunks(metrics, MAX_METRICS):
            self._client.log_batch(self.run_id, metrics=batch)
        for batch in chunks(params, MAX_PARAMS):
            self._client.log_batch(self.run_id, params=batch)
        for batch in chunks(tags, MAX_PARAMS):
            self._client.log_batch(self.run_id, tags=batch)

    def send_items(self, items: Sequence[Item], context: str) -> None:
        """Inputs or outputs as MLflow data sets with DVC's md5 as digest: one search finds writer and readers."""
        from mlflow.entities import Dataset, DatasetInput, InputTag

        inputs = [
            DatasetInput(
                Dataset(
                    name=item.path,
                    digest=item.md5,
                    source_type="local",
                    source=json.dumps({"uri": item.path}),
                    profile=json.dumps({"size_bytes": item.size_bytes}),
                ),
                tags=[InputTag("mlflow.data.context", context)],
            )
            for item in items
        ]
        if inputs:
            self._client.log_inputs(self.run_id, inputs)

    def send_text(self, text: str, name: str) -> None:
        self._client.log_text(self.run_id, text, name)

    def finish(self, status: str, end_time_ms: int) -> None:
        self._client.set_terminated(self.run_id, status, end_time_ms)

    def _send_artifact(self, path: str, folder: str) -> None:
        if Path(path).is_dir():
            self._client.log_artifacts(self.run_id, path, folder or None)
        else:
            self._client.log_artifact(self.run_id, path, folder or None)


def is_refusal(error: Exception) -> bool:
    """Would the store answer the same again? True for a bad request, False for an absent server or login."""
    from mlflow.exceptions import MlflowException

    if isinstance(error, MlflowException):
        return error.get_http_status_code() in (400, 404, 409)
    return isinstance(error, FileNotFoundError)


def spell(name: str) -> str:
    """A name that MLflow accepts: `pass@8` -> `pass_at_8`."""
    return re.sub(r"[^\w\-. /:]", "_", name.replace("@", "_at_"))


def chunks(values: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(values)
    while chunk := list(islice(rest, size)):
        yield chunk
