"""How fast this processor multiplies in a number format: a second of products, of the shape that training has.

Without instructions for bf16 PyTorch multiplies it in a scalar loop, 8 to 40 times slower than fp32 on the same core
(pytorch#146508). Autocast neither warns nor falls back, so a recipe is held against what is measured here.
"""

from __future__ import annotations

import time

from proofline.config import Environment, Params
from proofline.config.processor import cpu_model, has_gpu, instruction_sets

SECONDS = 0.4
ROWS, INPUTS, OUTPUTS = 1024, 512, 512
SLOWEST = 2.0
"""A format that takes so many times as long as fp32 has no instructions here: with them it takes less."""


class SlowFormatError(ValueError):
    """A number format that this processor has no instructions for."""


def gflops(precision: str) -> float:
    """Billions of operations a second of products on one thread; fp8 counts as bf16, which it multiplies in here."""
    import torch

    dtype = torch.float32 if precision == "fp32" else torch.bfloat16
    left, right = torch.ones(ROWS, INPUTS, dtype=dtype), torch.ones(OUTPUTS, INPUTS, dtype=dtype)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        torch.nn.functional.linear(left, right)
        began, done = time.perf_counter(), 0
        while (seconds := time.perf_counter() - began) < SECONDS or not done:
            torch.nn.functional.linear(left, right)
            done += 1
    finally:
        torch.set_num_threads(threads)
    return 2e-9 * ROWS * INPUTS * OUTPUTS * done / seconds


def refuse_slow_formats(params: Params, environment: Environment) -> None:
    """Raises SlowFormatError for any of the recipe's trainings; the nodes of a cluster ask themselves."""
    if environment.launcher != "ray" and not environment.slow_formats:
        for precision in formats(params):
            refuse_slow_format(precision)


def formats(params: Params) -> list[str]:
    """The number formats of the recipe's trainings, the ones that need most instructions first."""
    return sorted({params.sft.precision, params.dpo.precision, params.genrm.precision})


def refuse_slow_format(precision: str) -> None:
    """Raises SlowFormatError where the format's products take more than twice as long as fp32's on this CPU."""
    if precision == "fp32" or has_gpu():
        return
    plain, asked = gflops("fp32"), gflops(precision)
    if plain > SLOWEST * asked:
        raise SlowFormatError(
            f"precision: {precision} has no instructions on this processor ({cpu_model()}: "
            f"{', '.join(instruction_sets()) or 'instruction sets unknown'}): products take {plain / asked:.0f} times "
            f"as long as in fp32 ({asked:.1f} against {plain:.1f} GFLOP/s, measured just now). In params.yaml set "
            "precision: fp32, or PROOFLINE_SLOW_FORMATS=true to wait for it."
        )
