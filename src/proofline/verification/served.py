"""P(Yes) of candidates, the chains drawn by an OpenAI-compatible server (vLLM, SGLang) that serves the verifier.

In: the verifier's folder, which names its weights, and candidates. Out: Verification rows as of the own decoding loop
(verification/score.py), but for `server`. P(Yes) is read from what the server states of the verdict's token and of its
likeliest others: Yes and No are two of twenty there, or one of them has next to no probability and counts as none.
The chain's own temperature must not be in these figures: vLLM's are those before it, unless it is started otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from proofline.config.environment import Environment
from proofline.config.schema import Prompts
from proofline.config.schema import Verification as Section
from proofline.data.prompts import verification_messages
from proofline.data.turns import verdict_tokens
from proofline.endpoint import Endpoint, EndpointError, Question
from proofline.endpoint.question import Drawn, Reply
from proofline.records import Problem, Solution, Verdict, Verification
from proofline.sampling.policy import decoded_by, shard_size
from proofline.sampling.seeds import sample_seed
from proofline.sampling.served import Drawing, Served, find_served, served_shard_size
from proofline.verification.score import mean_p_yes, verify

Candidate = tuple[Problem, Solution, Verdict]
POLICY = "genrm"


class Words(NamedTuple):
    """The verdict line and the tokens of the two verdicts behind it, as texts."""

    line: str
    yes: str
    no: str


def scoring_by(
    environment: Environment, genrm_dir: Path, prompts: Prompts, section: Section, run_seed: int
) -> Drawing[Candidate, Verification]:
    """By the server that the environment names, else by this project's own loop."""
    settings: dict[str, Any] = {"prompts": prompts, "section": section, "run_seed": run_seed}
    if environment.sampling_url:
        served = find_served(environment, environment.sampling_url, genrm_dir, POLICY)
        score = partial(verify_served, served, environment=environment, **settings)
        return Drawing(score, served_shard_size(environment, section.num_chains), "machine")
    rows = environment.sampling_rows
    own = partial(verify, genrm_dir, rows=rows, **settings)
    return Drawing(own, shard_size(section.num_chains, rows), decoded_by(genrm_dir))


def verify_served(
    served: Served,
    candidates: Sequence[Candidate],
    prompts: Prompts,
    section: Section,
    run_seed: int,
    *,
    environment: Environment,
) -> list[Verification]:
    """As `verify`. Raises EndpointError, also where the server gives no log-probabilities; VerdictTokenError."""
    words = verdict_words(served.folder)
    endpoint = Endpoint.of(environment, served.url, served.remedy)
    each = section.num_chains
    questions = [
        Question(
            model=served.model,
            messages=tuple(
                (turn["role"], turn["content"])
                for turn in verification_messages(problem.question, solution.text, prompts)
            ),
            temperature=section.temperature,
            top_p=section.top_p,
            max_new_tokens=section.max_new_tokens,
            seed=sample_seed(run_seed, solution.id, k),
            weights=served.weights,
            watched=(words.yes, words.no),
        )
        for problem, solution, _ in candidates
        for k in range(each)
    ]
    replies = endpoint.ask(questions)
    silent = sum(reply.watched is None and bool(reply.text) for reply in replies)
    if silent:
        raise EndpointError(
            f"{served.server} at {served.url} gave {silent} of {len(replies)} chains without log-probabilities, from "
            "which P(Yes) is read; start it so that it gives 20 a token (vLLM: --max-logprobs 20), or unset "
            "PROOFLINE_SAMPLING_URL to draw chains here"
        )
    return [
        _row(candidate, replies[at * each : (at + 1) * each], words, served.server)
        for at, candidate in enumerate(candidates)
    ]


def _row(candidate: Candidate, chains: Sequence[Reply], words: Words, server: str) -> Verification:
    problem, solution, label = candidate
    scores = tuple(stated_p_yes(chain.watched or (), words) for chain in chains)
    return Verification(
        solution_id=solution.id,
        problem_id=problem.id,
        label=label,
        p_yes=mean_p_yes(scores),
        p_yes_per_chain=scores,
        chains=tuple(chain.text for chain in chains),
        tokens_per_chain=tuple(chain.completion_tokens or 0 for chain in chains),
        server=server,
    )


def stated_p_yes(drawn: Sequence[Drawn], words: Words) -> float:
    """P(Yes) / (P(Yes) + P(No)) at the last verdict that directly follows its line; NaN where there is none."""
    for one in reversed(drawn):
        if one.line.endswith(words.line):
            yes, no = (math.exp(one.logprobs.get(word, -math.inf)) for word in (words.yes, words.no))
            return yes / (yes + no)
    return math.nan


def verdict_words(genrm_dir: Path) -> Words:
    """What the verifier's tokenizer makes of the verdicts' tokens. Raises VerdictTokenError."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(genrm_dir, trust_remote_code=False)
    line, yes, no, _ = verdict_tokens(tokenizer)
    text = tokenizer.decode(line)
    return Words(text, *(tokenizer.decode([*line, word]).removeprefix(text) for word in (yes, no)))
