"""The generative verifier: supervised fine-tuning on verification traces mixed with solutions.

Zhang et al. 2024 ("Generative Verifiers", eq. 6) add lambda times the loss on correct solutions to the loss on
verifications, so that the verifier stays a policy. Here lambda is a share, and the mixture is made of rows: every
trace is there once an epoch, and as many demonstrations are drawn (seeded, all of them before any a second time) as
give them the fraction `solution_weight` of all completion tokens, with no weights inside the trainer. Their share of
the loss is larger: steps weigh the same however many tokens they have, and short rows, which solutions are, come in
steps of their own.

The ablation is the same training with the traces muted: the same steps over the same rows in the same order, at the
same learning rates, each solution with the weight in the loss that it has beside the traces. So what it does to the
policy is what the solutions do, and the difference to the verifier is what the traces do. One thing is in that
difference too: Adam divides by the size of the gradients, so alone the solutions take longer steps than beside traces.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from proofline.config.schema import Genrm, Prompts
from proofline.data.prompts import solution_messages, verification_messages
from proofline.records import Demonstration, VerificationTrace, stable_id
from proofline.training.execution import AS_IT_COMES, Execution, prepare_process
from proofline.training.policy import load_policy
from proofline.training.sft import fit_completions
from proofline.training.tokens import TokenRow, TrainingDataError, drop_longer, encode_rows

if TYPE_CHECKING:
    from proofline.tracking import Run


def train_genrm(
    policy_dir: Path,
    traces: Sequence[VerificationTrace],
    demonstrations: Sequence[Demonstration],
    prompts: Prompts,
    section: Genrm,
    seed: int,
    out_dir: Path,
    run: Run,
    *,
    mute_traces: bool = False,
    execution: Execution = AS_IT_COMES,
) -> dict[str, float]:
    """Train the policy in `policy_dir` into a verifier in `out_dir`, or its ablation. Returns the closing metrics.

    With `mute_traces` a step may have no solution: it moves the weights by its momentum alone, and TRL's
    `mean_token_accuracy` counts it as 0.
    """
    prepare_process(execution)
    policy = load_policy(policy_dir, execution)
    asked = [verification_messages(row.question, row.candidate, prompts) for row in traces]
    all_traces = encode_rows(policy.tokenizer, asked, [row.chain for row in traces])
    kept_traces = drop_longer(all_traces, section.max_length, "verification traces")
    solutions = []
    if section.solution_weight > 0:
        questions = [solution_messages(row.question, prompts) for row in demonstrations]
        encoded = encode_rows(policy.tokenizer, questions, [row.solution for row in demonstrations])
        kept_solutions = drop_longer(encoded, section.max_length, "demonstrations")
        solutions = draw_solutions(kept_traces, kept_solutions, section.solution_weight, seed)
    counts = {
        "traces": len(kept_traces),
        "traces_dropped": len(all_traces) - len(kept_traces),
        "solutions": len(solutions),
        "solution_share": solution_share(kept_traces, solutions),
    }
    stage = "train_solutions" if mute_traces else "train_genrm"
    rows = [row._replace(muted=mute_traces) for row in kept_traces] + solutions
    return counts | fit_completions(stage, policy, rows, section, seed, out_dir, run, execution)


def draw_solutions(
    traces: Sequence[TokenRow], solutions: Sequence[TokenRow], weight: float, seed: int
) -> list[TokenRow]:
    """Solutions whose completions hold the fraction `weight` of all completion tokens, to within half a row."""
    if weight >= 1:
        raise TrainingDataError(
            f"genrm.solution_weight = {weight} leaves no room for traces. Set it below 1 (Zhang et al. use a fraction)."
        )
    wanted = weight / (1 - weight) * completion_tokens(traces)
    rounds = int(wanted // completion_tokens(solutions)) + 1
    generator = np.random.default_rng(int(stable_id("solutions beside traces", seed), 16))
    order = np.concatenate([generator.permutation(len(solutions)) for _ in range(rounds)])
    lengths = np.array([len(row.completion_ids) for row in solutions])[order]
    middles = np.cumsum(lengths) - lengths / 2
    return [solutions[index] for index in order[: np.searchsorted(middles, wanted)]]


def solution_share(traces: Sequence[TokenRow], solutions: Sequence[TokenRow]) -> float:
    """The solutions' share of all completion tokens."""
    return completion_tokens(solutions) / (completion_tokens(traces) + completion_tokens(solutions))


def completion_tokens(rows: Sequence[TokenRow]) -> int:
    return sum(len(row.completion_ids) for row in rows)
