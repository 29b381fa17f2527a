"""P(Yes) of candidates: sample K verification chains each, read the verdict's own token, average.

In: a GenRM folder, candidates with their problems. Out: a Verification row per candidate. Follows Zhang et al. 2024,
"Generative Verifiers", section 3: the score of a chain is p(Yes) at the token after the verdict line, here normalised
over Yes and No; the score of a candidate is the mean over its chains. Where a tokenizer cuts the words, it is read at
the first token in which they differ. A chain without a verdict has no score of its own and counts as one that does not
say Yes: left out, it would let one lucky chain of many speak for the candidate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from proofline.config.schema import Prompts
from proofline.config.schema import Verification as Section
from proofline.data.prompts import verification_messages
from proofline.data.turns import verdict_tokens
from proofline.records import Decoding, Problem, Solution, Verdict, Verification
from proofline.sampling.policy import shared_sampler
from proofline.sampling.request import Completion, Request
from proofline.sampling.seeds import sample_seed


def verify(
    genrm_dir: Path,
    candidates: Sequence[tuple[Problem, Solution, Verdict]],
    prompts: Prompts,
    section: Section,
    run_seed: int,
    *,
    rows: int,
) -> list[Verification]:
    """Score candidates; the grader's verdict is only carried along as the label. Raises VerdictTokenError.

    Called with all candidates or with one shard of them.
    """
    sampler = shared_sampler(genrm_dir, rows)
    line, yes, no, _ = verdict_tokens(sampler.tokenizer)
    chats = [verification_messages(problem.question, solution.text, prompts) for problem, solution, _ in candidates]
    requests = [
        Request(solution.id, ids, [sample_seed(run_seed, solution.id, k) for k in range(section.num_chains)])
        for (_, solution, _), ids in zip(candidates, sampler.encode(chats), strict=True)
    ]
    decoding = Decoding(
        temperature=section.temperature, top_p=section.top_p, max_new_tokens=section.max_new_tokens
    )  # fmt: skip
    chains: dict[str, dict[int, Completion]] = {}
    for completion in sampler.engine.generate(requests, decoding, (yes, no)):
        chains.setdefault(completion.key, {})[completion.sample_index] = completion
    rows_out = []
    for problem, solution, label in candidates:
        own = [chains[solution.id][k] for k in range(section.num_chains)]
        scores = tuple(p_yes(completion, line, (yes, no)) for completion in own)
        rows_out.append(
            Verification(
                solution_id=solution.id,
                problem_id=problem.id,
                label=label,
                p_yes=mean_p_yes(scores),
                p_yes_per_chain=scores,
                chains=tuple(sampler.tokenizer.batch_decode([completion.token_ids for completion in own])),
                tokens_per_chain=tuple(len(completion.token_ids) for completion in own),
            )
        )
    return rows_out


def mean_p_yes(scores: Sequence[float]) -> float:
    """A candidate's score from its chains' (NaN: no verdict, counted as 0); NaN where none has a verdict."""
    return math.nan if all(map(math.isnan, scores)) else float(np.mean(np.nan_to_num(scores, nan=0.0)))


def p_yes(completion: Completion, line: Sequence[int], verdicts: tuple[int, int]) -> float:
    """P(Yes) / (P(Yes) + P(No)) at the verdict's token; NaN where the chain has none."""
    at = verdict_position(completion.token_ids, line, verdicts)
    if at is None:
        return math.nan
    yes, no = (float(value) for value in completion.tracked[at])
    return 1.0 / (1.0 + math.exp(min(no - yes, 700.0)))


def verdict_position(tokens: Sequence[int], line: Sequence[int], verdicts: tuple[int, int]) -> int | None:
    """Index of the last Yes or No that directly follows the verdict line; None where there is none."""
    size = len(line)
    for at in range(len(tokens) - 1, size - 1, -1):
        if tokens[at] in verdicts and list(tokens[at - size : at]) == list(line):
            return at
    return None
