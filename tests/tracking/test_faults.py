"""What the store says, and what the stage does, when something is killed. Real processes, a real server."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from live_repository import clean_environment, stored_runs
from live_server import START_SECONDS, Server, Stage
from shared import empty_database

from proofline.config.environment import Environment
from proofline.tracking import track
from proofline.tracking.reach import SilentError, TrackingError, check_reachable

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"))
    yield server
    server.kill()


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    store = tmp_path_factory.mktemp("store") / "mlflow.db"
    store.write_bytes(empty_database())
    return f"sqlite:///{store}"


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


def test_a_server_that_is_down_at_the_start_gets_everything_later(server: Server, tmp_path: Path) -> None:
    from mlflow.tracking import MlflowClient

    before = len(stored_runs(server.uri))
    server.kill()
    body = "run.log_metrics({'loss': 1.0}, step=1)\npause()\nrun.log_metrics({'loss': 0.5}, step=2)"
    stage = Stage(tmp_path, server.uri, body)
    stage.wait_for_pause()
    server.start()
    stage.resume()
    status, errors = stage.end()
    assert status == 0, errors
    assert re.search(rf"tracking store {server.uri} does not answer: .*PROOFLINE_TRACKING_URI=", errors)
    assert "this stage goes on, and its run waits" in errors
    run = stored_runs(server.uri)[-1]
    assert len(stored_runs(server.uri)) == before + 1
    assert run.info.status == "FINISHED"
    history = MlflowClient(server.uri).get_metric_history(run.info.run_id, "loss")
    assert [(point.step, point.value) for point in history] == [(1, 1.0), (2, 0.5)]
    assert not list((tmp_path / ".tracking").iterdir())


@pytest.mark.parametrize(
    ("uri", "message"),
    [
        ("sqlite:////nowhere/mlflow.db", "/nowhere does not exist"),
        ("mlruns", "expected a server"),
    ],
)
def test_an_impossible_store_is_refused_in_words(uri: str, message: str) -> None:
    with (
        pytest.raises(TrackingError, match=message),
        track("x", sections={}, environment=Environment(tracking_uri=uri)),
    ):
        pass


def test_a_store_that_does_not_answer_is_named_without_its_password() -> None:
    with pytest.raises(SilentError, match=r"postgresql://me:\*\*\*@127\.0\.0\.1:9/db does not answer"):
        check_reachable("postgresql://me:secret@127.0.0.1:9/db")


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
    status, errors = stage.end()
    assert status == -signal.SIGKILL
    assert "where memory runs out" in errors
    assert "PROOFLINE_MICRO_BATCH" in errors
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
