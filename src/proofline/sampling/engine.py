"""The decoding loop: many samples of many prompts through one model, with no row waiting for another.

In: token ids of prompts and the seeds of their samples. Out: completions, in the order they finish. A prompt is
prefilled once and its keys and values are copied for each of its samples; a finished row leaves at once and the next
sample takes its place. A sample depends on its own prompt, seed and decoding alone. Matrix products of other shapes may
round differently, so with another batch size or order the logits of a row move by about 1e-5 (fp32), which flips a
token with a chance of that size (see `draw`; tests/sampling holds the bound). Works for the decoder-only models of
transformers whose layers attend to keys and values, all of them or a sliding window; `base.fitting` tries a model out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from transformers import DynamicCache

from proofline.records import Decoding
from proofline.sampling.loop import Loop, Prompt, round_up
from proofline.sampling.request import Completion, Request
from proofline.sampling.rows import EXACT, Rows, Stepping
from proofline.sampling.slots import ATTENTION
from proofline.tracking.progress import count

if TYPE_CHECKING:
    from transformers import PretrainedConfig, PreTrainedModel

PREFILL_PROMPTS = 32
ATTENDING = {"full_attention", "sliding_attention"}
"""Kinds of layers whose past is keys and values; a hybrid's others keep a state that rows of this loop have not."""


class LayersError(ValueError):
    """A model with layers that the decoding loop cannot step."""


class Engine:
    """A model, ready to decode `rows` sequences at a time."""

    def __init__(self, model: PreTrainedModel, end_ids: Sequence[int], rows: int, stepping: Stepping = EXACT) -> None:
        refuse_layers(model.config)
        self.model = model.eval()
        self.end_ids = set(end_ids)
        self.rows = rows
        self.stepping = stepping
        self._held: tuple[object, Rows] | None = None

    @torch.inference_mode()
    def generate(
        self, requests: Sequence[Request], decoding: Decoding, track_token_ids: Sequence[int] = ()
    ) -> Iterator[Completion]:
        """Yield a completion for every seed of every request, in the order they finish."""
        longest = max((len(request.prompt_ids) for request in requests), default=1)
        rows = self._rows(longest + decoding.max_new_tokens, decoding, track_token_ids)
        loop = Loop(rows, self.rows, self.stepping)
        # Like lengths together: the attended length is that of the longest row.
        queue = deque(sorted(requests, key=lambda request: (len(request.prompt_ids), request.key)))
        ready: deque[Prompt] = deque()
        while queue or ready or loop.active:
            while loop.active < self.rows and (queue or ready):
                if not ready:
                    ready += self._prefill([queue.popleft() for _ in range(min(PREFILL_PROMPTS, len(queue)))])
                loop.admit(ready)
            yield from loop.leave()
            if loop.active:
                loop.advance()
                count(tokens=loop.active * self.stepping.steps_per_look)
                yield from loop.leave()

    def _rows(self, capacity: int, decoding: Decoding, track: Sequence[int]) -> Rows:
        """Rows of at least that capacity: those of the call before where they are alike, with their graphs."""
        capacity = round_up(capacity, self.stepping.length_multiple)
        alike = (capacity, decoding, tuple(track))
        if self._held is None or self._held[0] != alike:
            self._held = None  # its memory is given back before the new rows ask for theirs
            rows = Rows(self.model, sorted(self.end_ids), self.rows, capacity, decoding, track, self.stepping)
            self._held = (alike, rows)
        self._held[1].free(self._held[1].every)
        return self._held[1]

    def _prefill(self, requests: Sequence[Request]) -> list[Prompt]:
        """Run the prompts through the model once, padded behind: what follows a token does not reach it."""
        lengths = [len(request.prompt_ids) for request in requests]
        ids = torch.zeros(len(requests), max(lengths), dtype=torch.long)
        for row, request in enumerate(requests):
            ids[row, : lengths[row]] = torch.as_tensor(request.prompt_ids)
        last = torch.as_tensor(lengths) - 1
        at = torch.arange(len(requests)), last.to(self.model.device)
        self.model.set_attn_implementation(prefill_attention(self.model))
        # The head reads each prompt's last position alone; what a model does to its logits behind it stays its own.
        hook = self.model.get_output_embeddings().register_forward_pre_hook(lambda _, given: (given[0][at],))
        with hook:
            # Without a configuration the cache keeps all positions of layers with a window, the padding's too.
            cache = DynamicCache()
            out = self.model(input_ids=ids.to(self.model.device), past_key_values=cache, use_cache=True)
        logits = out.logits.float()
        keys = torch.stack([layer.keys for layer in cache.layers])
        values = torch.stack([layer.values for layer in cache.layers])
        self.model.set_attn_implementation(ATTENTION)
        return [
            Prompt(
                request, keys[:, row, :, : lengths[row]], values[:, row, :, : lengths[row]], logits[row],
                deque(range(len(request.seeds))),
            )
            for row, request in enumerate(requests)
        ]  # fmt: skip


def refuse_layers(config: PretrainedConfig) -> None:
    """Raises LayersError where some layers do not attend to keys and values (Mamba, linear or chunked attention)."""
    if other := sorted(set(getattr(config, "layer_types", None) or []) - ATTENDING):
        raise LayersError(
            f"{config.model_type} has layers of the kind {', '.join(other)}; the decoding loop steps those with full "
            "attention or a sliding window: take a model that has no others"
        )


def prefill_attention(model: PreTrainedModel) -> str:
    """The attention that a model reads a whole prompt with: PyTorch's own where the model has it (Gemma 2 has not)."""
    return "sdpa" if model._supports_sdpa else "eager"
