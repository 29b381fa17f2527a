"""A trained policy becomes a version of its registered model: `proofline-sft`, `proofline-dpo`, `proofline-genrm`.

    mlflow.pyfunc.load_model("models:/proofline-sft@candidate").predict(["What is 2 + 3?"])
    AutoModelForCausalLM.from_pretrained(mlflow.artifacts.download_artifacts("models:/proofline-sft@candidate/model"))

The newest version carries the alias `candidate`; `champion` is given by `promote`. Versions are told apart by the
hash of their weights: registering the same weights again moves the alias, and stores what has been lost since.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from proofline.config.load import load_params
from proofline.config.schema import Params
from proofline.registry.files import examine, store_files
from proofline.registry.inside import CODE, code_hash
from proofline.registry.origin import Origin, origin_of_folder, origin_of_run
from proofline.registry.store import (
    CANDIDATE,
    WEIGHTS,
    by_weights,
    create_model,
    log_model_metrics,
    model_id_of,
    model_name,
    open_registry,
    plain_errors,
    point,
)
from proofline.registry.unfinished import MAKER, conclude, maker, settle, take_back
from proofline.storage.weights import weights_hash
from proofline.tracking import Run
from proofline.tracking.spool import leaves

ABOUT = {
    "sft": "Fine-tuned on worked solutions; answers questions.",
    "dpo": "Trained further on its own right and wrong solutions; answers questions.",
    "genrm": "Verifier: P(Yes) that a candidate solution of a question is right.",
}


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
    """As `register`, but raises what goes wrong. `run_id` None: the maker is unknown."""
    weights = weights_hash(policy_dir)  # before a store is made
    client, experiment_id = open_registry()
    origin = origin_of_run(client, run_id, params, Path.cwd())
    return _register(client, experiment_id, policy_dir, policy, weights, metrics, origin)


def register_policy(root: Path, policy: str) -> int:
    """Register `models/<policy>` of the repository at `root`, with the run, the card and the metrics that are its."""
    from proofline.registry.describe import describe_versions

    policy_dir = root / "models" / policy
    weights = weights_hash(policy_dir)
    with plain_errors():
        client, experiment_id = open_registry()
        origin = origin_of_folder(client, experiment_id, root, policy)
        number = _register(client, experiment_id, policy_dir, policy, weights, {}, origin)
    describe_versions(root / "reports", [policy])
    return number


def _register(
    client: Any, experiment_id: str, policy_dir: Path, policy: str, weights: str, metrics: Mapping[str, float],
    origin: Origin,
) -> int:  # fmt: skip
    settle(client, policy)
    name, version = model_name(policy), by_weights(client, policy, weights)
    if version is None:
        with _maker(client, experiment_id, policy, origin) as known:
            version = _new_version(client, experiment_id, policy_dir, policy, weights, metrics, known)
    elif lost := examine(client, version):
        print(f"registry: version {version.version} of {name} is stored again: {lost}", file=sys.stderr)
        address = client.get_model_version_download_uri(name, version.version)
        known = replace(origin, run_id=version.run_id)
        store_files(client, address, policy_dir, policy, model_id_of(version), known)
        client.set_model_version_tag(name, version.version, CODE, code_hash())
    point(client, name, CANDIDATE, str(version.version))
    return int(version.version)


def _new_version(
    client: Any, experiment_id: str, policy_dir: Path, policy: str, weights: str, metrics: Mapping[str, float],
    origin: Origin,
) -> Any:  # fmt: skip
    """Store the files, then the version."""
    name, tags = model_name(policy), {**origin.tags, WEIGHTS: weights, CODE: code_hash()}
    model = _log_model(client, experiment_id, policy_dir, policy, tags, origin)
    with _taken_back(client, model):
        log_model_metrics(client, model.model_id, origin.run_id, metrics)
        create_model(client, name, ABOUT.get(policy, ""))
        made = client.create_model_version(name, model.artifact_location, origin.run_id, tags, model_id=model.model_id)
    return conclude(client, policy, model, made)


def _log_model(
    client: Any, experiment_id: str, policy_dir: Path, policy: str, tags: Mapping[str, str], origin: Origin
) -> Any:
    """Store the files; the model is READY only when all of them have arrived, and gone where they have not."""
    from mlflow.entities import LoggedModelOutput

    sections = {name: getattr(origin.recipe, name) for name in ("seed", policy) if hasattr(origin.recipe, name)}
    recipe = {key: str(value) for key, value in leaves(sections)}
    tags = {**tags, MAKER: maker()}
    model = client.create_logged_model(experiment_id, model_name(policy), origin.run_id, tags, recipe, policy)
    with _taken_back(client, model):
        store_files(client, model.artifact_location, policy_dir, policy, model.model_id, origin)
        client.finalize_logged_model(model.model_id, "READY")
        client.log_outputs(origin.run_id, [LoggedModelOutput(model.model_id, step=0)])
    return model


@contextmanager
def _maker(client: Any, experiment_id: str, policy: str, origin: Origin) -> Iterator[Origin]:
    """The origin, with the run behind the version.

    Where the run that trained is not in this store it is one of the registration: MLflow keeps a model's metrics by
    run, and of a model without one it asks whatever store the process has by default.
    """
    if origin.run_id is not None:
        yield origin
        return
    tags = {"proofline.stage": "register", "proofline.policy": policy, MAKER: maker()}
    run_id = str(client.create_run(experiment_id, tags=tags, run_name=f"register@{policy}").info.run_id)
    try:
        yield replace(origin, run_id=run_id)
    except BaseException:
        client.delete_run(run_id)
        raise
    client.set_terminated(run_id, "FINISHED")


@contextmanager
def _taken_back(client: Any, model: Any) -> Iterator[None]:
    """Leave no model and no files behind where the block fails."""
    try:
        yield
    except BaseException:
        with suppress(Exception):  # the first error is the one to tell; the store may be gone
            take_back(client, model)
        raise
