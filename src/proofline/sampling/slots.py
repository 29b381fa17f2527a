"""The key/value cache of the decoding loop: one preallocated slot per row, and attention that reads it as it lies.

A slot is a row of `(rows, kv_heads, capacity, head_dim)` tensors, one pair a layer. Rows have different lengths; each
writes its new token at its own position, and a mask hides what lies behind it. Nothing is concatenated or repeated:
query heads that share a key/value head are folded into one matrix product (grouped queries, Ainslie et al. 2023).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from transformers import AttentionInterface

if TYPE_CHECKING:
    from transformers import PreTrainedModel

ATTENTION = "proofline_slots"


class Slots:
    """Stands in for a transformers cache during decoding: models call `update` and attend to what it returns."""

    def __init__(self, model: PreTrainedModel, rows: int, capacity: int) -> None:
        config = model.config
        head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
        kv_heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
        shape = (config.num_hidden_layers, rows, kv_heads, capacity, head_dim)
        self.keys = torch.zeros(shape, dtype=model.dtype, device=model.device)
        self.values = torch.zeros_like(self.keys)
        self._every_row = torch.arange(rows, device=model.device)
        self._positions = self._every_row[:0]
        self._length = 0

    def aim(self, positions: torch.Tensor, length: int) -> None:
        """The next `update`s write row b at positions[b], (B,), and return the first `length` positions."""
        self._positions, self._length = positions, length

    def update(
        self, key: torch.Tensor, value: torch.Tensor, layer: int, *args: object, **kwargs: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Take the new token's key and value, (B, kv_heads, 1, head_dim); give all that is to be attended to."""
        count = key.shape[0]
        rows = self._every_row[:count]
        self.keys[layer][rows, :, self._positions] = key[:, :, 0]
        self.values[layer][rows, :, self._positions] = value[:, :, 0]
        return self.keys[layer, :count, :, : self._length], self.values[layer, :count, :, : self._length]

    def fill(self, rows: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> None:
        """Copy prompts, (layers, len(rows), kv_heads, length, head_dim), into rows."""
        self.keys[:, rows, :, : keys.shape[3]] = keys
        self.values[:, rows, :, : values.shape[3]] = values

    def move(self, source: torch.Tensor, target: torch.Tensor, length: int) -> None:
        """Copy the first `length` positions of some rows over others."""
        self.keys[:, target, :, :length] = self.keys[:, source, :, :length]
        self.values[:, target, :, :length] = self.values[:, source, :, :length]


def attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor,
    scaling: float | None = None,
    sliding_window: int | None = None,
    softcap: float | None = None,
    **kwargs: object,
) -> tuple[torch.Tensor, None]:
    """Softmax attention of one new token per row; (B, heads, 1, D) with (B, kv_heads, L, D) -> (B, 1, heads, D).

    The mask, (B, 1, 1, L), hides what lies behind each row's token. A layer with a sliding window says so, and attends
    to the last `sliding_window` of what the mask shows (Beltagy et al. 2020); `softcap` is Gemma 2's.
    """
    rows, heads, _, dim = query.shape
    grouped = query.reshape(rows, key.shape[1], heads // key.shape[1], dim) * (scaling or dim**-0.5)
    scores = grouped @ key.transpose(-1, -2)
    if softcap is not None:
        scores = softcap * torch.tanh(scores / softcap)
    scores += attention_mask
    if sliding_window is not None and sliding_window < key.shape[2]:
        shown = (attention_mask == 0).sum(-1, keepdim=True)
        scores.masked_fill_(torch.arange(key.shape[2], device=key.device) < shown - sliding_window, -torch.inf)
    mixed = scores.softmax(-1) @ value
    return mixed.reshape(rows, 1, heads, dim), None


AttentionInterface.register(ATTENTION, attend)
