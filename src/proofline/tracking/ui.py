"""`proofline ui`: the MLflow UI on this repository's store, opened where the last reproduction's runs compare.

The UI starts in a mode for prompts and traces, on an unfiltered table. The addresses made here choose its model
training mode, and the runs that belong to what `dvc.lock` says.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
import webbrowser
from pathlib import Path
from typing import Literal
from urllib.parse import quote, urlencode

from proofline.config.environment import Environment, repository_root
from proofline.tracking.lineage import LineageError
from proofline.tracking.mlflow_run import open_experiment, quiet_mlflow
from proofline.tracking.reach import TrackingError, check_reachable, public
from proofline.tracking.reproduction import TAG, Reproduction, runs_of_last_reproduction, tag_reproduction

START_SECONDS = 180.0
HOST = "127.0.0.1"


def serve(environment: Environment, port: int = 5000, open_browser: bool = False) -> None:
    """Print the addresses, and serve the store until Ctrl-C. A tracking server that runs already is only pointed at."""
    uri, root = environment.tracking_uri, repository_root()
    check_reachable(uri)
    quiet_mlflow()
    client, experiment_id = open_experiment(uri, root / "mlartifacts")
    try:
        reproduction = runs_of_last_reproduction(client, experiment_id, root)
        tag_reproduction(client, reproduction)
    except LineageError as error:
        print(f"tracking: {error}")
        reproduction = Reproduction(())
    server = None if uri.startswith("http") else start_server(uri, root / "mlartifacts", port)
    address = f"http://{HOST}:{port}" if server else uri.rstrip("/")
    pages = addresses(address, experiment_id, reproduction)
    print(reproduction.summary if reproduction.run_ids else "no recorded reproduction yet")
    for name, page in pages.items():
        print(f"{name:10} {page}", flush=True)
    if open_browser:
        webbrowser.open(next(iter(pages.values())))
    if server:
        signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
        try:
            server.wait()
        except KeyboardInterrupt:
            pass
        finally:
            stop_server(server)


def start_server(uri: str, artifact_root: Path, port: int) -> subprocess.Popen[bytes]:
    """A server on the store, reachable from this machine alone; returns when it answers."""
    command = [
        sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(port), "--workers", "1",
        "--backend-store-uri", uri, "--default-artifact-root", artifact_root.as_uri(),
        "--uvicorn-opts", "--log-level warning",
    ]  # fmt: skip
    # Without job execution it starts in a third of the time and without seven more processes.
    variables = os.environ | {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "PYTHONWARNINGS": "ignore"}
    server = subprocess.Popen(command, env=variables, stdout=subprocess.DEVNULL, start_new_session=True)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise TrackingError(
                f"the MLflow server for {public(uri)} ended at once with status {server.returncode}; its words are "
                f"above. If port {port} is taken, choose another: `proofline ui --port {port + 1}`"
            )
        try:
            urllib.request.urlopen(f"http://{HOST}:{port}/health", timeout=2).close()
            return server
        except OSError:
            time.sleep(0.1)
    stop_server(server)
    raise TrackingError(f"the MLflow server for {public(uri)} does not answer on port {port} after {START_SECONDS:g} s")


def stop_server(server: subprocess.Popen[bytes]) -> None:
    """End it and its workers, which are processes of their own."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(server.pid, signal.SIGTERM)
    server.wait()


def addresses(address: str, experiment_id: str, reproduction: Reproduction) -> dict[str, str]:
    """Pages worth opening, by what they show."""
    if not reproduction.run_ids:
        return {"experiment": f"{address}/#/experiments/{experiment_id}/runs?workflowType=machine_learning"}
    chosen = f'tags.`{TAG}` = "{reproduction.id}"'
    evaluated = [one.run_id for one in reproduction.stages if one.run_id and one.stage.startswith("evaluate@")]
    pages = {
        "runs": runs_url(address, experiment_id, chosen),
        "training": runs_url(address, experiment_id, f'{chosen} AND tags.`proofline.stage` LIKE "train_%"', "CHART"),
    }
    return pages | ({"policies": compare_url(address, experiment_id, evaluated)} if len(evaluated) > 1 else {})


def runs_url(address: str, experiment_id: str, search: str, mode: Literal["TABLE", "CHART"] = "TABLE") -> str:
    """The runs that a search finds, as a table or with their curves over steps laid over each other."""
    query = {
        "workflowType": "machine_learning",
        "searchFilter": search,
        "orderByKey": "attributes.start_time",
        "orderByAsc": "true",
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "compareRunsMode": mode,
    }
    return f"{address}/#/experiments/{experiment_id}/runs?{urlencode(query, quote_via=quote)}"


def compare_url(address: str, experiment_id: str, run_ids: list[str]) -> str:
    """Parameters and metrics of these runs side by side."""
    query = {
        "runs": json.dumps(run_ids, separators=(",", ":")),
        "experiments": json.dumps([experiment_id]),
        "workflowType": "machine_learning",
    }
    return f"{address}/#/compare-runs?{urlencode(query, quote_via=quote)}"
