"""What a version says of where its weights come from: the run, the recipe, the commit, the experiment.

In: the run that trained them or, where weights were restored from a cache, `dvc.lock`, as long as the folder is the
one it speaks of. Out: tags for the version, and the recipe that goes into it.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from proofline.config.load import ParamsError, parse_params, read_yaml
from proofline.config.profiles import PARAMS, changes
from proofline.config.schema import Params
from proofline.tracking.lineage import LineageError, locked_identities, stage_outputs
from proofline.tracking.provenance import git_facts, recipe_diff

COMMIT, DIRTY, EXPERIMENT, IDENTITY = (
    "mlflow.source.git.commit", "proofline.dirty", "proofline.experiment", "proofline.identity",
)  # fmt: skip
SEED, TRAINED, EDITS = "proofline.seed", "proofline.trained", "proofline.edits"
MAX_EDITS = 20
"""Changed keys that a tag names; `params.diff` in the version has all."""


@dataclass(frozen=True)
class Origin:
    """Where weights come from."""

    recipe: Params
    """Prompts and decoding for serving, and the section that trained them."""
    run_id: str | None
    """None: this store has no run of theirs."""
    tags: dict[str, str]
    recipe_diff: str
    """`git diff` of the recipe against the commit in the tags."""


def origin_of_run(client: Any, run_id: str | None, recipe: Params, folder: Path) -> Origin:
    """The origin of weights that the run has trained in `folder`, by `recipe`."""
    trained = ""
    if run_id is None:
        facts = git_facts(folder)
    else:
        run = client.get_run(run_id)
        facts = run.data.tags
        trained = f"{datetime.fromtimestamp(run.info.start_time / 1000):%Y-%m-%d %H:%M}"
    edits = _edits(folder, facts.get(COMMIT), recipe)
    more = [f"and {len(edits) - MAX_EDITS} more"] if len(edits) > MAX_EDITS else []
    known = {  # in the order in which MLflow's table of versions shows them
        SEED: str(recipe.seed),
        EXPERIMENT: facts.get(EXPERIMENT),
        EDITS: "; ".join([*edits[:MAX_EDITS], *more]),
        TRAINED: trained,
        DIRTY: "true" if facts.get(DIRTY) == "true" else "",
        COMMIT: facts.get(COMMIT),
        IDENTITY: facts.get(IDENTITY),
    }
    tags = {name: value for name, value in known.items() if value}
    return Origin(recipe, run_id, tags, recipe_diff(folder) if edits else "")


def origin_of_folder(client: Any, experiment_id: str, root: Path, policy: str) -> Origin:
    """The origin of `models/<policy>` in the repository at `root`, as `dvc.lock` has it.

    Of a folder that is not what `dvc.lock` says nothing is known: no run, no seed, no commit.
    """
    stage, recipe = f"train_{policy}", read_yaml(root / PARAMS)
    identities = locked_identities(root)
    if stage not in identities or not _as_locked(root, stage):
        return Origin(parse_params(recipe, root / PARAMS), None, {}, "")
    locked = _lock(root)[stage].get("params", {}).get(PARAMS, {})
    identity = identities[stage]
    runs = client.search_runs([experiment_id], f"tags.`{IDENTITY}` = '{identity}' and status = 'FINISHED'")
    run_id = runs[0].info.run_id if runs else None
    found = origin_of_run(client, run_id, parse_params(recipe | locked, root / "dvc.lock"), root)
    return Origin(found.recipe, run_id, {**found.tags, IDENTITY: identity}, found.recipe_diff)


def _as_locked(root: Path, stage: str) -> bool:
    """Is the stage's output, as it lies there, the one in `dvc.lock`?"""
    locked = {out["path"]: out["md5"] for out in _lock(root)[stage].get("outs", [])}
    try:
        return all(locked.get(item.path) == item.md5 for item in stage_outputs(root, stage))
    except LineageError:
        return False


def _lock(root: Path) -> Mapping[str, Any]:
    stages: Mapping[str, Any] = YAML(typ="safe", pure=True).load(root / "dvc.lock")["stages"]
    return stages


def _edits(folder: Path, commit: str | None, recipe: Params) -> list[str]:
    """The keys by which a recipe differs from the commit's, as `dpo.beta: 0.1 -> 0.2`."""
    shown = subprocess.run(["git", "-C", str(folder), "show", f"{commit}:./{PARAMS}"], capture_output=True, text=True)
    if commit is None or shown.returncode:
        return []
    try:
        committed = parse_params(YAML(typ="safe", pure=True).load(shown.stdout), folder / PARAMS)
    except ParamsError:  # a commit of another release: its recipe has other keys
        return []
    before, after = committed.model_dump(mode="json"), recipe.model_dump(mode="json")
    return [str(change) for change in changes(before, after)]
