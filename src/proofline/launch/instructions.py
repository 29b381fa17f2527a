"""Which of a CPU's instructions the numerical libraries use, and how their threads wait.

Set before PyTorch is imported.

The bits of a floating-point sum depend on the order of its terms, and so on the vector instructions. Measured with
PyTorch 2.13 (`benchmarks/bits.py`; the second machine was emulated):

- `native`: every library takes the widest instructions there are. Other bits on every generation of CPU.
- `avx2`: ATen, oneDNN and MKL keep to AVX2. The same bits on every AMD CPU that was tried, with or without AVX-512, and
  others on Intel's, where MKL has other AVX2 kernels. Costs a tenth of the time of a CPU with AVX-512.
- `portable`: MKL also keeps to the one branch that it promises for all makers (`COMPATIBLE`, SSE2). The same bits on
  every x86-64 CPU with AVX2, for the same number of threads. Costs half as much time again, two thirds in training.

Threads that wait for each other go to sleep instead of spinning: beside another busy process spinning threads fall to a
quarter of their speed, sleeping ones keep three quarters. A variable that is set already
is left alone, and on other processors than x86-64 nothing is limited.
"""

from __future__ import annotations

import os

from proofline.config import Environment
from proofline.config.processor import cpu_maker, cpu_model, gpu_models, has_gpu, instruction_sets

LIMITS: dict[str, dict[str, str]] = {
    "native": {},
    "avx2": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "AVX2"},
    "portable": {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_CBWR": "COMPATIBLE"},
}
WAITING = {"OMP_WAIT_POLICY": "passive"}


def settle(environment: Environment, precision: str = "fp32") -> None:
    """Set the variables for this process, if it has not imported PyTorch yet, and for those that it starts.

    Only fp32 is limited: bf16 products need the instructions that the limits leave out.
    """
    limits = LIMITS[environment.instructions] if precision == "fp32" and "avx2" in instruction_sets() else {}
    for name, value in (WAITING | limits).items():
        os.environ.setdefault(name, value)


def arithmetic(environment: Environment) -> str:
    """A name for what decides the bits of a decoded sample here, as far as it is known: alike here, alike the bits."""
    if has_gpu():
        return f"GPU {', '.join(gpu_models())}"
    if environment.instructions == "native" or "avx2" not in instruction_sets():
        return f"{cpu_model()}, {environment.instructions}"
    return "portable" if environment.instructions == "portable" else f"avx2 of {cpu_maker()}"
