"""How much host memory a training can still take, before it takes it, and what it gives back. Imports transformers."""

from __future__ import annotations

import ctypes
import resource
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

SPARE_BYTES = 512 << 20
"""Left to everything else on the machine."""
GROUPS = Path("/sys/fs/cgroup")


def has_room(num_bytes: int) -> bool:
    """For so many bytes more, beside what this process has needed at its peak and what others need."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    again = max(0, peak - psutil.Process().memory_info().rss)
    return num_bytes + again + SPARE_BYTES <= available_bytes()


class GivesBack(TrainerCallback):
    """Between two micro-batches, gives freed memory back where the next one may not find enough.

    glibc keeps freed blocks of up to 32 MiB (mallopt(3), M_MMAP_THRESHOLD): gigabytes, after a pass over a vocabulary
    of 151,936. They are not asked back while half as much as the process holds is free elsewhere: a page that is
    needed again has to be made again.
    """

    def on_substep_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **others: Any
    ) -> None:
        if available_bytes() < psutil.Process().memory_info().rss / 2:
            give_back()

    on_step_end = on_substep_end


def give_back() -> None:
    """The pages of freed memory, to the machine. Elsewhere than with glibc nothing happens."""
    if trim := getattr(ctypes.CDLL(None), "malloc_trim", None):
        trim(0)


def available_bytes(groups: Path = GROUPS, own: str | None = None) -> int:
    """The machine's, within the limits of this process's control groups; page cache that can be dropped counts as free.

    `groups`: where they are mounted; `own`: the lines of `/proc/self/cgroup`. Of both versions (Linux, Documentation,
    admin-guide/cgroup-v2.rst and cgroup-v1/memory.rst); one without a limit says so by a word or by 2**63.
    """
    found = int(psutil.virtual_memory().available)
    lines = _own_lines() if own is None else own.splitlines()
    for kind in KINDS:
        for folder in kind.groups(groups, lines):
            try:
                limit = (folder / kind.limit).read_text().strip()
                facts = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
                used = int((folder / kind.used).read_text()) - int(facts[kind.droppable])
            except (OSError, ValueError, KeyError):  # not of this version, or none
                continue
            if limit != "max":
                found = min(found, int(limit) - used)
    return max(0, found)


@dataclass(frozen=True)
class _Kind:
    """A version of control groups: where they lie, and the names of what they say."""

    controller: str
    mount: str
    limit: str
    used: str
    droppable: str

    def groups(self, mounted: Path, lines: Sequence[str]) -> list[Path]:
        """The group of this process, and those that it is within; a container may see the outermost alone."""
        fields = (line.split(":", 2) for line in lines)
        name = next((field[2] for field in fields if self.controller in field[1].split(",")), "/")
        outermost = mounted / self.mount
        inner = outermost / name.lstrip("/")
        return [inner, *(folder for folder in inner.parents if folder.is_relative_to(outermost))]


KINDS = (
    _Kind("", "", "memory.max", "memory.current", "inactive_file"),
    _Kind("memory", "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
)


def _own_lines() -> list[str]:
    try:
        return Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return []
