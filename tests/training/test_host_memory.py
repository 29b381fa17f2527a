"""What memory there is, by the machine and its control groups; what was freed goes back where it is short."""

from __future__ import annotations

import sys
from pathlib import Path
from subprocess import run

import pytest

from proofline.training.host_memory import available_bytes

HOLDS_AND_FREES = """
import psutil
import torch
from transformers import TrainerControl, TrainerState, TrainingArguments

from proofline.training import host_memory

SHORT = {short}
host_memory.available_bytes = lambda: 0 if SHORT else 1 << 40
torch.zeros(7 << 20)  # freed, and from now on blocks of up to 28 MiB are glibc's own
blocks = [torch.zeros(1 << 18) for _ in range(300)]  # of 1 MiB
last = blocks[-1]  # holds the others there
del blocks
rss = psutil.Process().memory_info().rss
host_memory.GivesBack().on_substep_end(TrainingArguments(), TrainerState(), TrainerControl())
print((rss - psutil.Process().memory_info().rss) >> 20)
"""


def test_room_is_what_the_tightest_group_leaves(tmp_path: Path) -> None:
    def group(name: str, limit: str, used: int, cache: int) -> None:
        folder = tmp_path / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "memory.max").write_text(f"{limit}\n")
        (folder / "memory.current").write_text(f"{used}\n")
        (folder / "memory.stat").write_text(f"anon 1\ninactive_file {cache}\n")

    own = "1:name=systemd:/x\n0::/pod/box\n"
    assert available_bytes(tmp_path, own) > 1 << 20, "no limit, the machine's"
    group("pod", "5000", 2000, 500)
    assert available_bytes(tmp_path, own) == 3500
    group("pod/box", "max", 10, 0)
    group("other", "10", 10, 0)
    assert available_bytes(tmp_path, own) == 3500
    group("pod/box", "900", 1000, 50)
    assert available_bytes(tmp_path, own) == 0
    assert available_bytes() > 0


def test_room_is_what_the_older_control_groups_allow_too(tmp_path: Path) -> None:
    def group(name: str, limit: int, used: int, cache: int) -> None:
        folder = tmp_path / "memory" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "memory.limit_in_bytes").write_text(f"{limit}\n")
        (folder / "memory.usage_in_bytes").write_text(f"{used}\n")
        (folder / "memory.stat").write_text(f"cache {cache + 5}\ntotal_inactive_file {cache}\n")

    own = "9:name=systemd:/x\n4:cpu,memory:/box\n0::/\n"
    group("", 9223372036854771712, 10**6, 0)
    assert available_bytes(tmp_path, own) > 1 << 20, "no limit, the machine's"
    group("box", 5000, 2000, 500)
    assert available_bytes(tmp_path, own) == 3500
    assert available_bytes(tmp_path, "4:memory:/as/the/host/calls/it\n") > 1 << 20
    group("", 900, 1000, 150)
    assert available_bytes(tmp_path, "4:memory:/as/the/host/calls/it\n") == 50


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="glibc's memory")
def test_freed_memory_goes_back_where_it_is_short() -> None:
    def mib_given_back(short: bool) -> int:
        script = HOLDS_AND_FREES.format(short=short)
        return int(run([sys.executable, "-c", script], check=True, capture_output=True, text=True).stdout)

    assert mib_given_back(short=True) > 250
    assert mib_given_back(short=False) < 50
