"""Is the time between SIGTERM and a machine's end enough for a checkpoint? By its size, and by what the place takes.

A training that is asked to end finishes its step and writes a last checkpoint, each machine its share. All of that has
to be done while SIGTERM is put off. Where the one before is being written at that moment, it is finished first: it
began earlier, so there is time for that one at least.
"""

from __future__ import annotations

import math
import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass

from proofline.checkpoints.place import CHUNK_BYTES, CheckpointError, Place
from proofline.storage.space import spelled

BYTES_A_PARAMETER = 12
"""fp32 weights and Adam's two moments; fewer with another `optimizer_state`."""
PROBE_BYTES = 256 << 20
"""As much is written to measure; less where the checkpoint has less."""


class GraceError(CheckpointError):
    """The time is not enough."""


@dataclass(frozen=True)
class Grace:
    """What a last checkpoint takes, and what there is for it."""

    num_bytes: int
    """Of a whole checkpoint."""
    bytes_per_second: float
    """Written, flushed and found again, by one machine."""
    machines: int
    step_seconds: float
    put_off_seconds: float
    """Of the time that the machine gives, what may be used for it."""

    @property
    def write_seconds(self) -> float:
        return self.num_bytes / self.machines / self.bytes_per_second

    @property
    def needed_seconds(self) -> float:
        """From the signal on."""
        return self.step_seconds + self.write_seconds

    def says(self) -> str:
        """In words. Raises GraceError, with what to set, where it is not enough."""
        found = (
            f"{spelled(self.num_bytes)} by {self.machines} machines at {spelled(int(self.bytes_per_second))} a second "
            f"take {self.write_seconds:.1f} s, with the step that is being done {self.needed_seconds:.1f} s. "
            f"SIGTERM is put off for {self.put_off_seconds:.0f} s"
        )
        if self.needed_seconds <= self.put_off_seconds:
            return f"enough: {found}"
        raise GraceError(
            f"not enough: {found}. Any of these helps: PROOFLINE_GRACE_SECONDS={math.ceil(self.needed_seconds + 10)} "
            f"where the machine gives as much; {self._more()}a faster place for PROOFLINE_CHECKPOINTS. Else a training "
            "goes on from the last checkpoint before: PROOFLINE_SAVE_STEPS says how many steps lie between two"
        )

    def _more(self) -> str:
        left = self.put_off_seconds - self.step_seconds
        if left <= 0:
            return ""
        return f"{math.ceil(self.num_bytes / self.bytes_per_second / left)} machines that write a share each; "


def bandwidth(place: Place, num_bytes: int) -> float:
    """Bytes a second that the place takes from this machine, as a checkpoint is written there."""
    name, chunk = f"probe-{secrets.token_hex(4)}", os.urandom(CHUNK_BYTES)
    count = max(1, min(num_bytes, PROBE_BYTES) // CHUNK_BYTES)

    def chunks() -> Iterator[bytes]:
        for _ in range(count):
            yield chunk

    began = time.perf_counter()
    try:
        place.put(name, chunks())
        return count * CHUNK_BYTES / (time.perf_counter() - began)
    finally:
        place.remove([name])
