"""From logits to a token: temperature, nucleus (Holtzman et al. 2020), one uniform per row by the inverse CDF."""

from __future__ import annotations

import torch


def draw(logits: torch.Tensor, uniform: torch.Tensor, temperature: float, top_p: float) -> torch.Tensor:
    """Token ids, (B,). `logits`: float32 (B, V); `uniform`: (B,) in [0, 1). Temperature 0 takes the largest logit.

    The token is the first whose cumulated probability exceeds the uniform, in the order of ids. A change of the logits
    by at most e moves each cumulated probability by at most e / (2 temperature), so it can flip the token only where
    the uniform falls that close to a boundary.
    """
    if temperature == 0.0:
        return logits.argmax(-1)
    probabilities = torch.softmax(logits / temperature, -1)
    if top_p < 1.0:
        ordered, order = torch.sort(probabilities, stable=True, dim=-1, descending=True)
        outside = ordered.cumsum(-1) - ordered >= top_p
        probabilities = probabilities.masked_fill(outside.gather(-1, order.argsort(-1)), 0.0)
    cumulated = probabilities.cumsum(-1, dtype=torch.float64)
    token = (cumulated <= (uniform * cumulated[:, -1])[:, None]).sum(-1)
    return token.clamp_(max=logits.shape[-1] - 1)
