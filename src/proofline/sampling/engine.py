"""The decoding loop: many samples of many prompts through one model, with no row waiting for another.

In: token ids of prompts and the seeds of their samples. Out: completions, in the order they finish. A prompt is
prefilled once and its keys and values are copied for each of its samples; a finished row leaves at once and the next
sample takes its place. A sample depends on its own prompt, seed and decoding alone. Matrix products of other shapes may
round differently, so with another batch size or order the logits of a row move by about 1e-5 (fp32), which flips a
token with a chance of that size (see `draw`; tests/sampling holds the bound). Works for every decoder-only model of
transformers whose layers all have full attention.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch

from proofline.records import Decoding
from proofline.sampling.draw import draw
from proofline.sampling.seeds import uniforms
from proofline.sampling.slots import ATTENTION, Slots

if TYPE_CHECKING:
    from transformers import PreTrainedModel

PREFILL_PROMPTS = 32


@dataclass(frozen=True)
class Request:
    """One prompt and the seeds of its samples."""

    key: str
    prompt_ids: Sequence[int]
    seeds: Sequence[int]


@dataclass(frozen=True)
class Completion:
    """One sample."""

    key: str
    sample_index: int
    seed: int
    token_ids: list[int]
    """Without the end token."""
    logprob: float
    """Sum over the drawn tokens, the end token included, at temperature 1."""
    finished: bool
    tracked: np.ndarray = field(repr=False)
    """Log-probabilities (nats, temperature 1) of the tracked tokens where each token was drawn, (T, n)."""


@dataclass
class _Row:
    """A sample in the making."""

    request: Request
    sample_index: int
    token_ids: list[int] = field(default_factory=list)
    tracked: list[np.ndarray] = field(default_factory=list)
    logprob: float = 0.0
    done: bool = False


@dataclass
class _Prompt:
    """A prefilled prompt: keys and values (layers, kv_heads, T, head_dim), last logits (V,), samples still to start."""

    request: Request
    keys: torch.Tensor
    values: torch.Tensor
    logits: torch.Tensor
    waiting: deque[int]


class Engine:
    """A model, ready to decode `rows` sequences at a time."""

    def __init__(self, model: PreTrainedModel, end_ids: Sequence[int], rows: int) -> None:
        if "sliding_attention" in getattr(model.config, "layer_types", []):
            raise ValueError(
                f"{model.config.model_type} has sliding-window layers; the decoding loop reads full attention"
            )
        self.model = model.eval()
        self.end_ids = set(end_ids)
        self.rows = rows

    @torch.inference_mode()
    def generate(
        self, requests: Sequence[Request], decoding: Decoding, track_token_ids: Sequence[int] = ()
    ) -> Iterator[Completion]:
        """Yield a completion for every seed of every request, in the order they finish."""
        longest = max((len(request.prompt_ids) for request in requests), default=1)
        loop = _Loop(self, longest + decoding.max_new_tokens, decoding, track_token_ids)
        # Like lengths together: the attended length is that of the longest row.
        queue = deque(sorted(requests, key=lambda request: (len(request.prompt_ids), request.key)))
        ready: deque[_Prompt] = deque()
        while queue or ready or loop.active:
            while loop.active < self.rows and (queue or ready):
                if not ready:
                    ready += self._prefill([queue.popleft() for _ in range(min(PREFILL_PROMPTS, len(queue)))])
                loop.admit(ready)
            yield from loop.leave()
            if loop.active:
                loop.step()
                yield from loop.leave()

    def _prefill(self, requests: Sequence[Request]) -> list[_Prompt]:
        """Run the prompts through the model once, padded behind: what follows a token does not reach it."""
        lengths = [len(request.prompt_ids) for request in requests]
        ids = torch.zeros(len(requests), max(lengths), dtype=torch.long)
        for row, request in enumerate(requests):
            ids[row, : lengths[row]] = torch.as_tensor(request.prompt_ids)
        last = torch.as_tensor(lengths) - 1
        self.model.set_attn_implementation("sdpa")
        out = self.model.model(input_ids=ids.to(self.model.device), use_cache=True)
        hidden = out.last_hidden_state[torch.arange(len(requests)), last.to(self.model.device)]
        logits = self.model.lm_head(hidden).float()
        keys = torch.stack([layer.keys for layer in out.past_key_values.layers])
        values = torch.stack([layer.values for layer in out.past_key_values.layers])
        self.model.set_attn_implementation(ATTENTION)
        return [
            _Prompt(
                request, keys[:, row, :, : lengths[row]], values[:, row, :, : lengths[row]], logits[row],
                deque(range(len(request.seeds))),
            )
            for row, request in enumerate(requests)
        ]  # fmt: skip


class _Loop:
    """The rows being decoded: rows 0 to active-1 of the slots, each at its own position."""

    def __init__(self, engine: Engine, capacity: int, decoding: Decoding, track: Sequence[int]) -> None:
        self.model, self.end_ids = engine.model, engine.end_ids
        self.decoding = decoding
        self.track = torch.as_tensor(track, dtype=torch.long, device=self.model.device)
        self.slots = Slots(engine.model, engine.rows, capacity)
        self.states: list[_Row] = []
        self.rows = engine.rows
        self.lengths = np.zeros(engine.rows, dtype=np.int64)
        self.drawn = np.zeros(engine.rows, dtype=np.int64)
        self.seeds = np.zeros(engine.rows, dtype=np.uint64)
        self.last = np.zeros(engine.rows, dtype=np.int64)
        self.offsets = torch.arange(capacity, device=self.model.device)

    @property
    def active(self) -> int:
        return len(self.states)

    def admit(self, ready: deque[_Prompt]) -> None:
        """Start samples of the first ready prompt in the free rows, and draw their first tokens."""
        prompt = ready[0]
        count = min(self.rows - self.active, len(prompt.waiting))
        start = self.active
        rows = torch.arange(start, start + count, device=self.model.device)
        self.slots.fill(rows, prompt.keys[:, None], prompt.values[:, None])
        for row in range(start, start + count):
            index = prompt.waiting.popleft()
            self.states.append(_Row(prompt.request, index))
            self.seeds[row] = prompt.request.seeds[index]
        self.lengths[start : start + count] = prompt.keys.shape[2]
        self.drawn[start : start + count] = 0
        self._take(prompt.logits.expand(count, -1), start)
        if not prompt.waiting:
            ready.popleft()

    def step(self) -> None:
        """One token for every row."""
        count, device = self.active, self.model.device
        positions = torch.from_numpy(self.lengths[:count]).to(device)
        length = int(self.lengths[:count].max()) + 1
        hidden = self.offsets[:length] > positions[:, None]
        mask = torch.zeros(hidden.shape, dtype=self.model.dtype, device=device).masked_fill_(hidden, -torch.inf)
        self.slots.aim(positions, length)
        out = self.model(
            input_ids=torch.from_numpy(self.last[:count, None]).to(device),
            position_ids=positions[:, None],
            attention_mask={"full_attention": mask[:, None, None]},
            past_key_values=self.slots,
            use_cache=True,
        )
        self.lengths[:count] += 1
        self._take(out.logits[:, -1].float(), 0)

    def _take(self, logits: torch.Tensor, start: int) -> None:
        """Draw a token for the rows from `start` on and note what it was."""
        stop = start + logits.shape[0]
        uniform = torch.from_numpy(uniforms(self.seeds[start:stop], self.drawn[start:stop])).to(logits.device)
        tokens = draw(logits, uniform, self.decoding.temperature, self.decoding.top_p)
        logprobs = logits.log_softmax(-1)
        chosen = logprobs.gather(-1, tokens[:, None])[:, 0].tolist()
        tracked = logprobs[:, self.track].cpu().numpy() if len(self.track) else None
        self.last[start:stop] = tokens.cpu().numpy()
        self.drawn[start:stop] += 1
        for offset, token in enumerate(self.last[start:stop].tolist()):
            row = self.states[start + offset]
            row.logprob += chosen[offset]
            if token in self.end_ids:
                row.done = True
            else:
                row.token_ids.append(token)
                if tracked is not None:
                    row.tracked.append(tracked[offset])

    def leave(self) -> Iterator[Completion]:
        """Take finished rows out; the last rows move into their places."""
        limit = self.decoding.max_new_tokens
        leaving = [i for i, row in enumerate(self.states) if row.done or len(row.token_ids) >= limit]
        if not leaving:
            return
        gone = [self.states[i] for i in leaving]
        keep = self.active - len(leaving)
        holes = [i for i in leaving if i < keep]
        movers = [i for i in range(keep, self.active) if i not in set(leaving)]
        if holes:
            length = int(self.lengths[movers].max())
            self.slots.move(torch.as_tensor(movers), torch.as_tensor(holes), length)
            for hole, mover in zip(holes, movers, strict=True):
                self.states[hole] = self.states[mover]
            for array in (self.lengths, self.drawn, self.seeds, self.last):
                array[holes] = array[movers]
        del self.states[keep:]
        for row in gone:
            yield Completion(
                row.request.key, row.sample_index, int(row.request.seeds[row.sample_index]), row.token_ids, row.logprob,
                row.done, np.asarray(row.tracked, dtype=np.float32).reshape(len(row.token_ids), len(self.track)),
            )  # fmt: skip
