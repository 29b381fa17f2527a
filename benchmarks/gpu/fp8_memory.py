"""Peak memory, speed and loss of fp16, bf16 and FP8 recipes on the shape of Qwen2.5-0.5B, on one Hopper card.

    python benchmarks/gpu/fp8_memory.py [--steps 40] [--seeds 3] [--rows 8] [--length 1024]
    python benchmarks/gpu/fp8_memory.py --self-check    # the same flow at a tiny size on a CPU; measures nothing

Every recipe trains random weights on the same packed rows of this repository's generated solutions, through the
project's own conversion, optimizer and trainer arguments. What is reported, in GiB:

    weights, gradients, optimizer   bytes of the tensors themselves
    activations                     what the decoder's forward pass leaves allocated: tensors kept for the backward pass
                                    and, with them, autocast's or FP8's copies of the weights
    logits                          the highest point of head and loss, forwards and backwards, above that
    peak                            the highest allocation of a step; the parts do not all live at the same moment

The baseline is fp16 mixed precision with fp32 weights and AdamW. It appears twice: with whole logits, as a plain
training loop has them, and with TRL's tiled head, as every other row. The goal, 40% less memory with a loss within 1%,
is held against the second, which is the harder one.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from datasets import Dataset
from transformers import AutoTokenizer, Qwen2Config, Qwen2ForCausalLM, TrainerCallback
from trl.trainer.sft_config import SFTConfig
from trl.trainer.sft_trainer import SFTTrainer

sys.path.insert(1, str(Path(__file__).parents[1]))
from report import machine, versions
from shape import FULL

from proofline.base.source import BUNDLED
from proofline.config.schema import Sft
from proofline.data.synthetic import demonstrations, generate_problems
from proofline.training.batching import BatchPlan, Schedule
from proofline.training.execution import Execution
from proofline.training.fp8 import apply_formats
from proofline.training.fp8_audit import audit, auditing_callback
from proofline.training.loop import trl_arguments
from proofline.training.optimizer import arrange_optimizer
from proofline.training.precision import PrecisionError

RESULTS = Path(__file__).parents[1] / "results" / "gpu" / "fp8_memory.json"
PEAK_FLOPS = 989e12
"""Dense bf16 of an H100 or H200 SXM; FP8's is twice that, and MFU is against bf16's in every row."""
TINY = FULL | {"hidden_size": 128, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 256}
WARM_UP_STEPS = 5
GIB, MIB = 2**30, 2**20


@dataclass(frozen=True)
class Contender:
    """A row of the table: what it changes in the recipe."""

    changes: dict[str, Any] = field(default_factory=dict)
    fp16: bool = False
    whole_logits: bool = False


BASELINE = "fp16 mixed"
CONTENDERS = {
    "fp16 mixed, whole logits": Contender(fp16=True, whole_logits=True),
    BASELINE: Contender(fp16=True),
    "bf16 mixed": Contender(),
    "bf16 mixed, checkpointing": Contender({"activation_checkpointing": True}),
    "fp8": Contender({"precision": "fp8"}),
    "fp8, bf16 state": Contender({"precision": "fp8", "optimizer_state": "bf16"}),
    "fp8, fp8 state": Contender({"precision": "fp8", "optimizer_state": "fp8"}),
    "fp8, fp8 state, checkpointing": Contender(
        {"precision": "fp8", "optimizer_state": "fp8", "activation_checkpointing": True}
    ),
}


def recipe(changes: dict[str, Any], rows: int, length: int, emulate: bool) -> Sft:
    values = {
        "epochs": 1.0, "learning_rate": 5e-4, "warmup_ratio": 0.1, "batch_size": rows, "max_length": max(32, length),
        "weight_decay": 0.1, "max_grad_norm": 1.0, "precision": "bf16", "optimizer_state": "fp32",
        "activation_checkpointing": False, "fp8": {"emulate": emulate, "min_flops_share": 0.0 if emulate else 0.7},
    }  # fmt: skip
    return Sft.model_validate(values | changes)


def packed_rows(count: int, length: int) -> list[list[int]]:
    """Rows of exactly `length` tokens: generated solutions one behind another, again from the start if they run out."""
    tokenizer = AutoTokenizer.from_pretrained(BUNDLED)
    written = demonstrations(generate_problems("train", min(4000, 8 + count * length // 64), seed=0), seed=0)
    texts = [f"{row.question}\n{row.solution}{tokenizer.eos_token}" for row in written]
    stream = itertools.cycle(list(itertools.chain.from_iterable(tokenizer(texts)["input_ids"])))
    return [list(itertools.islice(stream, length)) for _ in range(count)]


class CudaMemory:
    """Allocations of one step, in bytes, read at the borders of the decoder."""

    def __init__(self) -> None:
        self.parts: dict[str, int] = {}
        self.peak = 0

    def open(self) -> None:
        self.peak = 0
        torch.cuda.reset_peak_memory_stats()

    def before_decoder(self) -> None:
        self.before = torch.cuda.memory_allocated()

    def after_decoder(self, hidden: torch.Tensor) -> None:
        after = torch.cuda.memory_allocated()
        self.parts["activations"] = after - self.before
        self._reset()

        def after_head(grad: torch.Tensor) -> None:
            self.parts["logits"] = torch.cuda.max_memory_allocated() - after
            self._reset()

        hidden.register_hook(after_head)

    def after_model(self) -> None: ...

    def close(self) -> int:
        self._reset()
        return self.peak

    def _reset(self) -> None:
        self.peak = max(self.peak, torch.cuda.max_memory_allocated())
        torch.cuda.reset_peak_memory_stats()


class SavedTensors:
    """The same by adding up the tensors that autograd keeps; for the self-check, where nothing counts allocations."""

    def __init__(self) -> None:
        self.parts: dict[str, int] = {}

    def open(self) -> None: ...

    def before_decoder(self) -> None:
        self._count_from_here()

    def after_decoder(self, hidden: torch.Tensor) -> None:
        self._put_down("activations")
        self._count_from_here()

    def after_model(self) -> None:
        self._put_down("logits")

    def close(self) -> int:
        return sum(self.parts.values())

    def _count_from_here(self) -> None:
        sizes: dict[int, int] = {}

        def count(tensor: torch.Tensor) -> torch.Tensor:
            if not isinstance(tensor, torch.nn.Parameter):
                storage = tensor.untyped_storage()
                sizes[storage.data_ptr()] = storage.nbytes()
            return tensor

        self.sizes, self.hooks = sizes, torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor)
        self.hooks.__enter__()

    def _put_down(self, part: str) -> None:
        self.hooks.__exit__(None, None, None)
        self.parts[part] = sum(self.sizes.values())


class Probe(TrainerCallback):
    """Memory and time of the last step, loss of every step."""

    def __init__(self, model: torch.nn.Module, memory: CudaMemory | SavedTensors) -> None:
        self.memory, self.seconds, self.losses = memory, [], []
        self.peak = 0
        model.base_model.register_forward_pre_hook(lambda *_: memory.before_decoder())
        model.base_model.register_forward_hook(lambda _m, _i, out: memory.after_decoder(out.last_hidden_state))
        model.register_forward_hook(lambda *_: memory.after_model())

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self.memory.open()
        self.began = time.perf_counter()

    def on_pre_optimizer_step(self, *_: Any, model: torch.nn.Module, **__: Any) -> None:
        weights = list(model.parameters())
        self.memory.parts["weights"] = sum(weight.nbytes for weight in weights)
        self.memory.parts["gradients"] = sum(weight.grad.nbytes for weight in weights if weight.grad is not None)

    def on_step_end(self, *_: Any, optimizer: Any, **__: Any) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.seconds.append(time.perf_counter() - self.began)
        states = getattr(optimizer, "optimizer", optimizer).state.values()
        tensors = [tensor for state in states for tensor in state.values() if torch.is_tensor(tensor)]
        self.memory.parts["optimizer"] = sum(map(stored_bytes, tensors))
        self.peak = self.memory.close()

    def on_log(self, *_: Any, logs: dict[str, float], **__: Any) -> None:
        if "loss" in logs:
            self.losses.append(float(logs["loss"]))


def stored_bytes(tensor: torch.Tensor) -> int:
    """Of what is kept: an FP8 tensor of Transformer Engine passes for a wider one and keeps its bytes in `_data`."""
    return getattr(tensor, "_data", tensor).nbytes


def whole_logits_loss(model: Any, inputs: dict[str, Any], *_: Any, num_items_in_batch: Any = None, **__: Any) -> Any:
    """The model's own loss, over logits of the whole batch."""
    names = ("input_ids", "attention_mask", "position_ids", "labels")
    given = {name: inputs[name] for name in names if name in inputs}
    return model(**given, num_items_in_batch=num_items_in_batch).loss


def measure(
    contender: Contender, shape: dict[str, int], rows: list[list[int]], batch: int, seed: int
) -> dict[str, Any]:
    """Train one recipe from one seed. Raises PrecisionError where this machine cannot."""
    on_gpu = torch.cuda.is_available()
    length, steps = len(rows[0]), len(rows) // batch
    section = recipe(contender.changes, batch, length, emulate=not on_gpu)
    torch.manual_seed(seed)
    config = Qwen2Config(**shape, tie_word_embeddings=True, attn_implementation="sdpa" if on_gpu else "eager")
    with torch.device("cuda" if on_gpu else "cpu"):
        model = Qwen2ForCausalLM(config)
    schedule = Schedule(BatchPlan(batch, 1, 1), np.arange(len(rows)), steps)
    # Nothing is written there: no checkpoints are asked for.
    arguments = trl_arguments(section, schedule, seed, Execution(), Path(tempfile.gettempdir()))
    arguments |= {"logging_steps": 1} | ({"fp16": True, "bf16": False} if contender.fp16 else {})
    trainer = SFTTrainer(
        model=apply_formats(model, section),
        processing_class=AutoTokenizer.from_pretrained(BUNDLED),
        args=SFTConfig(**arguments, dataset_kwargs={"skip_prepare_dataset": True}),
        train_dataset=Dataset.from_dict({"input_ids": rows, "labels": rows}),
    )
    if contender.whole_logits:
        trainer.compute_loss = whole_logits_loss
    probe = Probe(model, CudaMemory() if on_gpu else SavedTensors())
    for callback in (probe, auditing_callback(section)):
        trainer.add_callback(callback)
    arrange_optimizer(trainer, section)
    trainer.train()
    seconds = statistics.median(probe.seconds[min(WARM_UP_STEPS, steps - 1) :])
    tokens_per_second = batch * length / seconds
    return {
        "seed": seed, "peak": probe.peak, **probe.memory.parts, "tokens_per_second": tokens_per_second,
        "mfu": tokens_per_second * flops_a_token(shape, length) / PEAK_FLOPS, "losses": probe.losses,
        "final_loss": statistics.mean(probe.losses[-max(1, steps // 8) :]), **audit(model, section),
    }  # fmt: skip


def flops_a_token(shape: dict[str, int], length: int) -> float:
    """Forwards and backwards: 6 for each weight that multiplies, head included, and causal attention."""
    hidden, layers = shape["hidden_size"], shape["num_hidden_layers"]
    keys = hidden * shape["num_key_value_heads"] // shape["num_attention_heads"]
    a_layer = 2 * hidden * hidden + 2 * hidden * keys + 3 * hidden * shape["intermediate_size"]
    return 6 * (layers * a_layer + hidden * shape["vocab_size"]) + 6 * layers * hidden * length


def table(results: dict[str, list[dict[str, Any]]]) -> list[str]:
    """One line a recipe: bytes of the first seed (they do not depend on it), the rest as means over the seeds."""
    parts = ("peak", "weights", "gradients", "optimizer", "activations", "logits")
    unit, name_of_unit = (GIB, "GiB") if torch.cuda.is_available() else (MIB, "MiB")
    lines = [f"{name_of_unit:32}" + "".join(f"{part:>12}" for part in parts) + f"{'tokens/s':>12}{'MFU':>8}{'loss':>9}"]
    for name, runs in results.items():
        means = {key: statistics.mean(run[key] for run in runs) for key in ("tokens_per_second", "mfu", "final_loss")}
        sizes = "".join(f"{runs[0][part] / unit:12.2f}" for part in parts)
        lines.append(
            f"{name:32}{sizes}{means['tokens_per_second']:12,.0f}{means['mfu']:8.1%}{means['final_loss']:9.4f}"
        )
    return lines


def verdicts(results: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, float | bool]]:
    """Each recipe against the baseline: memory saved, and how far its loss lies from it, seed by seed."""
    base = results.get(BASELINE)
    if not base:
        return {}
    answer = {}
    for name, runs in results.items():
        saved = 1 - runs[0]["peak"] / base[0]["peak"]
        gap = statistics.mean(
            run["final_loss"] / other["final_loss"] - 1 for run, other in zip(runs, base, strict=True)
        )
        answer[name] = {"memory_saved": saved, "loss_gap": gap, "goal_met": saved >= 0.4 and abs(gap) <= 0.01}
    return answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=8)
    parser.add_argument("--length", type=int, default=1024)
    parser.add_argument("--self-check", action="store_true")
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    shape = FULL
    if options.self_check:
        shape = TINY | {"vocab_size": 1024}
        options.steps, options.seeds, options.rows, options.length = 2, 1, 2, 64
    elif not torch.cuda.is_available():
        parser.error("needs a CUDA GPU; --self-check runs the whole flow at a tiny size without one")
    rows = packed_rows(options.steps * options.rows, options.length)
    results: dict[str, list[dict[str, Any]]] = {}
    refused: dict[str, str] = {}
    for name, contender in CONTENDERS.items():
        try:
            results[name] = [measure(contender, shape, rows, options.rows, seed) for seed in range(options.seeds)]
        except (PrecisionError, torch.cuda.OutOfMemoryError) as error:
            refused[name] = str(error).splitlines()[0]
            results.pop(name, None)
        gc.collect()
        torch.cuda.empty_cache()
    tell(results, refused, options)


def tell(results: dict[str, list[dict[str, Any]]], refused: dict[str, str], options: argparse.Namespace) -> None:
    if options.self_check:
        print("SELF-CHECK on a CPU: tiny model, emulated FP8, tensors added up. Not a measurement.")
    print("\n".join(table(results)))
    for name, why in refused.items():
        print(f"{name:32}not measured: {why}")
    against = {} if options.self_check else verdicts(results)
    for name, verdict in against.items():
        met = "goal met" if verdict["goal_met"] else ""
        print(f"{name:32}{verdict['memory_saved']:8.1%} below {BASELINE}, loss {verdict['loss_gap']:+.2%}  {met}")
    reached = [name for name, verdict in against.items() if verdict["goal_met"]]
    if not options.self_check:
        print(f"Goal (at least 40% below {BASELINE}, loss within 1%): {', '.join(reached) or 'not reached'}")
    document = {
        "self_check": options.self_check, "date": datetime.now(UTC).date().isoformat(), "machine": machine(),
        "versions": versions(("torch", "transformers", "trl", "accelerate", "torchao", "transformer-engine")),
        "settings": {name: getattr(options, name) for name in ("steps", "seeds", "rows", "length")},
        "baseline": BASELINE, "verdicts": against, "not_measured": refused, "runs": results,
    }  # fmt: skip
    out = options.out.with_stem(options.out.stem + "_self_check") if options.self_check else options.out
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(document, indent=2) + "\n")
    print(f"written to {out}")


if __name__ == "__main__":
    main()
