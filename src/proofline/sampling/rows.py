"""The rows being decoded, on the device: what each has drawn, and one step of all of them.

Every shape of a step follows from two numbers, the rows stepped and the positions attended to, and nothing in it waits
for the host: on a GPU it is captured once per pair as a CUDA graph and replayed. A row that has ended, or is free,
rides along: it computes, and nothing of it is kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from proofline.records import Decoding
from proofline.sampling.draw import draw
from proofline.sampling.graphs import Graphs
from proofline.sampling.seeds import uniforms
from proofline.sampling.slots import Slots

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True)
class Stepping:
    """How shapes are rounded up, and how often the host looks for rows that have ended."""

    halving: bool = False
    """Step `rows`, a half, a quarter, …, instead of exactly the rows in use."""
    length_multiple: int = 1
    """Attended positions are rounded up to a multiple of it."""
    steps_per_look: int = 1
    """Steps between two looks; a row that has ended waits for the next one."""
    graphs: bool = False
    """Replay steps as CUDA graphs."""


EXACT = Stepping()
"""For a CPU, which computes what it is given and waits for nobody."""
STATIC = Stepping(halving=True, length_multiple=64, steps_per_look=4)
"""Few shapes, rare looks: a waiting row costs at most 3 steps of some hundred, a look about one step's launches."""
GRAPHS = Stepping(halving=True, length_multiple=64, steps_per_look=4, graphs=True)
FEWEST_ROWS = 16
"""Rows are not halved below it: a step is bound by reading the weights long before."""


class Rows:
    """State of `rows` samples; a row's token t is `tokens[row, t]`, its next key goes to `lengths[row]`."""

    def __init__(
        self, model: PreTrainedModel, ends: Sequence[int], rows: int, capacity: int, decoding: Decoding,
        track: Sequence[int], stepping: Stepping,
    ) -> None:  # fmt: skip
        device = model.device
        self.model, self.decoding, self.limit = model, decoding, decoding.max_new_tokens
        self.slots = Slots(model, rows, capacity)
        self.ends = torch.as_tensor(ends, device=device)
        self.track = torch.as_tensor(track, dtype=torch.long, device=device)
        self.offsets = torch.arange(capacity, device=device)
        self.every = torch.arange(rows, device=device)
        self.last, self.lengths, self.seeds = (torch.zeros(rows, dtype=torch.long, device=device) for _ in range(3))
        self.drawn = torch.full_like(self.last, self.limit)
        self.ended = torch.zeros(rows, dtype=torch.bool, device=device)
        self.logprob = torch.zeros(rows, dtype=torch.float64, device=device)
        self.tokens = torch.zeros(rows, self.limit, dtype=torch.long, device=device)
        self.tracked = torch.zeros(rows, self.limit, len(track), device=device)
        self.state = (
            self.last, self.lengths, self.seeds, self.drawn, self.ended, self.logprob, self.tokens, self.tracked
        )  # fmt: skip
        self.graphs = Graphs(self.state) if stepping.graphs else None

    def begin(self, at: torch.Tensor, length: int, seeds: torch.Tensor, logits: torch.Tensor) -> None:
        """Start samples of a prompt of `length` tokens in the rows `at`, (n,), and draw their first tokens."""
        self.seeds[at], self.lengths[at], self.drawn[at] = seeds, length, 0
        self.ended[at], self.logprob[at] = False, 0.0
        self._take(logits, at, torch.ones_like(at, dtype=torch.bool))

    def free(self, at: torch.Tensor) -> None:
        """Rows that hold no sample ride along as if at their limit."""
        self.drawn[at] = self.limit

    def move(self, source: torch.Tensor, target: torch.Tensor, length: int) -> None:
        """Copy samples of at most `length` positions over other rows."""
        self.slots.move(source, target, length)
        for part in self.state:
            part[target] = part[source]

    def step(self, count: int, length: int) -> None:
        """One token for each of the first `count` rows, attending to the first `length` positions."""
        if self.graphs is None:
            self._step(count, length)
        else:
            self.graphs.replay(self._step, count, length)

    def _step(self, count: int, length: int) -> None:
        at, positions = self.every[:count], self.lengths[:count]
        live = ~self.ended[:count] & (self.drawn[:count] < self.limit)
        hidden = self.offsets[:length] > positions[:, None]
        mask = torch.zeros(hidden.shape, dtype=self.model.dtype, device=hidden.device).masked_fill_(hidden, -torch.inf)
        self.slots.aim(positions, length)
        out = self.model(
            input_ids=self.last[:count, None],
            position_ids=positions[:, None],
            # Of four dimensions, so that every model of transformers hands it to its layers as it is.
            attention_mask=mask[:, None, None],
            past_key_values=self.slots,
            use_cache=True,
        )
        positions += live
        self._take(out.logits[:, -1].float(), at, live)

    def _take(self, logits: torch.Tensor, at: torch.Tensor, live: torch.Tensor) -> None:
        """Draw a token for the rows `at` and note what it was where the row is `live`."""
        drawn = self.drawn[at]
        token = draw(logits, uniforms(self.seeds[at], drawn), self.decoding.temperature, self.decoding.top_p)
        logprobs = logits.log_softmax(-1)
        here = drawn.clamp(max=self.limit - 1)
        self.tokens[at, here] = torch.where(live, token, self.tokens[at, here])
        if len(self.track):
            self.tracked[at, here] = torch.where(live[:, None], logprobs[:, self.track], self.tracked[at, here])
        self.logprob[at] += torch.where(live, logprobs.gather(-1, token[:, None])[:, 0], 0.0)
        self.ended[at] |= live & (token[:, None] == self.ends).any(-1)
        self.drawn[at] = drawn + live
        self.last[at] = token
