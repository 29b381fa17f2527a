"""A policy's own verifications, to be trained on where they are right (after STaR, Zelikman et al. 2022).

In: a policy folder and candidates with their questions, nothing else. Out: texts, `attempts` for each candidate. What
becomes of them is decided where grades are known (data/traces.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from proofline.config.schema import Prompts, Writing
from proofline.data.prompts import verification_messages
from proofline.data.traces import Asked
from proofline.records import Decoding
from proofline.sampling.policy import shared_sampler
from proofline.sampling.request import Request
from proofline.sampling.seeds import sample_seed


def write_chains(
    policy_dir: Path, asked: Sequence[Asked], prompts: Prompts, section: Writing, run_seed: int, *, rows: int
) -> list[list[str]]:
    """The verifications of each candidate: of all, or of one shard of them."""
    sampler = shared_sampler(policy_dir, rows)
    prompts_ids = sampler.encode([verification_messages(row.question, row.candidate, prompts) for row in asked])
    requests = [
        Request(row.solution_id, ids, [sample_seed(run_seed, row.solution_id, k) for k in range(section.attempts)])
        for row, ids in zip(asked, prompts_ids, strict=True)
    ]
    decoding = Decoding(temperature=section.temperature, top_p=section.top_p, max_new_tokens=section.max_new_tokens)
    completions = list(sampler.engine.generate(requests, decoding))
    texts = sampler.tokenizer.batch_decode([completion.token_ids for completion in completions])
    written = {(done.key, done.sample_index): text for done, text in zip(completions, texts, strict=True)}
    return [[written[row.solution_id, k] for k in range(section.attempts)] for row in asked]
