"""Execution settings come from variables and one git-ignored file, and never from a guess."""

from __future__ import annotations

from pathlib import Path

import pytest

from proofline.config.environment import EnvironmentSettingsError, all_cores, load_environment, repository_root


def test_defaults_start_in_the_repository(tmp_path: Path) -> None:
    environment = load_environment({}, tmp_path)
    assert environment.data_root == str(tmp_path / "data/raw")
    assert environment.tracking_uri == f"sqlite:///{tmp_path}/mlflow.db"
    assert (environment.launcher, environment.processes, environment.zero_stage) == ("local", 1, 0)
    assert environment.threads_each == all_cores()
    assert environment.micro_batch is None


def test_processes_share_the_cores_and_need_a_launcher(tmp_path: Path) -> None:
    many = {"PROOFLINE_LAUNCHER": "accelerate", "PROOFLINE_PROCESSES": str(all_cores()), "PROOFLINE_ZERO_STAGE": "2"}
    assert load_environment(many, tmp_path).threads_each == 1
    assert load_environment(many | {"PROOFLINE_THREADS": "3"}, tmp_path).threads_each == 3
    with pytest.raises(EnvironmentSettingsError) as caught:
        load_environment({"PROOFLINE_PROCESSES": "2", "PROOFLINE_ZERO_STAGE": "1"}, tmp_path)
    assert str(caught.value).splitlines()[1:] == [
        "  PROOFLINE_PROCESSES: found 2; launcher local is one process, set PROOFLINE_LAUNCHER=accelerate or ray",
        "  PROOFLINE_ZERO_STAGE: found 1; launcher local is one process, set PROOFLINE_LAUNCHER=accelerate or ray",
    ]


def test_the_variable_wins_over_the_file(tmp_path: Path) -> None:
    (tmp_path / ".execution.yaml").write_text("threads: 3\nsampling_rows: 64\n")
    environment = load_environment({"PROOFLINE_THREADS": "5", "HOME": "/nowhere"}, tmp_path)
    assert (environment.threads, environment.sampling_rows) == (5, 64)


def test_places_elsewhere_are_left_alone(tmp_path: Path) -> None:
    there = {"PROOFLINE_DATA_ROOT": "gs://bucket/raw", "PROOFLINE_TRACKING_URI": "http://127.0.0.1:5000"}
    environment = load_environment(there, tmp_path)
    assert (environment.data_root, environment.tracking_uri) == ("gs://bucket/raw", "http://127.0.0.1:5000")
    absolute = load_environment({"PROOFLINE_TRACKING_URI": "sqlite:////srv/runs.db"}, tmp_path)
    assert absolute.tracking_uri == "sqlite:////srv/runs.db"


def test_problems_name_the_variable_or_the_file(tmp_path: Path) -> None:
    (tmp_path / ".execution.yaml").write_text("grader_workers: many\n")
    with pytest.raises(EnvironmentSettingsError) as caught:
        load_environment({"PROOFLINE_MICROBATCH": "4", "PROOFLINE_THREADS": "0"}, tmp_path)
    assert str(caught.value).splitlines()[1:] == [
        "  PROOFLINE_THREADS: found '0'; allowed: a whole number >= 1 or null",
        "  .execution.yaml: grader_workers: found 'many'; allowed: a whole number >= 1",
        "  PROOFLINE_MICROBATCH: unknown key (found '4'); did you mean PROOFLINE_MICRO_BATCH?",
    ]


@pytest.mark.parametrize("text", ["- 1", "threads: ["])
def test_a_file_that_holds_no_settings_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / ".execution.yaml").write_text(text)
    with pytest.raises(EnvironmentSettingsError, match=r"\.execution\.yaml"):
        load_environment({}, tmp_path)


def test_an_empty_file_is_no_setting(tmp_path: Path) -> None:
    (tmp_path / ".execution.yaml").write_text("# threads: 4\n")
    assert load_environment({}, tmp_path) == load_environment({}, tmp_path)


def test_the_root_is_dvcs_word_or_the_folder_with_the_graph(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "dvc.yaml").touch()
    (tmp_path / "a/b").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "a/b")
    monkeypatch.delenv("DVC_ROOT", raising=False)
    assert repository_root() == tmp_path
    monkeypatch.setenv("DVC_ROOT", "/elsewhere")
    assert repository_root() == Path("/elsewhere")


@pytest.mark.parametrize("name", ["{name}", "{}", "{policy"])
def test_a_served_models_name_holds_what_is_known(name: str, tmp_path: Path) -> None:
    with pytest.raises(EnvironmentSettingsError, match=r"PROOFLINE_SAMPLING_MODEL: .* hold \{policy\} and \{weights\}"):
        load_environment({"PROOFLINE_SAMPLING_MODEL": name}, tmp_path)
    assert load_environment({"PROOFLINE_SAMPLING_MODEL": "mine"}, tmp_path).sampling_model == "mine"
    assert load_environment({}, tmp_path).endpoint_cache == str(tmp_path / ".endpoint")
