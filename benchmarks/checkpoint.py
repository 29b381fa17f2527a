"""How long the steps stand still for a checkpoint: ours, written beside them, and two that are written in them.

    python benchmarks/checkpoint.py [--saves 5] [--threads 2] [--widths 256 768]

At every fifth step of one training the same state is kept three times: as a stage does it (`beside`: the copy to host
memory is what the steps wait for), the same with the writing waited for (`in the loop`), and by the trainer's own
synchronous save (`trainer`: safetensors and pickles, neither flushed to the disk nor read back). Models are random
weights of the given widths. The interval is what `Cadence` takes for these costs: 1% of the time.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from report import table, write_result

from proofline.checkpoints.cadence import SHARE
from proofline.config import load_environment, load_params
from proofline.data.demonstrations import write_demonstrations
from proofline.data.synthetic import generate_problems
from proofline.launch.instructions import settle
from proofline.storage.space import size_bytes, spelled
from proofline.tracking import NullRun

RECIPE = Path(__file__).parents[1] / "profiles/embedded.yaml"
EVERY = 5
KINDS = ("beside", "in the loop", "trainer")


def make_policy(width: int, folder: Path) -> None:
    """Random weights of twelve layers, and a tokenizer."""
    from proofline.base.pretraining import build_model, build_tokenizer
    from proofline.config.schema import Pretraining, Prompts

    section = Pretraining(
        hidden_size=width, num_layers=12, num_heads=8, num_kv_heads=2, intermediate_size=4 * width, vocab_size=4096,
        sequence_length=128, batch_size=2, max_steps=1, learning_rate=1e-3, warmup_steps=0,
    )  # fmt: skip
    prompts = Prompts(solution="{question}", verification="{question}\nSolution:\n{candidate}\nVerify.")
    tokenizer = build_tokenizer(section, prompts, seed=0)
    build_model(section, tokenizer, seed=0).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def measure(policy: Path, saves: int, threads: int, work: Path) -> dict[str, Any]:
    """Seconds of each kind of save, by save."""
    from transformers import Trainer

    from proofline.training.execution import Execution
    from proofline.training.saving import Saving
    from proofline.training.sft import train_sft

    seconds: dict[str, list[float]] = {kind: [] for kind in KINDS}
    busy, sizes, ends = [], [], []
    keep = Saving.save

    def save(self: Any) -> None:
        self._writer.wait()
        began = time.perf_counter()
        keep(self)
        seconds["beside"].append(time.perf_counter() - began)
        self._writer.wait()
        seconds["in the loop"].append(time.perf_counter() - began)
        busy.append(self._writer.busy_seconds)
        sizes.append(self._snapshot.num_bytes)
        began = time.perf_counter()
        Trainer._save_checkpoint(self._trainer, self._trainer.model, None)
        seconds["trainer"].append(time.perf_counter() - began)
        shutil.rmtree(self._trainer.args.output_dir)
        ends.append(time.perf_counter())

    Saving.save = save  # type: ignore[method-assign]
    profile = load_params(RECIPE)
    rows = (saves + 1) * EVERY * profile.sft.batch_size
    problems = list(generate_problems("train", rows, seed=0))
    section = profile.sft.model_copy(update={"epochs": 1.0, "precision": "fp32"})
    execution = Execution(threads=threads, checkpoints=work / "checkpoints", save_steps=EVERY)
    demonstrations = write_demonstrations(problems, rows, seed=0)
    metrics = train_sft(
        policy, demonstrations, profile.prompts, section, 0, work / "out", NullRun(), execution=execution
    )
    spent = sum(map(sum, (seconds["in the loop"], seconds["trainer"])))
    # The first save of a training makes its memory too.
    return {
        "bytes": sizes[-1],
        "seconds": {kind: values[1:] for kind, values in seconds.items()},
        "first_seconds": {kind: values[0] for kind, values in seconds.items()},
        "busy_seconds": statistics.median(busy),
        "step_seconds": (metrics["seconds"] - spent) / metrics["steps"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--saves", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--widths", type=int, nargs="+", default=[256, 768])
    options = parser.parse_args()
    settle(load_environment())
    measured, rows = {}, []
    for width in options.widths:
        with TemporaryDirectory() as folder:
            policy = Path(folder) / "policy"
            make_policy(width, policy)
            parameters = size_bytes(policy / "model.safetensors") // 4
            found = measure(policy, options.saves, options.threads, Path(folder))
        measured[str(width)] = {"parameters": parameters} | found
        median = {kind: statistics.median(values) for kind, values in found["seconds"].items()}
        interval = (median["beside"] + found["busy_seconds"]) / SHARE
        rows.append([
            f"{parameters / 1e6:.0f}M", spelled(found["bytes"]), *(f"{1000 * median[kind]:.0f} ms" for kind in KINDS),
            f"{found['busy_seconds']:.2f} s", f"{interval:.0f} s",
        ])  # fmt: skip
    print(table(["parameters", "checkpoint", *KINDS, "core", "interval"], rows))
    print(write_result("checkpoint", vars(options), ["torch", "transformers", "safetensors"], measured=measured))


if __name__ == "__main__":
    main()
