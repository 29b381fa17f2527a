"""Direct preference optimisation (Rafailov et al. 2023) on pairs of right and wrong solutions of one problem.

The reference is the starting policy: its log-probabilities are computed once, from the weights in memory and before
the first step, so no second model is held. `sft_weight` adds the log-likelihood of the chosen solution, per token
(Pang et al. 2024, "Iterative Reasoning Preference Optimization").
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proofline.config.schema import Dpo, Prompts
from proofline.data.prompts import solution_messages
from proofline.records import PreferencePair
from proofline.training.batching import schedule_rows
from proofline.training.checkpoints import checkpoint_folder
from proofline.training.execution import AS_IT_COMES, Execution, prepare_process
from proofline.training.loop import fit, trl_arguments
from proofline.training.policy import load_policy, partial
from proofline.training.tokens import refuse_empty, render_turns

if TYPE_CHECKING:
    from datasets import Dataset
    from transformers import PreTrainedTokenizerBase, TrainingArguments

    from proofline.tracking import Run


def train_dpo(
    policy_dir: Path,
    pairs: Sequence[PreferencePair],
    prompts: Prompts,
    section: Dpo,
    seed: int,
    out_dir: Path,
    run: Run,
    *,
    execution: Execution = AS_IT_COMES,
) -> dict[str, float]:
    """Train the policy in `policy_dir` on preference pairs into `out_dir`. Returns the closing metrics."""
    prepare_process(execution)
    from trl.trainer.dpo_config import DPOConfig
    from trl.trainer.dpo_trainer import DPOTrainer

    policy = load_policy(policy_dir)
    texts = render_pairs(policy.tokenizer, pairs, prompts)
    kept = sorted(
        (length, row)
        for row, length in enumerate(pair_lengths(policy.tokenizer, texts))
        if length <= section.max_length
    )
    refuse_empty(kept, pairs, section.max_length, "preference pairs")
    rows = [texts[row] for _, row in kept]
    schedule = schedule_rows([length for length, _ in kept], section, seed, execution.micro_batch)
    checkpoints = checkpoint_folder(execution, "train_dpo", section, seed, policy_dir, rows)
    arguments = DPOConfig(
        **trl_arguments(section, schedule, seed, execution, checkpoints or partial(out_dir)), **loss_arguments(section)
    )
    exchange = out_dir.with_name(out_dir.name + ".pairs.partial")
    trainer = DPOTrainer(
        model=policy.model,
        processing_class=policy.tokenizer,
        args=arguments,
        train_dataset=shared_dataset(rows, exchange, arguments),
    )
    # By now the trainer holds the reference log-probabilities, from one pass over the pairs in order of length.
    trainer.train_dataset = trainer.train_dataset.select(schedule.order)
    curves = ("loss", "rewards/margins", "rewards/accuracies", "logps/chosen", "logps/rejected")
    metrics = fit(trainer, schedule, policy, checkpoints, out_dir, run, curves)
    shutil.rmtree(exchange, ignore_errors=True)
    return {"pairs": len(rows), "pairs_dropped": len(pairs) - len(rows)} | metrics


def shared_dataset(rows: list[dict[str, str]], folder: Path, arguments: TrainingArguments) -> Dataset:
    """The rows as a data set on disk: TRL's processes hand each other the reference log-probabilities beside it."""
    from datasets import Dataset, load_from_disk

    with arguments.main_process_first(local=False):
        if arguments.process_index == 0:
            shutil.rmtree(folder, ignore_errors=True)
            Dataset.from_list(rows).save_to_disk(str(folder))
    return load_from_disk(str(folder))


def render_pairs(
    tokenizer: PreTrainedTokenizerBase, pairs: Sequence[PreferencePair], prompts: Prompts
) -> list[dict[str, str]]:
    """Rows of texts `prompt`, `chosen`, `rejected`. TRL tokenises them itself: it offers no way to bring tokens."""
    if not pairs:
        return []
    questions = [solution_messages(pair.question, prompts) for pair in pairs]
    prompt, chosen = render_turns(tokenizer, questions, [pair.chosen for pair in pairs])
    _, rejected = render_turns(tokenizer, questions, [pair.rejected for pair in pairs])
    return [{"prompt": p, "chosen": c, "rejected": r} for p, c, r in zip(prompt, chosen, rejected, strict=True)]


def pair_lengths(tokenizer: PreTrainedTokenizerBase, rows: Sequence[dict[str, str]]) -> list[int]:
    """Tokens of each pair's longer side, prompt included."""
    sides = [
        tokenizer([row["prompt"] + row[side] for row in rows], add_special_tokens=False)["input_ids"]
        for side in ("chosen", "rejected")
        if rows
    ]
    return [max(map(len, pair)) for pair in zip(*sides, strict=True)]


def loss_arguments(section: Dpo) -> dict[str, Any]:
    """The loss as a weighted sum, against the starting policy's log-probabilities."""
    terms = {section.loss: 1.0} | ({"sft": section.sft_weight} if section.sft_weight else {})
    return {
        "loss_type": list(terms),
        "loss_weights": list(terms.values()),
        "beta": section.beta,
        "precompute_ref_log_probs": True,
    }
