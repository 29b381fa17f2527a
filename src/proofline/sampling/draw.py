"""From logits to a token: temperature, nucleus (Holtzman et al. 2020), one uniform per row by the inverse CDF."""

from __future__ import annotations

import torch
from torch.nn.functional import pad

BLOCK = 128
"""Tokens summed together. It divides Qwen2.5's 151,936, so nothing is padded there."""


def draw(logits: torch.Tensor, uniform: torch.Tensor, temperature: float, top_p: float) -> torch.Tensor:
    """Token ids, (B,). `logits`: float32 (B, V); `uniform`: (B,) in [0, 1). Temperature 0 takes the largest logit.

    The token is the first whose cumulated probability exceeds the uniform, in the order of ids. A change of the logits
    by at most e moves each cumulated probability by at most e / (2 temperature), so it can flip the token only where
    the uniform falls that close to a boundary. Shapes depend on the input's alone, and nothing waits for the device.
    """
    if temperature == 0.0:
        return logits.argmax(-1)
    probabilities = torch.softmax(logits / temperature, -1)
    if top_p < 1.0:
        ordered, order = torch.sort(probabilities, stable=True, dim=-1, descending=True)
        outside = ordered.cumsum(-1) - ordered >= top_p
        probabilities = probabilities.masked_fill(torch.empty_like(outside).scatter_(-1, order, outside), 0.0)
    return _invert(probabilities, uniform)


def _invert(probabilities: torch.Tensor, uniform: torch.Tensor) -> torch.Tensor:
    """The inverse CDF in two levels: blocks of tokens, then the tokens of one block.

    A float64 running sum over 512 rows of 151,936 tokens would write 622 MB at every step; this reads the
    probabilities once and writes the sums of the blocks.
    """
    rows, size = probabilities.shape
    if size % BLOCK:
        probabilities = pad(probabilities, (0, -size % BLOCK))
    blocks = probabilities.view(rows, -1, BLOCK)
    upto = pad(blocks.sum(-1, dtype=torch.float64).cumsum(-1), (1, 0))
    wanted = (uniform * upto[:, -1])[:, None]
    block = (upto[:, 1:] <= wanted).sum(-1, keepdim=True).clamp_(max=blocks.shape[1] - 1)
    chosen = blocks.gather(1, block[:, :, None].expand(-1, -1, BLOCK))[:, 0]
    inside = upto.gather(1, block) + chosen.cumsum(-1, dtype=torch.float64)
    token = block[:, 0] * BLOCK + (inside <= wanted).sum(-1).clamp_(max=BLOCK - 1)
    return token.clamp_(max=size - 1)
