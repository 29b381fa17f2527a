"""Versions of real (tiny, untrained) policies in a real SQLite store: found, loaded, asked, downloaded."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib.util import find_spec
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest
from checkout import EMBEDDED

from proofline.config.load import load_params
from proofline.config.schema import Params
from proofline.registry import register
from proofline.registry.register import register_version
from proofline.registry.store import open_registry
from proofline.serving import RequestError, SolverModel, rows
from proofline.tracking import NullRun

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def params() -> Params:
    """The default recipe with short answers: an untrained policy does not know when to stop."""
    recipe = load_params(EMBEDDED)
    return recipe.model_copy(
        update={
            "evaluation": recipe.evaluation.model_copy(update={"max_new_tokens": 6}),
            "verification": recipe.verification.model_copy(update={"max_new_tokens": 6, "num_chains": 2}),
        }
    )


class FinishedRun(NullRun):
    """A run that is in the store."""

    def __init__(self, run_id: str) -> None:
        self._id = run_id

    def id(self) -> str:
        return self._id


@pytest.fixture(scope="module")
def run_id(store: Any) -> str:
    client, experiment = store
    return str(client.create_run(experiment, tags={"proofline.identity": "0123456789abcdef"}).info.run_id)


@pytest.fixture(scope="module")
def registered(store: Any, run_id: str, tiny_policy: Path, params: Params) -> dict[str, int | None]:
    metrics = {"loss": 0.25, "pass@1": 0.5}
    return {p: register(tiny_policy, p, metrics, FinishedRun(run_id), params=params) for p in ("sft", "genrm")}


def test_the_candidate_names_its_weights_run_seed_and_metrics(store: Any, run_id: str, registered: Any) -> None:
    client, _ = store
    version = client.get_model_version_by_alias("proofline-sft", "candidate")
    assert version.version == registered["sft"] == 1
    assert version.run_id == run_id
    assert version.tags["proofline.identity"] == "0123456789abcdef"
    assert version.tags["proofline.seed"] == "0"
    (made,) = [out for out in client.get_run(run_id).outputs.model_outputs if out.model_id in version.source]
    model = client.get_logged_model(made.model_id)
    assert {metric.key: metric.value for metric in model.metrics} == {"loss": 0.25, "pass_at_1": 0.5}
    assert model.params["sft.learning_rate"] == str(load_params(EMBEDDED).sft.learning_rate)


def test_a_policy_is_loaded_by_alias_and_solves(registered: Any, named: None) -> None:
    import mlflow.pyfunc
    import pandas

    model = mlflow.pyfunc.load_model("models:/proofline-sft@candidate")
    questions = ["What is 2 + 3?", "What is 7 * 6?"]
    solutions = model.predict(questions)
    assert [type(solution) for solution in solutions] == [str, str]
    assert model.predict(pandas.DataFrame({"question": questions})) == solutions, "a table gets the same answers"
    assert model.predict([{"question": question} for question in questions]) == solutions
    assert model.predict(questions[1:]) == solutions[1:], "an answer does not depend on its company"
    assert len(model.predict(model.input_example)) == 1


def test_a_verifier_is_loaded_by_alias_and_judges(registered: Any, named: None) -> None:
    import mlflow.pyfunc

    model = mlflow.pyfunc.load_model("models:/proofline-genrm@candidate", model_config={"num_chains": 1})
    (verdict,) = model.predict([{"question": "What is 2 + 3?", "candidate": "2 + 3 = 5\n#### 5"}])
    assert isinstance(verdict["chain"], str)
    assert verdict["p_yes"] != verdict["p_yes"], "an untrained verifier reaches no verdict: NaN, neither 0 nor 1"


def test_a_process_that_has_loaded_a_version_starts_others_with_the_whole_package(registered: Any, named: None) -> None:
    """MLflow leaves the version's code, which is a part of the package, first on the path that children inherit."""
    import mlflow.pyfunc

    mlflow.pyfunc.load_model("models:/proofline-sft@candidate")
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(find_spec, "proofline.launch").result() is not None


def test_a_version_is_a_hugging_face_folder(registered: Any, named: None, tiny_policy: Path, tmp_path: Path) -> None:
    import mlflow
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = mlflow.artifacts.download_artifacts("models:/proofline-sft@candidate/model", dst_path=str(tmp_path))
    assert {path.name for path in Path(folder).iterdir()} == {path.name for path in tiny_policy.iterdir()}
    ours = AutoModelForCausalLM.from_pretrained(folder).state_dict()
    theirs = AutoModelForCausalLM.from_pretrained(tiny_policy).state_dict()
    assert all(torch.equal(tensor, theirs[name]) for name, tensor in ours.items())
    assert AutoTokenizer.from_pretrained(folder).encode("2 + 3")


def test_the_same_weights_are_stored_once(
    store: Any, run_id: str, registered: Any, tiny_policy: Path, shifted: Callable[[float], Path], params: Params
) -> None:
    client, _ = store
    assert register_version(shifted(0.5), "sft", {}, run_id, params) == 2
    assert client.get_model_version_by_alias("proofline-sft", "candidate").version == 2
    assert register_version(tiny_policy, "sft", {}, run_id, params) == 1
    assert client.get_model_version_by_alias("proofline-sft", "candidate").version == 1
    assert len(client.search_model_versions("name = 'proofline-sft'")) == 2


def test_a_run_that_nobody_keeps_costs_the_registration_only(
    store: Any, tiny_policy: Path, params: Params, capsys: pytest.CaptureFixture[str]
) -> None:
    assert register(tiny_policy, "dpo", {}, NullRun(), params=params) is None
    assert "proofline registry register dpo" in capsys.readouterr().err


@pytest.mark.parametrize("broken", ["create_model_version", "finalize_logged_model", "log_outputs"])
def test_a_registration_that_fails_leaves_nothing_behind(
    store: Any, shifted: Callable[[float], Path], params: Params, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    from mlflow.exceptions import MlflowException
    from mlflow.tracking import MlflowClient

    def fail(*arguments: Any, **options: Any) -> None:
        raise MlflowException("the store is lost")

    client, experiment = open_registry()
    root = Path(client.get_experiment(experiment).artifact_location.removeprefix("file://"))
    before = sorted(root.rglob("*.safetensors"))
    runs = len(client.search_runs([experiment]))
    monkeypatch.setattr(MlflowClient, broken, fail)
    with pytest.raises(MlflowException, match="the store is lost"):
        register_version(shifted(0.25), "dpo", {}, None, params)
    assert sorted(root.rglob("*.safetensors")) == before
    assert len(client.search_runs([experiment])) == runs
    assert not [model for model in client.search_logged_models([experiment]) if model.name == "proofline-dpo"]


@pytest.mark.parametrize("row", [{"text": "2 + 3"}, {"question": 5}, 7])
def test_a_request_without_a_question_is_refused_in_words(row: Any, tiny_policy: Path, params: Params) -> None:
    from proofline.records import Decoding

    model = SolverModel(tiny_policy, "sft", params.prompts, Decoding(temperature=0, top_p=1, max_new_tokens=4))
    with pytest.raises(RequestError, match="no text 'question'"):
        model.predict([row])


def test_a_single_question_is_a_row() -> None:
    assert rows("2 + 3") == ["2 + 3"]
    assert rows({"question": "2 + 3"}) == [{"question": "2 + 3"}]
