"""Direct preference optimisation (Rafailov et al. 2023) on pairs of right and wrong solutions of one problem.

The reference is the starting policy: its log-probabilities are computed once, from the weights in memory and before
there is an adapter or a step, so no second model is held (reference.py). `sft_weight` adds the log-likelihood of the
chosen solution, per token (Pang et al. 2024, "Iterative Reasoning Preference Optimization").
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from proofline.config.schema import Dpo, Prompts
from proofline.data.prompts import solution_messages
from proofline.records import PreferencePair
from proofline.storage.weights import weights_hash
from proofline.training.adapters import add_adapters
from proofline.training.batching import schedule_rows
from proofline.training.checkpoints import checkpoints_of
from proofline.training.execution import AS_IT_COMES, Execution, prepare_process
from proofline.training.fp8 import apply_formats
from proofline.training.loop import fit, trl_arguments
from proofline.training.policy import load_policy, partial
from proofline.training.tokens import TokenRow, encode_rows, refuse_empty

if TYPE_CHECKING:
    from datasets import Dataset

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

    from proofline.training.preference import ReadyDPOTrainer
    from proofline.training.reference import reference_logps
    from proofline.training.watch import CHANGE, PreferenceWatch

    policy = load_policy(policy_dir, execution)
    questions = [solution_messages(pair.question, prompts) for pair in pairs]
    both = zip(
        encode_rows(policy.tokenizer, questions, [pair.chosen for pair in pairs]),
        encode_rows(policy.tokenizer, questions, [pair.rejected for pair in pairs]),
        strict=True,
    )
    kept = [sides for sides in both if longer(sides) <= section.max_length]
    refuse_empty(kept, pairs, section.max_length, "preference pairs")
    schedule = schedule_rows([longer(sides) for sides in kept], section, seed, execution.micro_batch)
    checkpoints = checkpoints_of(execution, "train_dpo", section, seed, policy_dir, kept)
    # Made before the reference's pass: it is what brings the processes together.
    arguments = DPOConfig(
        **trl_arguments(section, schedule, seed, execution, partial(out_dir)), **loss_arguments(section)
    )
    logps = reference_logps(policy, list(zip(*kept, strict=True)), section.precision, execution.references)
    ratio = length_ratio(kept)
    trainer = ReadyDPOTrainer(
        model=add_adapters(apply_formats(policy.model, section), section, seed, execution),
        processing_class=policy.tokenizer,
        args=arguments,
        train_dataset=ready_dataset(kept, logps).select(schedule.order),
    )
    trainer.add_callback(PreferenceWatch(run, section.beta, ratio))
    curves = ("loss", "rewards/margins", "rewards/accuracies", "logps/chosen", "logps/rejected", CHANGE)
    metrics = fit(trainer, section, schedule, policy, checkpoints, out_dir, run, curves)
    counts = {
        "pairs": len(kept),
        "pairs_dropped": len(pairs) - len(kept),
        "pairs_off_policy": off_policy(pairs, weights_hash(policy_dir)),
        "length_ratio": ratio,
    }
    return counts | metrics


def off_policy(pairs: Sequence[PreferencePair], weights: str) -> int:
    """Pairs with a side that these weights, which the training starts from, did not sample."""
    return sum({pair.chosen_from.weights, pair.rejected_from.weights} != {weights} for pair in pairs)


def length_ratio(pairs: Sequence[tuple[TokenRow, TokenRow]]) -> float:
    """Completion tokens of all chosen sides over those of all rejected ones."""
    chosen, rejected = (sum(len(row.completion_ids) for row in side) for side in zip(*pairs, strict=True))
    return chosen / rejected


def longer(sides: tuple[TokenRow, TokenRow]) -> int:
    """Tokens of a pair's longer side, prompt included."""
    return max(row.num_tokens for row in sides)


def ready_dataset(pairs: Sequence[tuple[TokenRow, TokenRow]], logps: list[list[float]]) -> Dataset:
    """The columns that TRL's collator reads; `logps` are the reference's, chosen and rejected."""
    from datasets import Dataset

    return Dataset.from_dict({
        "prompt_ids": [chosen.prompt_ids for chosen, _ in pairs],
        "chosen_ids": [chosen.completion_ids for chosen, _ in pairs],
        "rejected_ids": [rejected.completion_ids for _, rejected in pairs],
        "ref_chosen_logps": logps[0],
        "ref_rejected_logps": logps[1],
    })  # fmt: skip


def loss_arguments(section: Dpo) -> dict[str, Any]:
    """The loss as a weighted sum, against the starting policy's log-probabilities."""
    terms = {section.loss: 1.0} | ({"sft": section.sft_weight} if section.sft_weight else {})
    return {
        "loss_type": list(terms),
        "loss_weights": list(terms.values()),
        "beta": section.beta,
        "precompute_ref_log_probs": True,
    }
