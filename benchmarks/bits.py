"""How far do bits carry, and at what cost?

Hashes of what small kernels compute, on this CPU and on emulated ones, under each limit; and how long an SFT of 600
demonstrations takes on this CPU, the fastest of three.

    python benchmarks/bits.py [--emulate EPYC-Milan Haswell]

The emulator is QEMU's user mode (Debian: qemu-user), whose CPUs have AVX2 and no AVX-512. A kernel's bits carry where
its hash is the same on all machines. Prints a table and writes results/bits.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from report import table, write_result

from proofline.base.source import BUNDLED
from proofline.config import load_params
from proofline.launch.instructions import LIMITS

PACKED = ((64, 896, 4864), (64, 4864, 896), (3, 896, 896), (1, 576, 1536))
"""Rows, inputs, outputs of layers that are decoded with packed weights: of Qwen2.5-0.5B and SmolLM2-135M."""
SHAPES = ((64, 128, 384), (512, 128, 128), (512, 384, 128), (512, 128, 640), (33, 128, 64), (1, 128, 128))


def kernels(threads: int) -> dict[str, str]:
    """SHA-256 prefixes of results of the kernels that the policies run, by name."""
    import torch
    from torch.nn import functional

    from proofline.sampling.packed import PackedLinear

    torch.set_num_threads(threads)
    generator = torch.Generator().manual_seed(0)

    def random(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    def digest(*tensors: torch.Tensor) -> str:
        content = b"".join(tensor.detach().contiguous().numpy().tobytes() for tensor in tensors)
        return hashlib.sha256(content).hexdigest()[:10]

    found = {}
    for rows, inputs, outputs in SHAPES:
        left, weight = random(rows, inputs).requires_grad_(), random(outputs, inputs).requires_grad_()
        product = functional.linear(left, weight)
        product.backward(random(rows, outputs))
        found[f"linear {rows}x{inputs}x{outputs}"] = digest(product, left.grad, weight.grad)
    for rows, inputs, outputs in PACKED:
        layer = torch.nn.Linear(inputs, outputs)
        layer.weight.data, layer.bias.data = random(outputs, inputs), random(outputs)
        with torch.inference_mode():
            found[f"packed {rows}x{inputs}x{outputs}"] = digest(PackedLinear(layer)(random(rows, inputs)))
    query, key, value = (random(4, 4, 40, 32) for _ in range(3))
    found["attention"] = digest(functional.scaled_dot_product_attention(query, key, value, is_causal=True))
    logits = random(64, 640)
    found["softmax"] = digest(logits.softmax(-1), logits.log_softmax(-1))
    found["exp"] = digest(logits.exp())
    found["silu, rsqrt"] = digest(functional.silu(logits), logits.square().add(1).rsqrt())
    found["sums"] = digest(logits.sum(-1), logits.sum(0), logits.mean(-1))
    parameter = torch.nn.Parameter(random(1000))
    parameter.grad = random(1000)
    torch.optim.AdamW([parameter], fused=True).step()
    found["AdamW"] = digest(parameter)
    return found


def measured(limit: str, cpu: str | None, threads: int) -> dict[str, str]:
    """The hashes, from a process of its own."""
    variables = LIMITS[limit] | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [str(Path(sys.executable).resolve()), __file__, "--threads", str(threads), "--here"]
    if cpu:
        given = [word for name, value in variables.items() for word in ("-E", f"{name}={value}")]
        command = ["qemu-x86_64", "-cpu", cpu, *given, *command]
    return _printed(command, variables)


def training_seconds(limit: str) -> float:
    """Of SFT's loop on two threads, in a process of its own."""
    return float(_printed([sys.executable, __file__, "--train"], LIMITS[limit]))


def _printed(command: list[str], variables: dict[str, str]) -> Any:
    done = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def train() -> None:
    from training import make_rows, proofline

    with TemporaryDirectory() as folder:
        done = proofline("sft", make_rows("sft", 600), load_params(), 2, Path(folder, "sft"), BUNDLED)
    print(json.dumps(done["loop_seconds"]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--emulate", nargs="*", default=["EPYC-Milan", "Haswell"], metavar="CPU")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--here", action="store_true", help="only print this process's hashes")
    parser.add_argument("--train", action="store_true", help="only print the seconds of a training")
    options = parser.parse_args()
    if options.train:
        train()
        return
    if options.here:
        print(json.dumps(kernels(options.threads)))
        return
    machines = [None, *options.emulate]
    hashes = {
        limit: {cpu or "this CPU": measured(limit, cpu, options.threads) for cpu in machines} for limit in LIMITS
    }  # fmt: skip
    rows = []
    for limit, by_cpu in hashes.items():
        here = by_cpu["this CPU"]
        for cpu in options.emulate:
            other = [name for name, value in by_cpu[cpu].items() if here[name] != value]
            rows.append([limit, cpu, f"{len(here) - len(other)} of {len(here)}", ", ".join(other) or "none"])
    print(table(["limit", "beside", "same bits", "other bits"], rows))
    rounds = [{limit: training_seconds(limit) for limit in LIMITS} for _ in range(3)]
    seconds = {limit: min(one[limit] for one in rounds) for limit in LIMITS}
    cost = [[limit, f"{taken:.1f}", f"{taken / seconds['native']:.2f}"] for limit, taken in seconds.items()]
    print(table(["limit", "SFT, seconds", "times native"], cost))
    write_result("bits", {"threads": options.threads}, ["torch"], hashes=hashes, seconds=seconds)


if __name__ == "__main__":
    main()
