"""Which sample sits in which row of the decoding loop: samples come in as rows become free, and leave when they end."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from proofline.sampling.request import Completion, Request
from proofline.sampling.rows import FEWEST_ROWS, Rows, Stepping
from proofline.sampling.seeds import signed
from proofline.tracking.progress import count


@dataclass
class Prompt:
    """A prefilled prompt: keys and values (layers, kv_heads, T, head_dim), last logits (V,), samples still to start."""

    request: Request
    keys: torch.Tensor
    values: torch.Tensor
    logits: torch.Tensor
    waiting: deque[int]


class Loop:
    """Which sample sits in which row: rows 0 to active-1 are in use, each at its own position."""

    def __init__(self, state: Rows, rows: int, stepping: Stepping) -> None:
        self.state, self.rows, self.stepping = state, rows, stepping
        self.samples: list[tuple[Request, int]] = []
        self.lengths: list[int] = []

    @property
    def active(self) -> int:
        return len(self.samples)

    def admit(self, ready: deque[Prompt]) -> None:
        """Start samples of the first ready prompt in the free rows."""
        prompt = ready[0]
        count = min(self.rows - self.active, len(prompt.waiting))
        indices = [prompt.waiting.popleft() for _ in range(count)]
        at = self.state.every[self.active : self.active + count]
        self.state.slots.fill(at, prompt.keys[:, None], prompt.values[:, None])
        seeds = torch.tensor([signed(prompt.request.seeds[index]) for index in indices]).to(at.device)
        length = prompt.keys.shape[2]
        self.state.begin(at, length, seeds, prompt.logits.expand(count, -1))
        self.samples += [(prompt.request, index) for index in indices]
        self.lengths += [length] * count
        if not prompt.waiting:
            ready.popleft()

    def advance(self) -> None:
        """Some steps for every row."""
        steps = self.stepping.steps_per_look
        capacity = len(self.state.offsets)
        length = min(capacity, round_up(max(self.lengths) + steps, self.stepping.length_multiple))
        count = row_bucket(self.active, self.rows) if self.stepping.halving else self.active
        for _ in range(steps):
            self.state.step(count, length)

    def leave(self) -> Iterator[Completion]:
        """Take finished rows out; the last rows move into their places."""
        state, active = self.state, self.active
        looked = torch.stack([state.drawn[:active], state.lengths[:active], state.ended[:active].long()])
        drawn, self.lengths, ended = looked.tolist()
        leaving = [row for row in range(active) if ended[row] or drawn[row] >= state.limit]
        if not leaving:
            return
        completions = self._completions(leaving, drawn, ended)
        keep = active - len(leaving)
        gone = set(leaving)
        holes = [row for row in leaving if row < keep]
        movers = [row for row in range(keep, active) if row not in gone]
        if holes:
            device = state.every.device
            source, target = torch.tensor(movers, device=device), torch.tensor(holes, device=device)
            state.move(source, target, max(self.lengths[row] for row in movers))
            for hole, mover in zip(holes, movers, strict=True):
                self.samples[hole], self.lengths[hole] = self.samples[mover], self.lengths[mover]
        state.free(state.every[keep:active])
        count(samples=len(leaving))
        del self.samples[keep:], self.lengths[keep:]
        yield from completions

    def _completions(self, leaving: list[int], drawn: list[int], ended: list[int]) -> list[Completion]:
        at = torch.tensor(leaving, device=self.state.every.device)
        tokens, logprobs = self.state.tokens[at].tolist(), self.state.logprob[at].tolist()
        tracked = self.state.tracked[at].cpu().numpy()
        completions = []
        for place, row in enumerate(leaving):
            request, index = self.samples[row]
            kept = drawn[row] - ended[row]
            completions.append(
                Completion(
                    request.key, index, int(request.seeds[index]), tokens[place][:kept], logprobs[place],
                    bool(ended[row]), tracked[place, :kept].copy(),
                )
            )  # fmt: skip
        return completions


def round_up(number: int, multiple: int) -> int:
    return -(-number // multiple) * multiple


def row_bucket(active: int, rows: int) -> int:
    """The smallest of rows, rows/2, rows/4, … that holds the active ones."""
    while rows // 2 >= max(active, FEWEST_ROWS):
        rows //= 2
    return rows
