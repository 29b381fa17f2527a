"""A policy folder and problems -> Solution records, in the order of the problems and their sample indices.

Imports torch where it decodes: a stage whose processes do that needs none itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from proofline.config.schema import Prompts
from proofline.data.examples import NO_EXAMPLES, Examples, shown_before
from proofline.data.prompts import Message, solution_messages
from proofline.data.turns import encode_prompts, turn_frame
from proofline.records import Decoding, Problem, Solution, stable_id
from proofline.sampling.request import Completion, Request, no_completion
from proofline.sampling.seeds import sample_seed
from proofline.storage.weights import weights_hash

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

    from proofline.sampling.engine import Engine

ROUNDS_OF_ROWS = 2
"""How often all rows are filled in a shard. Rounding depends on what a sample was decoded with, so shards are cut the
same way on one process and on sixty-four. On one thread shards of 2 rounds decode 10.9k tokens/s, of 8 rounds 11.0k."""
OF_ONE_CORE_BYTES = 64 * 2**20
"""Weights up to this size are decoded by processes of one thread, each with a copy: threads would spend their time
waiting for each other (two processes of one thread draw 23.5k tokens/s, one of two threads 15.1k). Larger ones are
packed (`packed`), which gains nothing here: at 0.87M parameters a step is not its products."""


@dataclass(frozen=True)
class Sampler:
    """A policy loaded for decoding."""

    engine: Engine
    tokenizer: PreTrainedTokenizerBase
    weights: str
    """Hash of the weights."""

    def encode(self, chats: Sequence[list[Message]]) -> list[list[int]]:
        """Token ids of the prompts, up to where the assistant begins."""
        return encode_prompts(self.tokenizer, chats)


def load_sampler(policy_dir: Path, rows: int) -> Sampler:
    """Load model and tokenizer; on a CPU in fp32, since small matrix products gain nothing from bf16 there."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    from proofline.sampling.engine import Engine
    from proofline.sampling.packed import pack
    from proofline.sampling.rows import EXACT, GRAPHS

    device = "cuda" if torch.cuda.is_available() else "cpu"
    dtype = torch.bfloat16 if device == "cuda" else torch.float32
    weights = weights_hash(policy_dir)  # first: it refuses a folder that leads elsewhere
    model = AutoModelForCausalLM.from_pretrained(
        policy_dir, dtype=dtype, use_safetensors=True, trust_remote_code=False
    ).to(device)  # fmt: skip
    if decoded_by(policy_dir) == "process":
        pack(model)
    tokenizer = AutoTokenizer.from_pretrained(policy_dir, trust_remote_code=False)
    ends = model.generation_config.eos_token_id
    turn_end = turn_frame(tokenizer)[1]
    end_ids = {tokenizer.eos_token_id, turn_end, *(ends if isinstance(ends, list) else [ends])} - {None}
    stepping = GRAPHS if device == "cuda" else EXACT
    return Sampler(Engine(model, sorted(end_ids), rows, stepping), tokenizer, weights)


def shared_sampler(policy_dir: Path, rows: int) -> Sampler:
    """The policy's sampler, loaded and hashed once in this process for all the shards of a stage.

    A folder that has been replaced is loaded again: it is known by its files' sizes, times and inodes, which costs
    no reading. Only the last policy asked for is kept.
    """
    files = sorted(policy_dir.absolute().iterdir())
    stats = [(file.name, file.stat()) for file in files]
    identity = tuple((name, stat.st_size, stat.st_mtime_ns, stat.st_ino) for name, stat in stats)
    return _shared_sampler(policy_dir.absolute(), identity, rows)


@lru_cache(maxsize=1)
def _shared_sampler(policy_dir: Path, identity: tuple[object, ...], rows: int) -> Sampler:
    return load_sampler(policy_dir, rows)


def shard_size(samples_per_item: int, rows: int) -> int:
    """Items (problems, candidates) of a shard, for so many samples of each and so many decoded together."""
    return max(1, ROUNDS_OF_ROWS * rows // samples_per_item)


def decoded_by(policy_dir: Path) -> Literal["core", "process"]:
    """What decodes a shard with this policy: see `launch.spread`."""
    size = sum(file.stat().st_size for file in policy_dir.glob("*.safetensors"))
    return "core" if size <= OF_ONE_CORE_BYTES else "process"


def sample_solutions(
    policy_dir: Path,
    policy: str,
    problems: Sequence[Problem],
    prompts: Prompts,
    decoding: Decoding,
    num_samples: int,
    run_seed: int,
    *,
    rows: int,
    examples: Examples = NO_EXAMPLES,
    sampler: Sampler | None = None,
) -> list[Solution]:
    """`num_samples` solutions of each problem: of all, or of one shard of them. Without a `sampler`, the shared one.

    A prompt that leaves the model no room for `max_new_tokens` is not put to it: its solutions are empty, cut off
    before their first token.
    """
    sampler = sampler or shared_sampler(policy_dir, rows)
    seeds = [[sample_seed(run_seed, problem.id, i) for i in range(num_samples)] for problem in problems]
    shown = {problem.id: shown_before(problem, examples) for problem in problems}
    encoded = sampler.encode([solution_messages(one.question, prompts, shown[one.id]) for one in problems])
    requests = [Request(p.id, ids, s) for p, ids, s in zip(problems, encoded, seeds, strict=True)]
    completions = _completed(sampler.engine, requests, decoding)
    texts = sampler.tokenizer.batch_decode([completion.token_ids for completion in completions])
    order = {problem.id: i for i, problem in enumerate(problems)}
    ids = {key: tuple(example.id for example in rows) for key, rows in shown.items()}
    solutions = [
        Solution(
            id=stable_id(sampler.weights, completion.key, decoding.model_dump(), completion.seed, *ids[completion.key]),
            problem_id=completion.key,
            policy=policy,
            weights=sampler.weights,
            decoding=decoding,
            sample_index=completion.sample_index,
            seed=completion.seed,
            text=text,
            num_tokens=len(completion.token_ids),
            logprob=completion.logprob,
            finished=completion.finished,
            examples=ids[completion.key],
        )
        for completion, text in zip(completions, texts, strict=True)
    ]
    return sorted(solutions, key=lambda solution: (order[solution.problem_id], solution.sample_index))


def _completed(engine: Engine, requests: Sequence[Request], decoding: Decoding) -> list[Completion]:
    """All samples: drawn ones, and empty ones of the prompts that leave no room."""
    room = engine.model.config.max_position_embeddings - decoding.max_new_tokens
    fitting = [request for request in requests if len(request.prompt_ids) <= room]
    crowded = [request for request in requests if len(request.prompt_ids) > room]
    empty = [no_completion(request, index) for request in crowded for index in range(len(request.seeds))]
    return [*engine.generate(fitting, decoding), *empty]
