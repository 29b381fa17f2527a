"""What the store says, and what the stage does, when something is killed. Real processes, a real server."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_repository import clean_environment, stored_runs

from proofline.config.environment import Environment
from proofline.tracking import track
from proofline.tracking.reach import TrackingError

pytestmark = pytest.mark.slow
START_SECONDS = 120  # generous: other work may hold the cores


class Stage:
    """A script running inside `track`, which waits wherever it calls `pause()`."""

    def __init__(self, folder: Path, uri: str, body: str) -> None:
        script = "import os, signal, sys, time\nfrom pathlib import Path\nfrom proofline.tracking import track\n"
        script += "def pause():\n    print('paused', flush=True)\n    sys.stdin.readline()\n"
        script += "with track('train_sft', sections={'seed': 0}) as run:\n" + textwrap.indent(body, "    ")
        self.process = subprocess.Popen(
            [sys.executable, "-c", script], cwd=folder, env=clean_environment(PROOFLINE_TRACKING_URI=uri), text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip

    def wait_for_pause(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "paused\n"

    def resume(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def end(self) -> tuple[int, str]:
        """Exit status and stderr."""
        _, errors = self.process.communicate(timeout=START_SECONDS)
        return self.process.returncode, errors


class Server:
    """An MLflow server on a database, that can be killed and started again on the same port."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.uri = f"http://127.0.0.1:{self.port}"
        self.start()

    def start(self) -> None:
        command = [
            sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self.port), "--workers", "1",
            "--backend-store-uri", f"sqlite:///{self.folder}/server.db",
            "--artifacts-destination", str(self.folder / "artifacts"),
        ]  # fmt: skip
        environment = clean_environment(MLFLOW_SERVER_ENABLE_JOB_EXECUTION="false", MLFLOW_DISABLE_TELEMETRY="true")
        with open(self.folder / "server.log", "ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"{self.uri}/health", timeout=5).close()
                return
            except OSError:
                time.sleep(0.2)
        raise TimeoutError((self.folder / "server.log").read_text())

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"))
    yield server
    if server.process.poll() is None:
        server.kill()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"


def test_a_server_killed_in_mid_run_costs_nothing(server: Server, tmp_path: Path) -> None:
    body = """
        run.log_metrics({"loss": 1.0}, step=1)
        assert run.id()
        pause()
        run.log_metrics({"loss": 0.5}, step=2)
        Path("weights").write_text("trained")
    """
    stage = Stage(tmp_path, server.uri, textwrap.dedent(body))
    stage.wait_for_pause()
    server.kill()
    stage.resume()
    status, errors = stage.end()
    assert status == 0
    assert (tmp_path / "weights").read_text() == "trained"
    assert "run not recorded for now" in errors
    resend = re.search(r"send it with `python (.+)`", errors)
    assert resend, errors

    server.start()
    (begun,) = stored_runs(server.uri)
    assert begun.info.status == "RUNNING"
    subprocess.run([sys.executable, *resend[1].split()], env=clean_environment(), check=True, timeout=START_SECONDS)
    (run,) = stored_runs(server.uri)
    assert run.info.run_id == begun.info.run_id
    assert run.info.status == "FINISHED"
    assert run.data.metrics == {"loss": 0.5}
    from mlflow.tracking import MlflowClient

    history = MlflowClient(server.uri).get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.value) for point in history] == [(1, 1.0), (2, 0.5)]
    assert not list((tmp_path / ".tracking").iterdir())


def test_an_absent_server_stops_the_stage_before_it_computes(tmp_path: Path) -> None:
    computed = False
    message = r"http://127\.0\.0\.1:9 does not answer: .*PROOFLINE_TRACKING_URI="
    environment = Environment(tracking_uri="http://127.0.0.1:9")
    with pytest.raises(TrackingError, match=message), track("train_sft", sections={}, environment=environment):
        computed = True
    assert not computed


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("sqlite:////nowhere/mlflow.db", "/nowhere does not exist"),
        ("postgresql://me:secret@127.0.0.1:9/db", r"postgresql://me:\*\*\*@127\.0\.0\.1:9/db does not answer"),
        ("mlruns", "expected a server"),
    ],
)
def test_an_impossible_store_is_refused_in_words(uri: str, message: str) -> None:
    with (
        pytest.raises(TrackingError, match=message),
        track("x", sections={}, environment=Environment(tracking_uri=uri)),
    ):
        pass


def test_an_exception_ends_the_run_as_failed(database: str, tmp_path: Path) -> None:
    status, errors = Stage(tmp_path, database, "raise KeyError('no such row')").end()
    assert status == 1
    assert "KeyError" in errors
    run = stored_runs(database)[-1]
    assert run.info.status == "FAILED"
    assert run.data.tags["proofline.error"] == "KeyError: 'no such row'"


def test_sigterm_ends_the_run_as_failed(database: str, tmp_path: Path) -> None:
    stage = Stage(tmp_path, database, "run.log_metrics({'loss': 2.0})\npause()")
    stage.wait_for_pause()
    stage.process.terminate()
    status, _ = stage.end()
    assert status == 128 + signal.SIGTERM
    run = stored_runs(database)[-1]
    assert run.info.status == "FAILED"
    assert run.data.tags["proofline.error"] == "Terminated: SIGTERM"
    assert run.data.metrics == {"loss": 2.0}


def test_sigkill_ends_the_run_as_failed_too(database: str, tmp_path: Path) -> None:
    """Also where a worker forked by the stage lives on, with the stage's open files."""
    body = """
        run.log_metrics({"loss": 3.0})
        if worker := os.fork():
            Path("worker").write_text(str(worker))
            pause()
        else:
            time.sleep(600)
    """
    stage = Stage(tmp_path, database, textwrap.dedent(body))
    stage.wait_for_pause()
    stage.process.kill()
    try:
        deadline = time.monotonic() + START_SECONDS
        while list((tmp_path / ".tracking").iterdir()) and time.monotonic() < deadline:
            time.sleep(0.2)
    finally:
        os.kill(int((tmp_path / "worker").read_text()), signal.SIGKILL)
    run = stored_runs(database)[-1]
    assert run.info.status == "FAILED"
    assert run.data.tags["proofline.error"] == "the stage's process was killed"
    assert run.data.metrics == {"loss": 3.0}


def test_what_the_store_refuses_is_dropped_alone_and_named(database: str, tmp_path: Path) -> None:
    body = "run.log_params({'rate': 1})\nrun.log_params({'rate': 2})\nrun.log_metrics({'loss': 4.0})"
    status, errors = Stage(tmp_path, database, body).end()
    assert status == 0
    assert "refused by the tracking store and dropped" in errors
    run = stored_runs(database)[-1]
    assert run.info.status == "FINISHED"
    assert run.data.params["rate"] == "1"
    assert run.data.metrics == {"loss": 4.0}
