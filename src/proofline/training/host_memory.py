"""How much host memory a training can still take, before it takes it."""

from __future__ import annotations

import resource
from pathlib import Path

import psutil

SPARE_BYTES = 512 << 20
"""Left to everything else on the machine."""
GROUPS = Path("/sys/fs/cgroup")


def has_room(num_bytes: int) -> bool:
    """For so many bytes more, beside what this process has needed at its peak and what others need."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10
    again = max(0, peak - psutil.Process().memory_info().rss)
    return num_bytes + again + SPARE_BYTES <= available_bytes()


def available_bytes(groups: Path = GROUPS, own: str | None = None) -> int:
    """The machine's, within the limits of this process's control groups.

    `groups`: where they are mounted; `own`: the lines of `/proc/self/cgroup`. Version 2 alone is known (Linux,
    Documentation/admin-guide/cgroup-v2.rst); page cache that can be dropped counts as free.
    """
    found = int(psutil.virtual_memory().available)
    for folder in _own_groups(groups, own):
        try:
            limit = (folder / "memory.max").read_text().strip()
            facts = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
            used = int((folder / "memory.current").read_text()) - int(facts["inactive_file"])
        except (OSError, ValueError, KeyError):  # another version, or none
            continue
        if limit != "max":
            found = min(found, int(limit) - used)
    return max(0, found)


def _own_groups(groups: Path, own: str | None) -> list[Path]:
    """The group of this process, and those that it is within."""
    try:
        lines = (Path("/proc/self/cgroup").read_text() if own is None else own).splitlines()
    except OSError:
        return []
    name = next((line[3:] for line in lines if line.startswith("0::")), "/")
    inner = groups / name.lstrip("/")
    return [inner, *(folder for folder in inner.parents if folder.is_relative_to(groups))]
