"""Proofline's side of the cross-check: what the stage `evaluate` calls, greedily, with the tokens kept.

In: a model's folder, problems, a prompt, decoding. Out: solutions, and the tokens of their prompts and of themselves.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from proofline.config.schema import Prompts
from proofline.data.published import BENCHMARKS
from proofline.data.subset import subset
from proofline.records import Decoding, Problem, Solution
from proofline.storage.records import read_records
from proofline.storage.tables import read_table


@dataclass
class Noted:
    """Stands in for the engine, and notes the tokens."""

    engine: Any
    prompt_ids: dict[str, list[int]] = field(default_factory=dict)
    token_ids: dict[str, list[int]] = field(default_factory=dict)

    @property
    def model(self) -> Any:
        return self.engine.model

    def generate(self, requests: Sequence[Any], decoding: Decoding) -> Iterator[Any]:
        self.prompt_ids |= {request.key: list(request.prompt_ids) for request in requests}
        for completion in self.engine.generate(requests, decoding):
            self.token_ids[completion.key] = completion.token_ids
            yield completion


@dataclass(frozen=True)
class Ours:
    """Solutions, in the order of the problems, and how they came to be."""

    solutions: list[Solution]
    noted: Noted
    tokenizer: Any

    @property
    def ends(self) -> list[int]:
        """The tokens that end a solution."""
        return sorted(self.noted.engine.end_ids)

    def tokens(self, solution: Solution) -> list[int]:
        """Those drawn, with an end token where it ended by itself."""
        end = [self.tokenizer.eos_token_id] if solution.finished else []
        return [*self.noted.token_ids[solution.problem_id], *end]

    def decode(self, token_ids: Sequence[int]) -> str:
        return str(self.tokenizer.decode(token_ids))

    def largest(self, token_ids: Sequence[int]) -> list[tuple[str, float]]:
        """The two tokens with the largest logits behind these, all computed at once."""
        import torch

        model = self.noted.engine.model
        model.set_attn_implementation("sdpa")
        with torch.inference_mode():
            logits, tokens = model(input_ids=torch.tensor([token_ids])).logits[0, -1].float().topk(2)
        return [(self.decode([int(token)]), float(logit)) for token, logit in zip(tokens, logits, strict=True)]


def answer(model: Path, problems: Sequence[Problem], prompts: Prompts, decoding: Decoding, rows: int) -> Ours:
    """Solutions by the project's own decoding loop, in this process."""
    from proofline.sampling.policy import load_sampler, sample_solutions

    sampler = load_sampler(model, rows)
    noted = Noted(sampler.engine)
    watched = replace(sampler, engine=noted)
    drawn = sample_solutions(model, model.name, problems, prompts, decoding, 1, 0, rows=rows, sampler=watched)
    return Ours(drawn, noted, sampler.tokenizer)


def read_problems(path: Path, limit: int | None) -> list[Problem]:
    """Problems as `prepare` wrote them, or rows of a published set's file (`gsm8k_test…`, `math_test…`)."""
    source = BENCHMARKS.get(path.name.split("_")[0])
    if source is None:
        return subset(read_records(path, Problem), limit)
    rows = read_table(str(path.parent), path.name.split(".")[0])
    return subset([source.to_problem(row, "test") for row in rows], limit)
