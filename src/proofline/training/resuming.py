"""One training and its checkpoints: where it goes on from, who keeps them, and what is said when there is no room.

Imports torch and accelerate; import it late.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from accelerate import PartialState
from accelerate.utils import broadcast_object_list

from proofline.storage.lock import HeldError, held
from proofline.storage.space import full_disk, size_bytes
from proofline.training.checkpoints import MARKER, by_steps, last_complete, marking_callback

LOCK = "lock"
WAIT_SECONDS = 30.0
"""How long a training waits for one that has its checkpoints: it may be ending."""
BYTES_A_PARAMETER, BYTES_BESIDE = 13, 1 << 20
"""What a first checkpoint is expected to need: a weight and Adam's two moments in fp32, tokenizer and state beside."""


@contextmanager
def kept_checkpoints(trainer: Any, folder: Path | None) -> Iterator[Path | None]:
    """Keep checkpoints of the training inside the block in `folder` (None: nowhere) until it ends without an error.

    Gives the one to go on from. All processes of the training enter together. Raises DiskFullError where one could not
    be written for want of room.
    """
    if folder is None:
        yield None
        return
    with ExitStack() as locks:
        ours, start = _agreed(folder, locks)
        if not ours:
            trainer.args.save_strategy = "no"
            yield None
            return
        trainer.add_callback(marking_callback())
        try:
            yield start
        except Exception as error:
            if full := _no_room(trainer, folder, error):
                raise full from error
            raise
        if PartialState().is_main_process:
            shutil.rmtree(folder, ignore_errors=True)


def _agreed(folder: Path, locks: ExitStack) -> tuple[bool, Path | None]:
    """Whether these checkpoints are this training's, and the one to go on from: what the first process finds."""
    found: list[tuple[bool, Path | None] | None] = [None]
    if PartialState().is_main_process:
        try:
            locks.enter_context(held(folder / LOCK, WAIT_SECONDS))
            found[0] = (True, _start(folder))
        except HeldError as error:
            print(
                f"checkpoints: {error} does this very training too and keeps {folder}; this one keeps none",
                file=sys.stderr,
            )
            found[0] = (False, None)
    broadcast_object_list(found)
    assert found[0] is not None
    return found[0]


def _start(folder: Path) -> Path | None:
    """The last undamaged checkpoint. What has more steps is removed: the trainer would count it among those to keep."""
    start = last_complete(folder)
    for path in by_steps(folder):
        if path == start:
            break
        shutil.rmtree(path)
    return start


def _no_room(trainer: Any, folder: Path, error: Exception) -> Exception | None:
    """Why the checkpoint of this step is half-written, if it is and its disk is full."""
    part = folder / f"checkpoint-{trainer.state.global_step}"
    if not part.is_dir() or (part / MARKER).exists():
        return None
    whole = [path for path in by_steps(folder) if (path / MARKER).exists()]
    parameters = sum(getattr(weight, "ds_numel", weight.numel()) for weight in trainer.model.parameters())
    need = size_bytes(whole[0]) if whole else BYTES_A_PARAMETER * parameters + BYTES_BESIDE
    kept = f"{whole[0].name} is kept, and the training goes on from it" if whole else "There is none before it"
    return full_disk(
        part,
        need,
        f"{kept}: make room there, or move {folder.parents[1]} to a larger disk and leave a link to it, and start the "
        "stage again. PROOFLINE_SAVE_STEPS is how many steps lie between two.",
        error,
    )
