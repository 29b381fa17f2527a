"""Evaluations that DVC keeps: of a commit or an experiment, of a run of the tracking store, of a registered version.

All three lead to the content hashes of an evaluation's files: `dvc.lock` of the commit names them, and so do the inputs
and outputs of the run of stage `evaluate`. The files come from DVC's cache, then from its remote.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from proofline.certificate.lock import LockError, parse_lock
from proofline.certificate.stored import Store
from proofline.comparison.evaluations import EVALUATIONS, PROBLEMS, read_evaluations, weights_of
from proofline.comparison.results import ComparisonError, Results
from proofline.registry.store import WEIGHTS, by_number, first_line
from proofline.tracking.lineage import Item as Source

STAGE, POLICY = "proofline.stage", "proofline.policy"


def results_of_revision(root: Path, store: Store, revision: str, policy: str | None) -> Results:
    """What a commit, a branch, an experiment of DVC's or the `workspace` evaluated: one policy, or all it has."""
    locked = _locked(root, revision)
    found = sorted({path.split("/")[2] for path in locked if path.startswith(f"{EVALUATIONS}/")})
    if not found or (policy is not None and policy not in found):
        raise ComparisonError(
            f"dvc.lock of {revision!r} has evaluations of {', '.join(found) or 'no policy'}"
            + (f", none of {policy}" if policy else "; `dvc repro` makes them")
        )
    return _read(store, locked, [policy] if policy else found, f"revision {revision}")


def results_of_run(client: Any, store: Store, run_id: str) -> Results:
    """What a run of `evaluate` found; of a run that trained a policy, the newest evaluation of what it made."""
    run = client.get_run(run_id)
    stage = run.data.tags.get(STAGE, "")
    if stage.startswith("train_"):
        run = _evaluation_of(client, run, stage.removeprefix("train_"))
    elif stage != "evaluate":
        raise ComparisonError(
            f"run {run_id} is of stage {stage or 'unknown'}; name a run of `evaluate`, or of a training that has one"
        )
    policy = run.data.tags[POLICY]
    content = {one.dataset.name: one.dataset.digest for one in run.inputs.dataset_inputs}
    results = _read(store, content, [policy], f"run {run.info.run_id}, evaluate@{policy}")
    return replace(results, run_id=run.info.run_id)


def results_of_version(client: Any, store: Store, name: str, which: str) -> Results:
    """The evaluation of a registered version; `which` is a number, or `@` and an alias."""
    policy = name.removeprefix("proofline-")
    if which.startswith("@"):
        version = client.get_model_version_by_alias(name, which[1:])
    else:
        version = by_number(client, policy, int(which))
    run = client.get_run(version.run_id)
    results = results_of_run(client, store, _evaluation_of(client, run, policy).info.run_id)
    files = {source.path: source.md5 for source in results.sources}
    evaluated = weights_of(_fetch(store, files, name), policy)
    if evaluated != version.tags.get(WEIGHTS):
        raise ComparisonError(
            f"{name} {version.version} has weights {version.tags.get(WEIGHTS)}, the evaluation {results.run_id} is of "
            f"{evaluated}"
        )
    return replace(results, origin=f"version {version.version} of {name}, {results.origin}")


def _evaluation_of(client: Any, trained: Any, policy: str) -> Any:
    """The newest run of `evaluate` that read the weights that a run wrote."""
    wrote = {one.dataset.name: one.dataset.digest for one in trained.inputs.dataset_inputs}
    weights = wrote.get(f"models/{policy}")
    experiment = [trained.info.experiment_id]
    of_policy = f"tags.`{STAGE}` = 'evaluate' and tags.`{POLICY}` = '{policy}' and status = 'FINISHED'"
    runs = client.search_runs(experiment, of_policy, order_by=["attributes.start_time DESC"]) if weights else []
    for run in runs:
        if any(one.dataset.digest == weights for one in run.inputs.dataset_inputs):
            return run
    raise ComparisonError(
        f"the tracking store has no evaluation of {policy} as run {trained.info.run_id} made it: `dvc repro` evaluates "
        "and records it; where its stage was restored from a cache, name the commit or the experiment"
    )


def _locked(root: Path, revision: str) -> dict[str, str]:
    """md5 by path of all outs."""
    from dvc.api import DVCFileSystem
    from dvc.exceptions import DvcException
    from dvc.scm import SCMError
    from scmrepo.exceptions import SCMError as GitError

    try:
        files = DVCFileSystem(str(root), rev=None if revision == "workspace" else revision)
        return parse_lock(files.read_bytes("dvc.lock")).outs
    except (DvcException, SCMError, GitError, OSError, LockError) as error:
        raise ComparisonError(
            f"{revision!r} is no file, registered version (`name/1`, `name@alias`) or run here, and no commit or "
            f"experiment with results: {first_line(error)}; `dvc exp show` lists the experiments"
        ) from error


def _read(store: Store, content: Mapping[str, str], policies: list[str], origin: str) -> Results:
    folders = tuple(f"{EVALUATIONS}/{policy}/" for policy in policies)
    wanted = {path: md5 for path, md5 in content.items() if path == PROBLEMS or path.startswith(folders)}
    files = _fetch(store, {path: md5 for path, md5 in wanted.items() if _is_read(path)}, origin)
    if PROBLEMS not in files:
        raise ComparisonError(f"{origin} names no {PROBLEMS}: what was asked is unknown")
    sources = tuple(Source(path, content[path], file.stat().st_size) for path, file in files.items())
    return replace(read_evaluations(files, policies, sources), origin=origin)


def _is_read(path: str) -> bool:
    return path == PROBLEMS or path.endswith(("_grades.jsonl", "metrics.json"))


def _fetch(store: Store, content: Mapping[str, str], origin: str) -> dict[str, Path]:
    found = {path: store.find(md5) for path, md5 in content.items()}
    if lost := [path for path, one in found.items() if one is None]:
        said = "".join(f"\n  {line}" for line in (*store.faults, *store.notes))
        raise ComparisonError(
            f"{origin}: neither DVC's cache nor its remote has {', '.join(lost)}; `dvc fetch` or `dvc exp pull` brings "
            f"them, `dvc push` from where they were made{said}"
        )
    return {path: one[0] for path, one in found.items() if one is not None}
