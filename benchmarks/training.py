"""Tokens per second of SFT, DPO and GenRM beside stock TRL scripts: same weights, rows, batch, recipe and precision.

    python benchmarks/training.py [--rounds 3] [--threads 2] [--rows 3000] [--small] [--model FOLDER]

Stock is what TRL's documentation shows: a trainer on the model's path and chat rows, the recipe's numbers in its
arguments, TRL's defaults for everything else (activation checkpointing, shuffled rows, logging every 10 steps; DPO with
its second model). Ours keeps all activations, so a second script says `gradient_checkpointing=False`: what is left of
the ratio is not that. Their micro-batch is the whole batch. The model is the bundled base, or that of a folder. Every
run has a process of its own, and imports are over before a clock starts; ours keeps to the instructions and the waiting
threads of a stage, stock takes PyTorch's defaults. A token counts if it is not padding. `loop` is the trainer's
`train()`; `stage` is the whole function: loading, tokenising, reference, training, export.

The curves, with the bundled base: another run has stock TRL's loop and settings but our tokens in our order, so that
its losses at each step must be ours to within rounding. (The stock script's own rows come in another order, and its
chat template adds a line break behind each completion.)
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from report import table, write_result

from proofline.base.source import BUNDLED
from proofline.config import load_environment, load_params
from proofline.config.schema import Params
from proofline.data.chain import verify
from proofline.data.demonstrations import write_demonstrations
from proofline.data.equations import corrupt
from proofline.data.prompts import solution_messages, verdict, verification_messages
from proofline.data.synthetic import generate_problems
from proofline.launch.instructions import settle
from proofline.records import Decoding, Grade, Origin, PreferencePair, Problem, Verdict, VerificationTrace
from proofline.tracking import NullRun

TRAININGS = ("sft", "dpo", "genrm")
KEPT, OUR_ROWS = "stock, activations kept", "stock loop, our rows"
CONTENDERS = ("proofline", "stock", KEPT, OUR_ROWS)


class Curve(NullRun):
    """Keeps the loss at each logged step."""

    def __init__(self) -> None:
        self.losses: dict[int, float] = {}

    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        if step is not None and "loss" in metrics:
            self.losses[step] = metrics["loss"]


def make_rows(name: str, count: int) -> list[Any]:
    """The recipe's own kinds of rows: solutions; a solution and a corrupted one; chains about both."""
    problems = list(generate_problems("train", count, seed=0))
    if name == "sft":
        return write_demonstrations(problems, count, seed=0)
    generator, rows = Random(0), []
    for problem in problems:
        wrong = corrupt(problem.solution, problem.question, generator)
        if wrong is None:
            continue
        if name == "dpo":
            rows.append(
                PreferencePair(id=problem.id, problem_id=problem.id, question=problem.question, chosen_id="right",
                               rejected_id="wrong", chosen=problem.solution, rejected=wrong, rule="corrupted",
                               chosen_from=origin(problem, "correct"), rejected_from=origin(problem, "wrong"),
                               on_policy=False, settings={})
            )  # fmt: skip
        else:
            text = wrong if len(rows) % 2 else problem.solution
            chain = verify(problem.question, text)
            if chain:
                rows.append(
                    VerificationTrace(id=problem.id, problem_id=problem.id, solution_id=problem.id,
                                      question=problem.question, candidate=text, label=chain.accepts,
                                      candidate_from=origin(problem, "correct" if chain.accepts else "wrong"),
                                      chain=f"{chain.text}\n{verdict(chain.accepts)}", origin="program", layout="")
                )  # fmt: skip
    return rows


def origin(problem: Problem, graded: Verdict) -> Origin:
    """Of a solution that nobody sampled."""
    grade = Grade(
        solution_id=problem.id, problem_id=problem.id, verdict=graded, extracted=None, reason="made so", grader="none"
    )
    nothing = Decoding(temperature=0.0, top_p=1.0, max_new_tokens=0)
    return Origin(policy="made", weights="", decoding=nothing, sample_index=0, seed=0, num_tokens=0, grade=grade)


def section_of(name: str, recipe: Params) -> Any:
    changes: dict[str, Any] = {"epochs": 1.0} | ({"solution_weight": 0.0} if name == "genrm" else {})
    return getattr(recipe, name).model_copy(update=changes)


def proofline(name: str, rows: list[Any], recipe: Params, threads: int, out_dir: Path, model: Path) -> dict[str, Any]:
    from proofline.training.dpo import train_dpo
    from proofline.training.execution import Execution, prepare_process
    from proofline.training.genrm import train_genrm
    from proofline.training.sft import train_sft

    execution, run, section = Execution(threads=threads), Curve(), section_of(name, recipe)
    prepare_process(execution)
    import trl.trainer.dpo_trainer
    import trl.trainer.sft_trainer  # noqa: F401

    began = time.perf_counter()
    shared: Any = (recipe.prompts, section, recipe.seed, out_dir, run)
    if name == "sft":
        metrics = train_sft(model, rows, *shared, execution=execution)
    elif name == "dpo":
        metrics = train_dpo(model, rows, *shared, execution=execution)
    else:
        metrics = train_genrm(model, rows, [], *shared, execution=execution)
    return {
        "tokens": metrics["tokens"], "loop_seconds": metrics["seconds"], "stage_seconds": time.perf_counter() - began,
        "losses": run.losses,
    }  # fmt: skip


def stock(
    contender: str, name: str, rows: list[Any], recipe: Params, threads: int, out_dir: Path, model: Path
) -> dict[str, Any]:
    """The script; `OUR_ROWS` gives it our tokens in our order, and asks for the loss as often as we do."""
    import torch
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

    torch.set_num_threads(threads)
    section, ours = section_of(name, recipe), contender == OUR_ROWS
    began = time.perf_counter()
    chosen: Any = {"train_sampling_strategy": "sequential", "max_length": None} if ours else {}
    if contender == KEPT:
        chosen = {"gradient_checkpointing": False}
    settings: Any = {
        "output_dir": str(out_dir), "num_train_epochs": section.epochs, "learning_rate": section.learning_rate,
        "per_device_train_batch_size": section.batch_size, "lr_scheduler_type": "cosine_warmup_with_min_lr",
        "lr_scheduler_kwargs": {"min_lr_rate": 0.1}, "warmup_steps": section.warmup_ratio,
        "weight_decay": section.weight_decay, "max_grad_norm": section.max_grad_norm, "max_length": section.max_length,
        "bf16": section.precision == "bf16", "seed": recipe.seed, "use_cpu": True, "report_to": "none",
        "save_strategy": "no", **chosen,
    }  # fmt: skip
    if ours:
        dataset, steps = our_dataset(name, rows, recipe, section, model)
        settings["logging_steps"] = max(1, steps // 50)
    else:
        dataset = Dataset.from_list([chat_row(name, row, recipe) for row in rows])
    if name == "dpo":
        settings |= {"beta": section.beta, "loss_type": [section.loss, "sft"], "loss_weights": [1, section.sft_weight]}
        trainer = DPOTrainer(model=str(model), args=DPOConfig(**settings), train_dataset=dataset)
    else:
        trainer = SFTTrainer(model=str(model), args=SFTConfig(**settings), train_dataset=dataset)
    loop_began = time.perf_counter()
    trainer.train()
    loop_seconds = time.perf_counter() - loop_began
    trainer.save_model()
    return {
        "tokens": trainer._total_train_tokens, "loop_seconds": loop_seconds,
        "stage_seconds": time.perf_counter() - began,
        "losses": {point["step"]: point["loss"] for point in trainer.state.log_history if "loss" in point},
    }  # fmt: skip


def chat_row(name: str, row: Any, recipe: Params) -> dict[str, Any]:
    """A row as TRL's documentation writes it."""
    says = lambda text: [{"role": "assistant", "content": text}]  # noqa: E731
    if name == "dpo":
        prompt = solution_messages(row.question, recipe.prompts)
        return {"prompt": prompt, "chosen": says(row.chosen), "rejected": says(row.rejected)}
    if name == "genrm":
        prompt = verification_messages(row.question, row.candidate, recipe.prompts)
        return {"prompt": prompt, "completion": says(row.chain)}
    return {"prompt": solution_messages(row.question, recipe.prompts), "completion": says(row.solution)}


def our_dataset(name: str, rows: list[Any], recipe: Params, section: Any, model: Path) -> tuple[Any, int]:
    """Our tokens in the order we train on them, and the number of steps."""
    from datasets import Dataset
    from transformers import AutoTokenizer

    from proofline.training.batching import schedule_rows
    from proofline.training.tokens import encode_rows

    tokenizer, chat = AutoTokenizer.from_pretrained(model), [chat_row(name, row, recipe) for row in rows]
    sides = ("chosen", "rejected") if name == "dpo" else ("completion",)
    prompts = [row["prompt"] for row in chat]
    encoded = [encode_rows(tokenizer, prompts, [row[side][0]["content"] for row in chat]) for side in sides]
    kept = [pair for pair in zip(*encoded, strict=True) if max(row.num_tokens for row in pair) <= section.max_length]
    schedule = schedule_rows([max(row.num_tokens for row in pair) for pair in kept], section, recipe.seed, None)
    if name == "dpo":  # TRL tokenises pairs itself: it gets the texts that our tokens stand for
        decode = tokenizer.batch_decode
        columns = {"prompt": decode([right.prompt_ids for right, _ in kept]),
                   "chosen": decode([right.completion_ids for right, _ in kept]),
                   "rejected": decode([wrong.completion_ids for _, wrong in kept])}  # fmt: skip
    else:
        columns = {"input_ids": [row.input_ids for (row,) in kept], "labels": [row.labels for (row,) in kept]}
    return Dataset.from_dict(columns).select(schedule.order), schedule.steps


def run_alone(contender: str, name: str, options: argparse.Namespace) -> dict[str, Any] | None:
    """One training in a process of its own; None where the kernel ended it, for want of memory."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, __file__, "--rows", str(options.rows), "--threads", str(options.threads),
                   "--model", str(options.model)]  # fmt: skip
        result = Path(folder) / "result.json"
        ended = subprocess.run(
            [*command, "--alone", contender, name, str(result)], capture_output=True, text=True,
            env=os.environ | {"OMP_NUM_THREADS": str(options.threads)},
        )  # fmt: skip
        if ended.returncode == -signal.SIGKILL:
            return None
        if ended.returncode:
            sys.exit(ended.stderr)
        return dict(json.loads(result.read_text()))


def train_alone(contender: str, name: str, result: Path, options: argparse.Namespace) -> None:
    recipe, out_dir = load_params(), result.parent / "policy"
    if contender == "proofline":
        settle(load_environment(), section_of(name, recipe).precision)
    rows = make_rows(name, options.rows)
    if contender == "proofline":
        measured = proofline(name, rows, recipe, options.threads, out_dir, options.model)
    else:
        measured = stock(contender, name, rows, recipe, options.threads, out_dir, options.model)
    result.write_text(json.dumps(measured))


def apart(runs: dict[str, list[dict[str, Any]]]) -> float | None:
    """Largest difference between our loss and that of the stock loop on our rows, at any logged step."""
    if not runs[OUR_ROWS]:
        return None
    ours, theirs = runs["proofline"][0]["losses"], runs[OUR_ROWS][0]["losses"]
    assert ours.keys() == theirs.keys(), "the two log at other steps"
    return max(abs(ours[step] - theirs[step]) for step in ours)


def spelled(value: float | None, form: str, absent: str = "out of memory") -> str:
    return absent if value is None else format(value, form)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rows", type=int, default=3000, help="problems that rows are made of")
    parser.add_argument("--model", type=Path, default=BUNDLED)
    parser.add_argument("--small", action="store_true", help="256 rows, one round: does it work?")
    parser.add_argument("--only", choices=TRAININGS, help="one training; writes nothing")
    parser.add_argument("--alone", nargs=3, metavar=("CONTENDER", "TRAINING", "RESULT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.small:
        options.rows, options.rounds = 256, 1
    if options.alone:
        train_alone(options.alone[0], options.alone[1], Path(options.alone[2]), options)
        return

    names = (options.only,) if options.only else TRAININGS
    measured: dict[str, dict[str, list[dict[str, Any]]]] = {
        name: {contender: [] for contender in CONTENDERS} for name in names
    }
    for number in range(options.rounds):
        for name in names:
            for contender in CONTENDERS[: 4 if number == 0 and options.model == BUNDLED else 3]:
                if run := run_alone(contender, name, options):
                    measured[name][contender].append(run)
    summary, lines = {}, []
    for name, runs in measured.items():
        row: dict[str, Any] = {"largest_loss_difference": apart(runs)}
        for part in ("loop", "stage"):
            rates = {
                contender: statistics.median(run["tokens"] / run[f"{part}_seconds"] for run in runs[contender])
                for contender in CONTENDERS[:3]
                if runs[contender]
            }
            ratios = {contender: rates["proofline"] / rates[contender] for contender in rates}
            row[f"{part}_tokens_per_second"] = rates
            row[f"{part}_ratio"], row[f"{part}_ratio_kept"] = ratios["stock"], ratios.get(KEPT)
            lines.append([f"{name}, {part}", *(spelled(rates.get(one), ",.0f") for one in CONTENDERS[:3]),
                          *(spelled(ratios.get(one), ".2f") for one in CONTENDERS[1:3]),
                          spelled(row["largest_loss_difference"], ".4f", "—")])  # fmt: skip
        summary[name] = row
    print(table(["tokens/s", "proofline", "stock TRL", KEPT, "ratio", "ratio, kept", "losses apart by at most"], lines))
    if not options.only:
        name = "training" if options.model == BUNDLED else f"training_{options.model.name}"
        settings = vars(options) | {"model": options.model.name}
        packages = ["torch", "transformers", "trl", "accelerate", "datasets"]
        write_result(name, settings, packages, summary=summary, runs=measured)


if __name__ == "__main__":
    main()
