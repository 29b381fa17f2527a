"""Seconds from a process's start to its first optimizer step: a training stage beside a script with plain imports.

    python benchmarks/startup.py [--rounds 5] [--threads 2]

Both train the bundled policy on the same 64 demonstrations, each in a fresh process, in turns. Ours is what
stages/train_sft.py does, tracked run and recorder included; the plain script imports everything at its top, MLflow too,
and opens no run. `imports` is the time until its top is passed; ours has no such moment, it imports as it goes.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from report import table, write_result

from proofline.base.source import BUNDLED
from proofline.config import load_params
from proofline.data.demonstrations import write_demonstrations
from proofline.data.synthetic import generate_problems
from proofline.storage.records import write_records

OURS = """
import sys, time
from pathlib import Path
from proofline.config import Environment, load_params
from proofline.records import Demonstration
from proofline.storage.records import read_records
from proofline.tracking import track
from proofline.training.execution import Execution
from proofline.training.sft import train_sft

base, rows, work, threads = sys.argv[1:]
params = load_params()
environment = Environment(tracking_uri=f"sqlite:///{work}/mlflow.db", threads=int(threads))
with track("train_sft", sections={"sft": params.sft}, environment=environment) as run:
    log_metrics = run.log_metrics
    def first_step(metrics, step=None):
        if step == 1:
            print("first step", time.time(), flush=True)
        log_metrics(metrics, step)
    run.log_metrics = first_step
    demonstrations = read_records(rows, Demonstration)
    train_sft(Path(base), demonstrations, params.prompts, params.sft, 0, Path(work) / "sft", run,
              execution=Execution.of(environment))
"""

PLAIN = """
import sys, time
import datasets
import mlflow
import torch
from datasets import Dataset
from transformers import AutoModelForCausalLM, AutoTokenizer, Trainer, TrainerCallback
from trl import SFTConfig, SFTTrainer
print("imports", time.time(), flush=True)

base, rows, work, threads = sys.argv[1:]
torch.set_num_threads(int(threads))

class FirstStep(TrainerCallback):
    def on_step_end(self, args, state, control, **others):
        if state.global_step == 1:
            print("first step", time.time(), flush=True)

model, tokenizer = AutoModelForCausalLM.from_pretrained(base), AutoTokenizer.from_pretrained(base)
data = datasets.load_dataset("json", data_files=rows, cache_dir=f"{work}/cache", split="train").map(
    lambda row: {"prompt": [{"role": "user", "content": row["question"]}],
                 "completion": [{"role": "assistant", "content": row["solution"]}]})
arguments = SFTConfig(output_dir=f"{work}/plain", per_device_train_batch_size=32, num_train_epochs=2, bf16=False,
                      use_cpu=True, report_to="none", save_strategy="no")
SFTTrainer(model=model, processing_class=tokenizer, args=arguments,
           train_dataset=data.select_columns(["prompt", "completion"]), callbacks=[FirstStep()]).train()
"""


def moments(script: str, rows: Path, work: Path, threads: int) -> dict[str, float]:
    """Seconds from the start of a fresh process to each moment that it prints."""
    environment = os.environ | {"DVC_ROOT": str(work), "OMP_NUM_THREADS": str(threads)}
    command = [sys.executable, "-c", script, str(BUNDLED), str(rows), str(work), str(threads)]
    began = time.time()
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    said = [line.rsplit(" ", 1) for line in done.stdout.splitlines() if line.startswith(("imports ", "first step "))]
    return {name: float(at) - began for name, at in said}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    recipe = load_params()
    runs: dict[str, list[dict[str, float]]] = {"proofline": [], "plain": []}
    with TemporaryDirectory() as folder:
        rows = Path(folder) / "demonstrations.jsonl"
        problems = list(generate_problems("train", 64, seed=recipe.seed))
        write_records(rows, write_demonstrations(problems, 64, seed=recipe.seed))
        for number in range(-1, options.rounds):  # the first round warms the file cache and makes MLflow's tables
            for name, script in (("proofline", OURS), ("plain", PLAIN)):
                measured = moments(script, rows, Path(folder), options.threads)
                if number >= 0:
                    runs[name].append(measured)
    first = {name: statistics.median(run["first step"] for run in measured) for name, measured in runs.items()}
    imports = statistics.median(run["imports"] for run in runs["plain"])
    ratio = first["plain"] / first["proofline"]
    print(table(["seconds to", "proofline", "plain imports", "ratio"],
                [["imports done", "", f"{imports:.2f}", ""],
                 ["first step", f"{first['proofline']:.2f}", f"{first['plain']:.2f}", f"{ratio:.2f}"]]))  # fmt: skip
    write_result("startup", vars(options), ["torch", "transformers", "trl", "mlflow", "datasets"],
                 first_step_seconds=first, ratio=ratio, runs=runs)  # fmt: skip


if __name__ == "__main__":
    main()
