"""Resumable checkpoints of a training, outside DVC's outs (DVC deletes those before a stage runs).

Their folder is named by all that decides the trained weights (recipe, seed, start, rows, code, library versions), so
nothing else ever resumes them, wherever it runs. A checkpoint counts when its marker is there and true: the marker is
written last, when everything has reached the disk, and holds the size and the digest of every file.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proofline.config.schema import Training
from proofline.records import stable_id
from proofline.storage.artifacts import write_json
from proofline.training.execution import Execution
from proofline.training.identity import policy_identity, software_identity

if TYPE_CHECKING:
    from transformers import TrainerCallback

MARKER = "complete"


def checkpoint_folder(
    execution: Execution, stage: str, section: Training, seed: int, policy_dir: Path, rows: Iterable[object]
) -> Path | None:
    """`<root>/<stage>/<identity>`; None where no checkpoints are wanted.

    A shared-out optimizer (ZeRO) can only be read back by as many processes, so their number is part of its identity.
    """
    if execution.checkpoints is None:
        return None
    shards = [execution.zero_stage, os.environ.get("WORLD_SIZE", "1")] if execution.zero_stage else []
    digest = hashlib.sha256()
    for row in rows:
        digest.update(repr(row).encode())
    identity = stable_id(
        section.model_dump(), seed, policy_identity(policy_dir), digest.hexdigest(), software_identity(), *shards
    )
    return execution.checkpoints / stage / identity


def by_steps(folder: Path) -> list[Path]:
    """Whatever calls itself a checkpoint, the one of the most steps first."""
    found = [path for path in folder.glob("checkpoint-*") if re.fullmatch(r"checkpoint-\d+", path.name)]
    return sorted(found, key=lambda path: int(path.name.rpartition("-")[2]), reverse=True)


def last_complete(folder: Path) -> Path | None:
    """The undamaged checkpoint of the most steps; says on stderr why those with more are not used."""
    for path in by_steps(folder):
        fault = damage(path)
        if fault is None:
            return path
        print(f"checkpoints: {path} is not used: {fault}", file=sys.stderr, flush=True)
    return None


def damage(checkpoint: Path) -> str | None:
    """What keeps a checkpoint from being resumed; None: it is what was written, to the byte."""
    try:
        vouched = json.loads((checkpoint / MARKER).read_text(encoding="utf-8"))["files"]
        found = {str(file.relative_to(checkpoint)) for file in files_of(checkpoint)}
        if absent := sorted(vouched.keys() - found):
            return f"{', '.join(absent)} missing"
        if strange := sorted(found - vouched.keys()):
            return f"{', '.join(strange)} came later"
        for name, expected in vouched.items():
            size = (checkpoint / name).stat().st_size
            if size != expected["bytes"]:
                return f"{name} has {size} bytes, {expected['bytes']} were written"
            if _sha256(checkpoint / name) != expected["sha256"]:
                return f"{name} is not what was written: its digest is another"
    except FileNotFoundError:
        return f"it has no marker ({MARKER}): it was cut off while it was written"
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        return f"it cannot be read: {type(error).__name__}: {error}"
    return None


def files_of(checkpoint: Path) -> list[Path]:
    """All files but the marker."""
    return sorted(path for path in checkpoint.rglob("*") if path.is_file() and path != checkpoint / MARKER)


def mark(checkpoint: Path) -> None:
    """Vouch for a checkpoint that is written: its files reach the disk, then the marker that names them."""
    vouched: dict[str, Any] = {}
    for file in files_of(checkpoint):
        _to_disk(file)
        vouched[str(file.relative_to(checkpoint))] = {"bytes": file.stat().st_size, "sha256": _sha256(file)}
    for folder in (*(path for path in checkpoint.rglob("*") if path.is_dir()), checkpoint, checkpoint.parent):
        _to_disk(folder)
    write_json(checkpoint / MARKER, {"files": vouched})
    _to_disk(checkpoint)


def marking_callback() -> TrainerCallback:
    """Marks each checkpoint once every process has finished writing its part."""
    from accelerate import PartialState
    from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

    class MarkComplete(TrainerCallback):
        def on_save(
            self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: object
        ) -> None:
            PartialState().wait_for_everyone()
            if state.is_world_process_zero:
                mark(Path(str(args.output_dir)) / f"checkpoint-{state.global_step}")

    return MarkComplete()


def _sha256(file: Path) -> str:
    with open(file, "rb") as contents:
        return hashlib.file_digest(contents, "sha256").hexdigest()


def _to_disk(path: Path) -> None:
    """A file's content, or a folder's entries."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
