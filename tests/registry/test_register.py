"""Versions of real (tiny, untrained) policies in a real SQLite store: found, loaded, asked, downloaded."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from checkout import EMBEDDED

from proofline.config.load import load_params
from proofline.config.schema import Params
from proofline.registry import register
from proofline.registry.register import register_policy, register_version
from proofline.registry.serving import RequestError, SolverModel, rows
from proofline.tracking import NullRun
from proofline.tracking.lineage import locked_identities

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


def retrained(policy: Path, to: Path) -> Path:
    """The same policy with other weights."""
    from safetensors.torch import load_file, save_file

    shutil.copytree(policy, to)
    weights = load_file(to / "model.safetensors")
    save_file({name: tensor + 0.5 for name, tensor in weights.items()}, to / "model.safetensors", {"format": "pt"})
    return to


def test_the_candidate_names_its_weights_run_and_metrics(store: Any, run_id: str, registered: Any) -> None:
    client, _ = store
    version = client.get_model_version_by_alias("proofline-sft", "candidate")
    assert version.version == registered["sft"] == 1
    assert version.run_id == run_id
    assert version.tags["proofline.identity"] == "0123456789abcdef"
    assert version.tags["metric.loss"] == "0.25"
    assert version.tags["metric.pass_at_1"] == "0.5"
    made = client.get_run(run_id).outputs.model_outputs
    assert any(output.model_id in version.source for output in made), "the run's page leads to the version's model"


def test_a_policy_is_loaded_by_alias_and_solves(registered: Any) -> None:
    import mlflow.pyfunc
    import pandas

    model = mlflow.pyfunc.load_model("models:/proofline-sft@candidate")
    questions = ["What is 2 + 3?", "What is 7 * 6?"]
    solutions = model.predict(questions)
    assert [type(solution) for solution in solutions] == [str, str]
    assert model.predict(pandas.DataFrame({"question": questions})) == solutions, "a table gets the same answers"
    assert model.predict(questions[1:]) == solutions[1:], "an answer does not depend on its company"


def test_a_verifier_is_loaded_by_alias_and_judges(registered: Any) -> None:
    import mlflow.pyfunc

    model = mlflow.pyfunc.load_model("models:/proofline-genrm@candidate", model_config={"num_chains": 1})
    (verdict,) = model.predict([{"question": "What is 2 + 3?", "candidate": "2 + 3 = 5\n#### 5"}])
    assert isinstance(verdict["chain"], str)
    assert verdict["p_yes"] != verdict["p_yes"], "an untrained verifier reaches no verdict: NaN, neither 0 nor 1"


def test_a_version_is_a_hugging_face_folder(registered: Any, tiny_policy: Path, tmp_path: Path) -> None:
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
    store: Any, run_id: str, registered: Any, tiny_policy: Path, tmp_path: Path, params: Params
) -> None:
    client, _ = store
    other = retrained(tiny_policy, tmp_path / "other")
    assert register_version(other, "sft", {}, run_id, params) == 2
    assert client.get_model_version_by_alias("proofline-sft", "candidate").version == 2
    assert register_version(tiny_policy, "sft", {}, run_id, params) == 1
    assert client.get_model_version_by_alias("proofline-sft", "candidate").version == 1
    assert len(client.search_model_versions("name = 'proofline-sft'")) == 2


def test_a_run_that_nobody_keeps_costs_the_registration_only(
    tiny_policy: Path, params: Params, capsys: pytest.CaptureFixture[str]
) -> None:
    assert register(tiny_policy, "dpo", {}, NullRun(), params=params) is None
    assert "proofline registry register dpo" in capsys.readouterr().err


def test_weights_from_a_cache_are_registered_as_made_by_the_run_of_their_stage(
    store: Any, tiny_policy: Path, tmp_path: Path
) -> None:
    client, experiment = store
    shutil.copytree(tiny_policy, tmp_path / "models" / "dpo")
    shutil.copy(EMBEDDED, tmp_path / "params.yaml")
    lock = "stages:\n  train_dpo:\n    cmd: python stages/train_dpo.py\n"
    (tmp_path / "dvc.lock").write_text(lock)
    made = client.create_run(experiment, tags={"proofline.identity": locked_identities(tmp_path)["train_dpo"]})
    client.set_terminated(made.info.run_id, "FINISHED")
    assert register_policy(tmp_path, "dpo") == 1
    assert client.get_model_version_by_alias("proofline-dpo", "candidate").run_id == made.info.run_id


@pytest.mark.parametrize("row", [{"text": "2 + 3"}, {"question": 5}, 7])
def test_a_request_without_a_question_is_refused_in_words(row: Any, tiny_policy: Path, params: Params) -> None:
    from proofline.records import Decoding

    model = SolverModel(tiny_policy, "sft", params.prompts, Decoding(temperature=0, top_p=1, max_new_tokens=4))
    with pytest.raises(RequestError, match="no text 'question'"):
        model.predict([row])


def test_a_single_question_is_a_row() -> None:
    assert rows("2 + 3") == ["2 + 3"]
    assert rows({"question": "2 + 3"}) == [{"question": "2 + 3"}]
