"""Whose the kept shards of a stage are, and where: among those of the same recipe, inputs, code and arithmetic."""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from proofline.checkpoints.bucket import Bucket
from proofline.checkpoints.folder import Folder
from proofline.checkpoints.pieces import Pieces
from proofline.checkpoints.place import Place
from proofline.checkpoints.store import LOCK
from proofline.config import Environment
from proofline.config.environment import repository_root
from proofline.launch.instructions import arithmetic
from proofline.launch.kept import Kept, Parts, none_kept
from proofline.records import stable_id
from proofline.storage.folders import files_hash
from proofline.storage.lock import HeldError, held
from proofline.storage.weights import weights_hash
from proofline.tracking import Run
from proofline.tracking.spool import leaves
from proofline.training.identity import DRAWING, DRAWING_LIBRARIES, software_identity

WAIT_SECONDS = 30.0
"""How long a stage waits for one that has its pieces: it may be ending."""


@contextmanager
def keeping(
    stage: str,
    sections: Mapping[str, object],
    inputs: Sequence[str],
    environment: Environment,
    run: Run,
    policy: str | None = None,
) -> Iterator[Parts]:
    """Inside the block a stage's finished shards are kept, until it ends without an error.

    Gives the parts of the stage by what they make, for `spread`: `part(Solution, …)`; None where none are kept.
    `sections`, `policy`: as of `track`; `inputs`: the files and policy folders that decide its results. Raises
    PlaceError where the place of checkpoints does not answer.
    """
    if environment.checkpoints == "none":
        yield none_kept
        return
    decided_by = _decided_by(sections, inputs, environment)
    name, identity = f"{stage}_{policy}" if policy else stage, stable_id(*decided_by.values())
    folder = environment.checkpoint_folder(repository_root()) / name / identity
    bucket = environment.checkpoint_bucket
    place: Place = Bucket(f"{bucket}/{name}/{identity}") if bucket else Folder(folder)
    with ExitStack() as stack:
        if not _ours(folder, stack):
            yield none_kept
            return
        kept = Kept(Pieces(place, name, identity), decided_by, run, environment.save_steps)
        try:
            yield kept.part
        except BaseException:
            kept.interrupted()
            raise
        kept.pieces.clear()
        shutil.rmtree(folder, ignore_errors=True)


def _ours(folder: Path, stack: ExitStack) -> bool:
    """Whether no other stage of the same identity keeps its shards there; then none will until the stack ends."""
    try:
        stack.enter_context(held(folder / LOCK, WAIT_SECONDS))
    except HeldError as error:
        print(f"checkpoints: {error} does this stage too and keeps {folder}; this one keeps none", file=sys.stderr)
        return False
    return True


def _decided_by(sections: Mapping[str, object], inputs: Sequence[str], environment: Environment) -> dict[str, Any]:
    """All that decides a stage's results, by name."""
    return {
        "recipe": dict(leaves(sections)),
        "inputs": {path: _hash(Path(path)) for path in inputs},
        "sampling": [environment.sampling_url, environment.sampling_model, environment.sampling_server],
        "sampling_rows": environment.sampling_rows,
        "grader_deadline_seconds": environment.grader_deadline_seconds,
        "arithmetic": arithmetic(environment),
        "software": software_identity(DRAWING, DRAWING_LIBRARIES),
    }


def _hash(path: Path) -> str | None:
    """Of a file, or of a policy's folder: its weights and what they mean. None: the stage will miss it too."""
    if not path.exists():
        return None
    if path.is_dir():
        return stable_id(weights_hash(path), files_hash(path))
    with open(path, "rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()
