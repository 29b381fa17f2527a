"""Chat rows -> token ids, once and in one batch, before a trainer sees them.

The prompt and the completion are tokenised apart, because that is how they meet at sampling time: the prompt's
tokens are given, the completion's are drawn one by one. The completion ends in the template's end-of-turn token;
what the template writes after it is never asked for, so it is not trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from proofline.data.prompts import Message
from proofline.data.turns import encode_completions, encode_prompts

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

IGNORED = -100
"""Label of a token that carries no loss (PyTorch's `ignore_index`)."""


class TrainingDataError(ValueError):
    """The rows given cannot be trained on."""


class TokenRow(NamedTuple):
    """One row: loss is on the completion only."""

    prompt_ids: list[int]
    completion_ids: list[int]
    muted: bool = False
    """Keeps its place in the steps and its part of what their loss is divided by, but has no loss: the model is given
    its first token alone, since rows of one batch have to be equally many."""

    @property
    def input_ids(self) -> list[int]:
        return self.prompt_ids[:1] if self.muted else self.prompt_ids + self.completion_ids

    @property
    def labels(self) -> list[int]:
        return [IGNORED] if self.muted else [IGNORED] * len(self.prompt_ids) + self.completion_ids

    @property
    def num_tokens(self) -> int:
        """Of prompt and completion, also where the model is not given them."""
        return len(self.prompt_ids) + len(self.completion_ids)


def encode_rows(
    tokenizer: PreTrainedTokenizerBase, prompts: Sequence[list[Message]], completions: Sequence[str]
) -> list[TokenRow]:
    """Tokenise aligned prompts and completions through the tokenizer's chat template."""
    if not prompts:
        return []
    ids = zip(encode_prompts(tokenizer, prompts), encode_completions(tokenizer, completions), strict=True)
    return [TokenRow(*both) for both in ids]


def drop_longer(rows: Sequence[TokenRow], max_length: int, what: str) -> list[TokenRow]:
    """The rows of at most `max_length` tokens. Nothing is ever cut: half a solution teaches a wrong end."""
    kept = [row for row in rows if row.num_tokens <= max_length]
    refuse_empty(kept, rows, max_length, what)
    return kept


def refuse_empty(kept: Sequence[object], rows: Sequence[object], max_length: int, what: str) -> None:
    """Training on nothing is an error, told apart by its cause."""
    if not rows:
        raise TrainingDataError(f"There are no {what} to train on. Run the stage that builds them and read its counts.")
    if not kept:
        raise TrainingDataError(
            f"All {len(rows)} {what} are longer than max_length = {max_length} tokens. Raise max_length in params.yaml."
        )
