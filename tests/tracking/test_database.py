"""The database of a repository: made once, whoever comes first, and nowhere else than there."""

from __future__ import annotations

import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import forked
import pytest
from live_repository import clean_environment, stored_runs
from live_server import START_SECONDS, Stage
from shared import empty_database

from proofline.config.environment import load_environment
from proofline.tracking import track
from proofline.tracking.mlflow_run import open_experiment
from proofline.tracking.reach import TrackingError

pytestmark = pytest.mark.slow


def open_store(folder: Path, uri: str, said: Path) -> BaseProcess:
    """A process that opens it, and writes what it has to say to a file."""
    given = (uri, folder / "mlartifacts")
    return forked.fork(open_experiment, *given, folder=said.parent, variables=clean_environment(), out=said, err=said)


@pytest.mark.parametrize("processes", [2, 8])
def test_processes_that_make_the_database_at_once_all_have_it(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, processes: int
) -> None:
    uri, said = f"sqlite:///{tmp_path}/mlflow.db", tmp_path_factory.mktemp("said") / "words"
    opening = [open_store(tmp_path, uri, said) for _ in range(processes)]
    for process in opening:
        process.join(START_SECONDS)
    assert [process.exitcode for process in opening] == [0] * processes, said.read_text()
    assert said.read_text() == ""
    assert stored_runs(uri) == []


def test_stages_that_begin_at_once_are_all_recorded(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    stages = []
    for number in range(3):  # in folders of their own: two of one stage in one folder would wait for each other
        (folder := tmp_path / str(number)).mkdir()
        stages.append(Stage(folder, uri, f"run.log_metrics({{'loss': {number}.0}}, step=1)"))
    for status, errors in [stage.end() for stage in stages]:
        assert (status, errors) == (0, "")
    runs = stored_runs(uri)
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert sorted(run.data.metrics["loss"] for run in runs) == [0.0, 1.0, 2.0]


def test_a_maker_that_is_killed_leaves_nothing_that_keeps_the_next_from_it(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    uri, said = f"sqlite:///{tmp_path}/mlflow.db", tmp_path_factory.mktemp("said") / "words"
    maker = open_store(tmp_path, uri, said)
    partial, deadline = tmp_path / "mlflow.db.partial", time.monotonic() + START_SECONDS
    while not partial.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    maker.kill()
    maker.join()
    assert partial.exists()
    assert not (tmp_path / "mlflow.db").exists()
    (tmp_path / "mlflow.db").touch()  # as an interrupted `sqlite3` leaves it
    second = open_store(tmp_path, uri, said)
    second.join(START_SECONDS)
    assert second.exitcode == 0, said.read_text()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["mlflow.db", "mlflow.db.lock"]
    assert stored_runs(uri) == []


def tree(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize("name", ["with blanks", "Größe", "100%", "a#b;c", "two  [x] 'y'"])
def test_a_folder_of_any_ordinary_name_has_its_store_within(tmp_path: Path, name: str) -> None:
    root = tmp_path / name
    root.mkdir()
    uri = load_environment({}, root).tracking_uri
    status, errors = Stage(root, uri, "Path('notes').write_text('x')\nrun.log_artifact('notes')").end()
    assert (status, errors) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == [name]
    (run,) = stored_runs(uri)
    assert run.info.status == "FINISHED"
    assert list((root / "mlartifacts").rglob("notes"))
    done = forked.command(["runs"], root, clean_environment())
    assert "dvc.lock is absent" in done.stderr, "nothing hangs, nothing is reproduced here"


@pytest.mark.parametrize("name", ["a%41b", "what?", "a%2Fb", "a%20b", "%C3%BC", "x?mode=ro", "deep%25"])
def test_a_folder_that_the_address_of_a_database_cannot_say_is_refused_at_once(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / name
    root.mkdir()
    (root / "dvc.yaml").write_text("stages: {}\n")
    monkeypatch.chdir(root)
    before, computed = tree(tmp_path), False
    remedy = r"Nothing has been computed\. Rename the folder, or keep the database in another one"
    environment = load_environment({}, root)
    with pytest.raises(TrackingError, match=remedy), track("train_sft", sections={}, environment=environment):
        computed = True
    assert not computed
    for command in ("runs", "ui"):
        done = forked.command([command], root, clean_environment())
        assert done.returncode == 1
        assert "Rename the folder" in done.stderr
        assert "Traceback" not in done.stderr
    assert tree(tmp_path) == before

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "mlflow.db").write_bytes(empty_database())
    uri = f"sqlite:///{elsewhere}/mlflow.db"
    status, errors = Stage(root, uri, "Path('notes').write_text('x')\nrun.log_artifact('notes')").end()
    assert (status, errors) == (0, ""), "the remedy works"
    assert list((root / "mlartifacts").rglob("notes"))
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([name, "elsewhere"])
