"""What a result may depend on beside its recipe: processor, instruction sets, threads, limits, library versions."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from proofline.config.environment import load_environment
from proofline.tracking import provenance

INSTRUCTION_SETS = (
    "avx",
    "avx2",
    "fma",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "amx_bf16",
    "amx_tile",
    "asimd",
    "sve",
)
"""Flags of /proc/cpuinfo that choose another way of rounding."""
LIMITS = (
    "ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "ONEDNN_DEFAULT_FPMATH_MODE", "MKL_CBWR", "MKL_ENABLE_INSTRUCTIONS",
    "OMP_NUM_THREADS",
)  # fmt: skip
"""Variables that hold numerical libraries back."""


def describe_machine(root: Path) -> dict[str, str]:
    """Facts of this machine and of how a stage would be executed here."""
    environment = load_environment(root=root)
    facts = provenance.hardware() | provenance.versions()
    facts["hardware.instruction_sets"] = _instruction_sets()
    facts["execution.threads"] = str(environment.threads)
    facts["execution.launcher"] = f"{environment.launcher}, {environment.processes} processes"
    return facts | {f"limit.{name}": os.environ[name] for name in LIMITS if name in os.environ}


def machine_differences(one: Mapping[str, str], other: Mapping[str, str]) -> list[str]:
    """One line a fact that differs."""
    return [
        f"{name}: {one.get(name, 'unset')} -> {other.get(name, 'unset')}"
        for name in sorted({*one, *other})
        if one.get(name) != other.get(name)
    ]


def _instruction_sets() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    words: set[str] = set()
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        words = set(next((line for line in lines if line.startswith(("flags", "Features"))), "").split())
    return " ".join(name for name in INSTRUCTION_SETS if name in words) or "unknown"
