"""One training and its checkpoints: where it goes on from, who keeps them, and when they go.

Imports torch and accelerate; import it late.
"""

from __future__ import annotations

import secrets
import shutil
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from accelerate import PartialState
from accelerate.utils import broadcast_object_list, gather_object

from proofline.checkpoints.cadence import Cadence
from proofline.checkpoints.store import LOCK, Store
from proofline.checkpoints.writer import Writer
from proofline.storage.lock import HeldError, held
from proofline.training.checkpoints import Checkpoints
from proofline.training.ending import Ending, Word
from proofline.training.saving import Saving
from proofline.training.snapshot import Stored

WAIT_SECONDS = 30.0
"""How long a training waits for one that has its checkpoints: it may be ending."""


@dataclass(frozen=True)
class Start:
    """What the processes of a training agree on before it begins."""

    attempt: str
    step: int | None
    """Of the checkpoint that it goes on from."""


@contextmanager
def kept_checkpoints(trainer: Any, checkpoints: Checkpoints | None) -> Iterator[Saving | None]:
    """Keep checkpoints of the training inside the block (None: it keeps none) until it ends without an error.

    Gives what saves and resumes; its `trainer_folder` is the trainer's `resume_from_checkpoint`. All processes of the
    training enter together. Raises DiskFullError where one could not be written for want of room.
    """
    if checkpoints is None:
        yield None
        return
    with ExitStack() as stack:
        store = checkpoints.store()
        start = _agreed(store, checkpoints.folder, stack)
        if start is None:
            yield None
            return
        here = PartialState()
        scratch = Path(stack.enter_context(TemporaryDirectory()))
        writer = Writer(
            store, start.attempt, checkpoints.decided_by, trainer.args.max_steps, here.process_index,
            here.num_processes, checkpoints.keep,
        )  # fmt: skip
        stored = None if start.step is None else Stored(store.fetch(start.step, scratch))
        cadence = Cadence(checkpoints.save_steps, agree=_told_by_the_first)
        ending = Ending(_told_by_all if here.num_processes > 1 else None, checkpoints.put_off_seconds)
        saving = Saving(trainer, writer, cadence, ending, stored, scratch)
        try:
            with saving.in_charge():
                yield saving
        except BaseException:
            writer.wait(saving.patience_seconds)
            raise
        writer.stop()
        here.wait_for_everyone()
        if here.is_main_process:
            store.clear()
            shutil.rmtree(checkpoints.folder, ignore_errors=True)


def _agreed(store: Store, folder: Path, stack: ExitStack) -> Start | None:
    """What the first process finds; None where these checkpoints are another training's."""
    found: list[Start | None] = [None]
    if PartialState().is_main_process:
        try:
            stack.enter_context(held(folder / LOCK, WAIT_SECONDS))
            found = [Start(secrets.token_hex(4), _start(store))]
        except HeldError as error:
            print(
                f"checkpoints: {error} does this very training too and keeps {folder}; this one keeps none",
                file=sys.stderr,
            )
    broadcast_object_list(found)
    return found[0]


def _start(store: Store) -> int | None:
    """The last undamaged checkpoint. What has more steps is damaged and goes, and so does what is half-written."""
    start = store.last_whole()
    for step in store.steps():
        if step == start:
            break
        store.remove(step)
    store.collect()
    return start


def _told_by_the_first(decided: tuple[bool, int]) -> tuple[bool, int]:
    told = [decided]
    broadcast_object_list(told)
    return told[0]


def _told_by_all(word: Word) -> list[Word]:
    return list(gather_object([word]))
