"""A store that is not itself for a while: a gateway answers in its place, or it comes back without what it had."""

from __future__ import annotations

import re
import shlex
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from forked_recorder import send
from live_repository import stored_runs
from live_server import Gateway, Server, Stage

pytestmark = pytest.mark.slow
HTML = "<html><body>nginx</body></html>"
BODY = textwrap.dedent("""
    run.log_metrics({"loss": 1.0}, step=1)
    assert run.id()
    pause()
    run.log_params({"late": "param"})
    for step in range(2, 6):
        run.log_metrics({"loss": 1 / step}, step=step)
    pause()
    Path("weights").write_text("trained")
    run.log_artifact("weights")
""")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"))
    yield server
    server.kill()


def curve(uri: str, run: Any) -> list[tuple[int, float]]:
    from mlflow.tracking import MlflowClient

    return [(point.step, point.value) for point in MlflowClient(uri).get_metric_history(run.info.run_id, "loss")]


def assert_whole(uri: str, run: Any) -> None:
    from mlflow.tracking import MlflowClient

    assert run.info.status == "FINISHED"
    assert run.data.params["seed"] == "0"
    assert run.data.params["late"] == "param"
    assert curve(uri, run) == [(step, 1 / step) for step in range(1, 6)]
    assert [file.path for file in MlflowClient(uri).list_artifacts(run.info.run_id)] == ["weights"]


def resend(errors: str) -> None:
    command = re.search(r"send it with `python -m proofline.tracking.recorder (.+)`", errors)
    assert command, errors
    (spool,) = shlex.split(command[1])
    done = send(Path(spool))
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "answer",
    [(404, HTML), (502, HTML), (400, HTML), (404, '{"message": "no Route matched with those values"}'),
     (404, '{"error_code": 404}'), (200, HTML)],
)  # fmt: skip
def test_what_a_gateway_answers_is_no_refusal(server: Server, tmp_path: Path, answer: tuple[int, str]) -> None:
    gateway = Gateway(server)
    stage = Stage(tmp_path, gateway.uri, BODY)
    stage.wait_for_pause()
    gateway.answer = answer
    stage.resume()
    gateway.wait_for_refusals()
    gateway.answer = None
    stage.wait_for_pause()
    stage.resume()
    status, errors = stage.end()
    assert status == 0, errors
    assert "dropped" not in errors
    assert_whole(server.uri, stored_runs(server.uri)[-1])
    assert not list((tmp_path / ".tracking").iterdir())


def test_a_gateway_in_the_way_from_beginning_to_end_costs_a_resend(server: Server, tmp_path: Path) -> None:
    gateway = Gateway(server)
    before = len(stored_runs(server.uri))
    stage = Stage(tmp_path, gateway.uri, "pause()\n" + BODY.replace("assert run.id()", "").replace("pause()\n", ""))
    stage.wait_for_pause()
    gateway.answer = (404, HTML)
    stage.resume()
    status, errors = stage.end()
    assert status == 0, errors
    gateway.answer = None
    resend(errors)
    runs = stored_runs(server.uri)
    assert len(runs) == before + 1
    assert_whole(server.uri, runs[-1])


@pytest.mark.parametrize("back", ["in time", "after the stage"])
def test_a_server_that_comes_back_empty_gets_the_whole_run(tmp_path: Path, back: str) -> None:
    folder = tmp_path / "server"
    folder.mkdir()
    server = Server(folder)
    try:
        stage = Stage(tmp_path, server.uri, BODY)
        stage.wait_for_pause()
        server.kill()
        if back == "in time":
            server.start_empty()
        stage.resume()
        stage.wait_for_pause()
        stage.resume()
        status, errors = stage.end()
        assert status == 0, errors
        assert "dropped" not in errors
        if back == "after the stage":
            server.start_empty()
            resend(errors)
        (run,) = stored_runs(server.uri)
        assert_whole(server.uri, run)
        assert not list((tmp_path / ".tracking").iterdir())
    finally:
        server.kill()


def test_a_run_deleted_while_its_stage_runs_is_begun_anew(server: Server, tmp_path: Path) -> None:
    from mlflow.tracking import MlflowClient

    stage = Stage(tmp_path, server.uri, BODY)
    stage.wait_for_pause()
    MlflowClient(server.uri).delete_run(stored_runs(server.uri)[-1].info.run_id)
    stage.resume()
    stage.wait_for_pause()
    stage.resume()
    status, errors = stage.end()
    assert status == 0, errors
    assert_whole(server.uri, stored_runs(server.uri)[-1])


def test_only_what_mlflow_refuses_is_dropped_and_the_run_goes_on(server: Server, tmp_path: Path) -> None:
    body = BODY.replace(
        'run.log_params({"late": "param"})', 'run.log_params({"late": "param"}); run.log_params({"late": "?"})'
    )
    stage = Stage(tmp_path, server.uri, body)
    for _ in range(2):
        stage.wait_for_pause()
        stage.resume()
    status, errors = stage.end()
    assert status == 0, errors
    assert errors.count("refused by the tracking store and dropped") == 1
    assert_whole(server.uri, stored_runs(server.uri)[-1])
