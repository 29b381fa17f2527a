"""SFT of the Qwen2.5-0.5B shape on one GPU: tokens/s, share of the peak (MFU) and memory, against a stock TRL script.

    python benchmarks/gpu/sft.py [--self-check]

Rows of exactly 1,024 and 4,096 random tokens, as packing fills them, loss on all; bf16 autocast over fp32 weights,
fused AdamW, 16,384 tokens a micro-batch, 65,536 a step on both sides. Ours is the project's own training with and
without compiled layers; stock is TRL's SFTTrainer at its defaults otherwise (gradient checkpointing on). Each is a
process of its own. A rate is that of the steps after the first five. FLOPs of a token, forward and backward (PaLM's
convention, Chowdhery et al. 2022, app. B): 6 x weights in matrix products, the head included, + 12 x layers x hidden x
length; peak 989e12 (dense bf16 of an H100 or H200). Recomputation counts for nothing. Goal: 50%. Takes about six
minutes.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

sys.path.insert(1, str(Path(__file__).parents[1]))
from report import table, write_result

from proofline.tracking import NullRun

PEAK_FLOPS = 989e12
MICRO_TOKENS, STEP_TOKENS = 16_384, 65_536
STEPS, SKIPPED = 20, 5
SIDES = ("stock TRL", "proofline", "proofline, compiled")


class Clock(NullRun):
    """Notes when each step was logged; the trainer waits for the loss there, so the device is done too."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def log_metrics(self, metrics: Mapping[str, Any], step: int | None = None) -> None:
        if step is not None and "loss" in metrics:
            self.times.append(time.perf_counter())


def rows_of(length: int, count: int, vocabulary: int) -> list[list[int]]:
    import torch

    return torch.randint(vocabulary, (count, length), generator=torch.Generator().manual_seed(0)).tolist()


def ours(folder: Path, rows: list[list[int]], micro: int, batch: int, clock: Clock, compiled: bool) -> None:
    from proofline.config import load_params
    from proofline.training.execution import Execution, prepare_process
    from proofline.training.policy import load_policy
    from proofline.training.sft import fit_completions
    from proofline.training.tokens import TokenRow

    execution = Execution(micro_batch=micro, compile_layers=compiled)
    prepare_process(execution)
    section = load_params().sft.model_copy(
        update={"epochs": 1.0, "batch_size": batch, "max_length": len(rows[0]), "precision": "bf16"}
    )
    data = [TokenRow(row[:1], row[1:]) for row in rows]
    fit_completions("bench", load_policy(folder, execution), data, section, 0, folder.parent / "out", clock, execution)


def stock(folder: Path, rows: list[list[int]], micro: int, batch: int, clock: Clock) -> None:
    import torch
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    from proofline.tracking.callback import TrackingCallback

    trainer = SFTTrainer(
        model=str(folder),
        args=SFTConfig(
            output_dir=str(folder.parent / "stock"), per_device_train_batch_size=micro, num_train_epochs=1,
            gradient_accumulation_steps=batch // micro, max_length=len(rows[0]), bf16=True, logging_steps=1,
            save_strategy="no", report_to="none", use_cpu=not torch.cuda.is_available(),
            model_init_kwargs={"dtype": "float32"},
        ),
        train_dataset=Dataset.from_dict({"input_ids": rows}),
    )  # fmt: skip
    trainer.add_callback(TrackingCallback(clock))
    trainer.train()


def measure(side: str, length: int, toy: bool) -> dict[str, float]:
    """One side in this process."""
    import torch
    from shape import matmul_parameters, write_policy
    from transformers import AutoConfig

    micro, batch = (2, 4) if toy else (MICRO_TOKENS // length, STEP_TOKENS // length)
    clock = Clock()
    with tempfile.TemporaryDirectory() as work:
        folder = write_policy(Path(work, "policy"), toy=toy)
        config = AutoConfig.from_pretrained(folder)
        rows = rows_of(length, STEPS * batch, config.vocab_size)
        if side == "stock TRL":
            stock(folder, rows, micro, batch, clock)
        else:
            ours(folder, rows, micro, batch, clock, compiled=side.endswith("compiled"))
    assert len(clock.times) == STEPS, f"{len(clock.times)} of {STEPS} steps were logged"
    rate = (STEPS - SKIPPED) * batch * length / (clock.times[-1] - clock.times[SKIPPED - 1])
    flops = 6 * matmul_parameters(config) + 12 * config.num_hidden_layers * config.hidden_size * length
    peak = torch.cuda.max_memory_allocated() / 2**30 if torch.cuda.is_available() else 0.0
    return {"tokens_per_second": rate, "mfu": rate * flops / PEAK_FLOPS, "peak_gib": peak}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--self-check", action="store_true", help="toy size on a CPU; no measurement")
    parser.add_argument("--side", nargs=2, metavar=("SIDE", "LENGTH"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        print(json.dumps(measure(options.side[0], int(options.side[1]), options.self_check)))
        return
    from shape import SELF_CHECK, need_a_gpu

    need_a_gpu(options.self_check)
    lengths = (64,) if options.self_check else (1024, 4096)
    check = ["--self-check"] if options.self_check else []
    measured = []
    for length in lengths:
        for side in SIDES:
            command = [sys.executable, __file__, *check, "--side", side, str(length)]
            done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
            measured.append({"side": side, "length": length, **json.loads(done.stdout.splitlines()[-1])})
    if options.self_check:
        print(SELF_CHECK)
    print(table(
        ["", "tokens a row", "tokens/s", "MFU", "peak, GiB"],
        [[row["side"], str(row["length"]), f"{row['tokens_per_second']:,.0f}", f"{row['mfu']:.1%}",
          f"{row['peak_gib']:.1f}"] for row in measured],
    ))  # fmt: skip
    write_result(
        "gpu/sft-self-check" if options.self_check else "gpu/sft",
        {"micro_batch_tokens": MICRO_TOKENS, "step_tokens": STEP_TOKENS, "steps": STEPS, "skipped": SKIPPED,
         "peak_flops": PEAK_FLOPS},
        ["torch", "transformers", "accelerate", "trl"],
        self_check=SELF_CHECK if options.self_check else None, measured=measured,
    )  # fmt: skip


if __name__ == "__main__":
    main()
