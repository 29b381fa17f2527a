"""Supervised fine-tuning on demonstrations: next-token prediction, loss on the completion only.

Every completion token of a step weighs the same, whatever its row or micro-batch; what a row that is muted would weigh
is left out, and given to no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from proofline.config.schema import Prompts, Sft, Training
from proofline.data.prompts import solution_messages
from proofline.records import Demonstration
from proofline.training.adapters import add_adapters
from proofline.training.batching import schedule_rows
from proofline.training.checkpoints import checkpoints_of
from proofline.training.execution import AS_IT_COMES, Execution, prepare_process
from proofline.training.fp8 import apply_formats
from proofline.training.loop import fit, trl_arguments
from proofline.training.policy import Policy, load_policy, partial
from proofline.training.tokens import TokenRow, drop_longer, encode_rows

if TYPE_CHECKING:
    from trl.trainer.sft_trainer import SFTTrainer

    from proofline.tracking import Run


def train_sft(
    policy_dir: Path,
    demonstrations: Sequence[Demonstration],
    prompts: Prompts,
    section: Sft,
    seed: int,
    out_dir: Path,
    run: Run,
    *,
    execution: Execution = AS_IT_COMES,
) -> dict[str, float]:
    """Train the policy in `policy_dir` on demonstrations into `out_dir`. Returns the closing metrics."""
    prepare_process(execution)
    policy = load_policy(policy_dir, execution)
    questions = [solution_messages(row.question, prompts) for row in demonstrations]
    rows = encode_rows(policy.tokenizer, questions, [row.solution for row in demonstrations])
    kept = drop_longer(rows, section.max_length, "demonstrations")
    counts = {"rows": len(kept), "rows_dropped": len(rows) - len(kept)}
    return counts | fit_completions("train_sft", policy, kept, section, seed, out_dir, run, execution)


def fit_completions(
    stage: str,
    policy: Policy,
    rows: Sequence[TokenRow],
    section: Training,
    seed: int,
    out_dir: Path,
    run: Run,
    execution: Execution,
) -> dict[str, float]:
    """Next-token prediction on the rows' completions, through TRL's SFTTrainer."""
    from datasets import Dataset
    from trl.trainer.sft_config import SFTConfig

    schedule = schedule_rows([row.num_tokens for row in rows], section, seed, execution.micro_batch)
    checkpoints = checkpoints_of(execution, stage, section, seed, policy.folder, rows)
    tokens = {"input_ids": [row.input_ids for row in rows], "labels": [row.labels for row in rows]}
    steps = schedule.order.reshape(schedule.steps, -1)
    # The order within a step is free: muted rows side by side are not padded to the length of others.
    muted_last = np.argsort(np.array([row.muted for row in rows])[steps], axis=1, kind="stable")
    steps = np.take_along_axis(steps, muted_last, axis=1)
    lengths = np.array([len(row.completion_ids) for row in rows])
    trainer = trainer_of_steps(lengths[steps].sum(axis=1))(
        model=add_adapters(apply_formats(policy.model, section), section, seed, execution),
        processing_class=policy.tokenizer,
        args=SFTConfig(
            **trl_arguments(section, schedule, seed, execution, partial(out_dir)),
            dataset_kwargs={"skip_prepare_dataset": True},
        ),
        train_dataset=Dataset.from_dict(tokens).select(steps.ravel()),
    )
    return fit(trainer, section, schedule, policy, checkpoints, out_dir, run, curves=("loss", "mean_token_accuracy"))


def trainer_of_steps(completion_tokens: np.ndarray) -> type[SFTTrainer]:
    """TRL's trainer, with what each step's loss is divided by, shape (steps,).

    transformers counts the tokens that have a label: the same, as long as no row is muted.
    """
    import torch
    from trl.trainer.sft_trainer import SFTTrainer

    class StepsTrainer(SFTTrainer):
        def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: torch.device) -> tuple[list, Any]:
            batches, _ = super().get_batch_samples(epoch_iterator, num_batches, device)
            return batches, torch.tensor(completion_tokens[self.state.global_step], device=device)

    return StepsTrainer
