"""Writing a checkpoint while the training goes on: one thread a process, one checkpoint at a time.

Every process writes its share of the objects and then a receipt that names them. The first one waits for the receipts
of all, writes the manifest, and lets go of what need not be kept. Processes meet only in the place itself, so a thread
never talks over the connection that the training uses.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from proofline.checkpoints.manifest import Manifest, Part, seal, unseal
from proofline.checkpoints.place import CheckpointError, Chunks, PlaceError
from proofline.checkpoints.store import Keep, Store, step_folder

RECEIPT = "receipt.json"
POLL_SECONDS = 0.05
PATIENCE_SECONDS = 120.0
"""How long the first process waits, when it has written, for one that takes longer, beside ten times its own time."""


class StoppedError(Exception):
    """The writing was stopped from outside."""


@dataclass
class Writer:
    """Writes the checkpoints of one process of a training."""

    store: Store
    attempt: str
    """8 hex digits, the same in all processes: no two starts of a training write under one name."""
    decided_by: Mapping[str, Any]
    of_steps: int
    rank: int = 0
    processes: int = 1
    keep: Keep = field(default_factory=Keep)
    seconds: float = 0.0
    """From the start of the last writing to its end, of which:"""
    busy_seconds: float = 0.0
    """a core was needed."""
    error: Exception | None = None
    """What the last writing ended with."""
    _thread: threading.Thread | None = None
    _stop: threading.Event = field(default_factory=threading.Event)

    @property
    def share(self) -> str:
        """The folder of what this process writes, in that of the step."""
        return f"{self.attempt}-{self.rank:05d}"

    @property
    def is_writing(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def start(self, step: int, objects: Mapping[str, Callable[[], Chunks]]) -> None:
        """Begin to write a checkpoint of these objects; the one before is waited for. The objects must not change."""
        self.wait()
        self._thread = threading.Thread(target=self._run, args=(step, objects), daemon=True, name="checkpoint")
        self._thread.start()

    def wait(self, seconds: float | None = None) -> None:
        """Until the last one is written, or has failed."""
        if self._thread:
            self._thread.join(seconds)

    def stop(self) -> None:
        """Leave what is being written half done; returns when nothing is written any more."""
        self._stop.set()
        self.wait()

    def _run(self, step: int, objects: Mapping[str, Callable[[], Chunks]]) -> None:
        began = time.perf_counter()
        try:
            self._write(step, objects)
        except StoppedError:
            pass
        except Exception as error:
            self.error = error
        self.seconds, self.busy_seconds = time.perf_counter() - began, time.thread_time()

    def _write(self, step: int, objects: Mapping[str, Callable[[], Chunks]]) -> None:
        began = time.perf_counter()
        place, share = self.store.place, self.share
        parts = {}
        for name, content in objects.items():
            found = place.put(f"{step_folder(step)}/{share}/{name}", self._until_stopped(content()))
            parts[f"{share}/{name}"] = {"num_bytes": found.num_bytes, "crc32c": found.crc32c}
        place.put(f"{step_folder(step)}/{share}/{RECEIPT}", [seal(parts)])
        if self.rank:
            return
        patience = PATIENCE_SECONDS + 10 * (time.perf_counter() - began)
        everything = {
            name: Part.model_validate(part)
            for rank in range(self.processes)
            for name, part in self._receipt(step, rank, time.perf_counter() + patience).items()
        }
        self.store.commit(
            Manifest(
                stage=self.store.stage, identity=self.store.identity, step=step, of_steps=self.of_steps,
                processes=self.processes, written=datetime.now(UTC).isoformat(timespec="seconds"),
                decided_by=dict(self.decided_by), objects=everything,
            )
        )  # fmt: skip
        place.remove(f"{step_folder(step)}/{self.attempt}-{rank:05d}/{RECEIPT}" for rank in range(self.processes))
        self.store.rotate(self.keep)

    def _until_stopped(self, chunks: Chunks) -> Chunks:
        for chunk in chunks:
            if self._stop.is_set():
                raise StoppedError
            yield chunk

    def _receipt(self, step: int, rank: int, deadline: float) -> dict[str, Any]:
        name = f"{step_folder(step)}/{self.attempt}-{rank:05d}/{RECEIPT}"
        while True:
            try:
                return unseal(self.store.place.read(name), self.store.place.size(name))
            except (FileNotFoundError, CheckpointError):  # not there, or not all of it yet
                if self._stop.wait(POLL_SECONDS):
                    raise StoppedError from None
                if time.perf_counter() > deadline:
                    raise PlaceError(
                        f"process {rank} of {self.processes} has not written its share of step {step}: {name} is not "
                        f"in {self.store.place.describe()}. Do all processes see that place?"
                    ) from None
