"""What this machine computes with, as far as that can be told without a numerical library."""

from __future__ import annotations

import os
import platform
from functools import lru_cache
from pathlib import Path

KNOWN = ("avx2", "fma", "avx512f", "avx512_bf16", "avx512_fp16", "amx_bf16", "asimd", "sve", "bf16")
"""Instruction sets that decide how fast a number format is, by the names of /proc/cpuinfo (x86-64, ARM)."""


@lru_cache(maxsize=1)
def instruction_sets() -> tuple[str, ...]:
    """Those of `KNOWN` that the CPU has; none where the system does not say (no /proc/cpuinfo)."""
    flags: set[str] = set()
    for line in _cpuinfo():
        if line.startswith(("flags", "Features")):
            flags |= set(line.partition(":")[2].split())
    return tuple(name for name in KNOWN if name in flags)


def cpu_model() -> str:
    """The processor's name."""
    names = [line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def cpu_maker() -> str:
    """`AuthenticAMD`, `GenuineIntel`; the processor's name where the system does not say."""
    makers = [line.partition(":")[2].strip() for line in _cpuinfo() if line.startswith("vendor_id")]
    return makers[0] if makers else cpu_model()


def gpu_models() -> list[str]:
    """The names of this machine's NVIDIA GPUs."""
    told = sorted(Path("/proc/driver/nvidia/gpus").glob("*/information"))
    lines = [line for file in told for line in file.read_text().splitlines()]
    return sorted({line.partition(":")[2].strip() for line in lines if line.startswith("Model")})


def has_gpu() -> bool:
    """Does this machine have an NVIDIA GPU that this process may see?"""
    return Path("/dev/nvidiactl").exists() and os.environ.get("CUDA_VISIBLE_DEVICES", "all") not in ("", "-1")


def _cpuinfo() -> list[str]:
    cpuinfo = Path("/proc/cpuinfo")
    return cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
