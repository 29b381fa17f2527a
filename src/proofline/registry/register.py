"""A trained policy becomes a version of its registered model: `proofline-sft`, `proofline-dpo`, `proofline-genrm`.

A version holds `MLmodel`, `requirements.txt` and `model/`, the Hugging Face folder unchanged:

    mlflow.pyfunc.load_model("models:/proofline-sft@candidate").predict(["What is 2 + 3?"])
    AutoModelForCausalLM.from_pretrained(mlflow.artifacts.download_artifacts("models:/proofline-sft@candidate/model"))

The newest version carries the alias `candidate`; `champion` is given by `promote`. Versions are told apart by the
hash of their weights: registering the same weights again moves the alias and stores nothing.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from importlib.metadata import version as installed
from pathlib import Path
from typing import Any

from proofline.config.environment import load_environment, repository_root
from proofline.config.load import load_params
from proofline.config.schema import Params
from proofline.registry.serving import serving_config
from proofline.storage.weights import weights_hash
from proofline.tracking import Run
from proofline.tracking.lineage import locked_identities
from proofline.tracking.mlflow_run import open_experiment, quiet_mlflow, spell

CANDIDATE = "candidate"
LIBRARIES = ("proofline", "torch", "transformers", "tokenizers", "safetensors")
"""What a version needs to be loaded, at the releases it was made with."""


def register(
    policy_dir: Path, policy: str, metrics: Mapping[str, float], run: Run, *, params: Params | None = None
) -> int | None:
    """Register the policy in `policy_dir` as made by `run`; returns the version.

    None where the run is not recorded or the store is lost: the training is worth more than its registration, and a
    line on stderr says how to make up for it. `params` (default: `params.yaml`) gives the prompts and the decoding
    that `predict` uses.
    """
    run_id = run.id()
    try:
        if run_id is None:
            raise ConnectionError("its run has no id in the tracking store")
        return register_version(policy_dir, policy, metrics, run_id, params or load_params())
    except Exception as error:
        print(
            f"registry: {policy} is trained but not registered: {error}\n"
            f"registry: register it later with `proofline registry register {policy}`",
            file=sys.stderr,
        )
        return None


def register_version(
    policy_dir: Path, policy: str, metrics: Mapping[str, float], run_id: str | None, params: Params
) -> int:
    """As `register`, but raises what goes wrong. `run_id` None: the maker is unknown (weights from a cache)."""
    client, experiment_id = open_registry()
    name, weights = model_name(policy), weights_hash(policy_dir)
    known = [version for version in versions(client, policy) if version.tags.get("proofline.weights") == weights]
    if known:
        number = int(known[0].version)
    else:
        tags = {"proofline.policy": policy, "proofline.weights": weights, **_origin(client, run_id)}
        tags |= {f"metric.{spell(key)}": f"{value:.6g}" for key, value in metrics.items()}
        model_id = _log_model(client, experiment_id, policy_dir, policy, run_id, tags, params)
        number = _create_version(client, name, model_id, run_id, tags)
    client.set_registered_model_alias(name, CANDIDATE, str(number))
    return number


def register_policy(root: Path, policy: str) -> int:
    """Register `models/<policy>` of the repository at `root`, as made by the run that trained it where there is one."""
    client, experiment_id = open_registry()
    identity = locked_identities(root)[f"train_{policy}"]
    runs = client.search_runs([experiment_id], f"tags.`proofline.identity` = '{identity}' and status = 'FINISHED'")
    run_id = runs[0].info.run_id if runs else None
    return register_version(root / "models" / policy, policy, {}, run_id, load_params(root / "params.yaml"))


def open_registry() -> tuple[Any, str]:
    """A client of the environment's store, and the experiment's id."""
    quiet_mlflow()
    return open_experiment(load_environment().tracking_uri, repository_root() / "mlartifacts")


def model_name(policy: str) -> str:
    return f"proofline-{policy}"


def versions(client: Any, policy: str) -> list[Any]:
    """All versions of a policy's registered model, newest first; none where it was never registered."""
    found = client.search_model_versions(f"name = '{model_name(policy)}'")
    return sorted(found, key=lambda version: int(version.version), reverse=True)


def aliases(client: Any, policy: str) -> dict[str, int]:
    """Which version each alias of a policy points to."""
    found = client.search_registered_models(f"name = '{model_name(policy)}'")
    return {alias: int(version) for model in found for alias, version in model.aliases.items()}


def _origin(client: Any, run_id: str | None) -> dict[str, str]:
    """The stage's identity and commit, as the run has them."""
    if run_id is None:
        return {}
    tags = client.get_run(run_id).data.tags
    return {name: tags[name] for name in ("proofline.identity", "mlflow.source.git.commit") if name in tags}


def _log_model(
    client: Any, experiment_id: str, policy_dir: Path, policy: str, run_id: str | None, tags: dict[str, str],
    params: Params,
) -> str:  # fmt: skip
    """Store the files; the model is READY only when all of them have arrived."""
    from mlflow.entities import LoggedModelOutput

    model = client.create_logged_model(experiment_id, model_name(policy), run_id, tags, model_type=policy)
    try:
        client.log_model_artifacts(model.model_id, str(policy_dir), "model")
        with tempfile.TemporaryDirectory() as folder:
            _write_mlmodel(Path(folder), policy, model.model_id, run_id, params)
            client.log_model_artifacts(model.model_id, folder)
    except BaseException:
        client.finalize_logged_model(model.model_id, "FAILED")
        raise
    client.finalize_logged_model(model.model_id, "READY")
    if run_id is not None:
        client.log_outputs(run_id, [LoggedModelOutput(model.model_id, step=0)])
    return str(model.model_id)


def _write_mlmodel(folder: Path, policy: str, model_id: str, run_id: str | None, params: Params) -> None:
    """`MLmodel` and `requirements.txt`. Written directly: `log_model` infers an environment, which takes longer than
    the stage's own work, and copies the weights once more."""
    from mlflow.models import Model
    from mlflow.pyfunc import add_to_model

    model = Model(run_id=run_id, model_id=model_id)
    config = serving_config(policy, params)
    add_to_model(model, "proofline.registry.serving", data="model", env="requirements.txt", model_config=config)
    model.save(str(folder / "MLmodel"))
    lines = [f"{library}=={installed(library).partition('+')[0]}\n" for library in LIBRARIES]
    (folder / "requirements.txt").write_text("".join(lines))


def _create_version(client: Any, name: str, model_id: str, run_id: str | None, tags: dict[str, str]) -> int:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
    source = client.get_logged_model(model_id).artifact_location
    return int(client.create_model_version(name, source, run_id, tags, model_id=model_id).version)
