"""Solutions drawn by an OpenAI-compatible server (vLLM, SGLang) that serves a policy's weights.

In: the policy's folder, which names its weights, and problems. Out: Solution records as of the own decoding loop, but
for `server`. Where they are drawn is the environment's choice and changes no recipe; yet whether a server keeps to the
seeds it is given is its own affair, so each row says who drew it, and certificates do not call such rows identical.
The chat template is applied by the server, from the tokenizer of the folder that it serves.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from proofline.config.environment import Environment
from proofline.config.schema import Prompts
from proofline.data.examples import NO_EXAMPLES, Examples, shown_before
from proofline.data.prompts import solution_messages
from proofline.endpoint import Endpoint, Question
from proofline.endpoint.served import server_name
from proofline.records import Decoding, Problem, Solution, stable_id
from proofline.sampling.policy import decoded_by, sample_solutions, shard_size
from proofline.sampling.seeds import sample_seed
from proofline.storage.weights import weights_hash

Item = TypeVar("Item")
Row = TypeVar("Row")

ROUNDS_OF_REQUESTS = 64
"""Requests of a shard for each that is under way at once: a shard ends with a few stragglers."""


class Served(NamedTuple):
    """A policy behind a server."""

    url: str
    folder: Path
    """Where its weights lie here."""
    weights: str
    """Their hash."""
    model: str
    """Its name there."""
    server: str = ""
    """The server's name and version."""

    @property
    def remedy(self) -> str:
        return (
            f"Serve {self.folder} there (`vllm serve {self.folder} --served-model-name {self.model} "
            "--generation-config vllm`), or check PROOFLINE_SAMPLING_URL, PROOFLINE_SAMPLING_MODEL and OPENAI_API_KEY, "
            "or unset the first to sample here."
        )


class Drawing(NamedTuple, Generic[Item, Row]):
    """How `launch.spread` is to draw."""

    function: Callable[[Sequence[Item]], list[Row]]
    shard_size: int
    each: Literal["core", "process", "machine"]


def drawing_by(
    environment: Environment, folder: Path, policy: str, *, num_samples: int, **settings: Any
) -> Drawing[Problem, Solution]:
    """By the server that the environment names, else by this project's own loop. `settings`: as of either function."""
    settings = {"num_samples": num_samples, **settings}
    if environment.sampling_url:
        served = find_served(environment, environment.sampling_url, folder, policy)
        sample = partial(sample_served, served, policy, environment=environment, **settings)
        return Drawing(sample, served_shard_size(environment, num_samples), "machine")
    rows = environment.sampling_rows
    own = partial(sample_solutions, folder, policy, rows=rows, **settings)
    return Drawing(own, shard_size(num_samples, rows), decoded_by(folder))


def served_shard_size(environment: Environment, samples_per_item: int) -> int:
    """Items of a shard, for so many samples of each."""
    return max(1, ROUNDS_OF_REQUESTS * environment.endpoint_requests // samples_per_item)


def find_served(environment: Environment, url: str, folder: Path, policy: str) -> Served:
    """What the environment says of a policy's server, and the server of itself. Raises EndpointError."""
    weights = weights_hash(folder)
    model = environment.sampling_model.format(policy=policy, weights=weights)
    served = Served(url, folder, weights, model)
    return served._replace(server=environment.sampling_server or server_name(url, served.remedy))


def sample_served(
    served: Served,
    policy: str,
    problems: Sequence[Problem],
    prompts: Prompts,
    decoding: Decoding,
    num_samples: int,
    run_seed: int,
    *,
    environment: Environment,
    examples: Examples = NO_EXAMPLES,
) -> list[Solution]:
    """`num_samples` solutions of each problem, in order. Raises EndpointError, with how the server is to be started."""
    endpoint = Endpoint.of(environment, served.url, served.remedy)
    drawn = [(problem, index) for problem in problems for index in range(num_samples)]
    seeds = [sample_seed(run_seed, problem.id, index) for problem, index in drawn]
    chats = {one.id: solution_messages(one.question, prompts, shown_before(one, examples)) for one in problems}
    ids = {one.id: tuple(example.id for example in shown_before(one, examples)) for one in problems}
    questions = [
        Question(
            model=served.model,
            messages=tuple((turn["role"], turn["content"]) for turn in chats[problem.id]),
            temperature=decoding.temperature,
            top_p=decoding.top_p,
            max_new_tokens=decoding.max_new_tokens,
            seed=seed,
            logprobs=True,
            weights=served.weights,
        )
        for (problem, _), seed in zip(drawn, seeds, strict=True)
    ]
    return [
        Solution(
            id=stable_id(served.weights, problem.id, decoding.model_dump(), seed, served.server, *ids[problem.id]),
            problem_id=problem.id,
            policy=policy,
            weights=served.weights,
            decoding=decoding,
            sample_index=index,
            seed=seed,
            text=reply.text,
            num_tokens=reply.completion_tokens or 0,
            logprob=math.nan if reply.logprob is None else reply.logprob,
            finished=reply.finish == "stop",
            server=served.server,
            examples=ids[problem.id],
        )
        for (problem, index), seed, reply in zip(drawn, seeds, endpoint.ask(questions), strict=True)
    ]
