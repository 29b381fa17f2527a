"""Linear layers whose weights lie in the order that a CPU's kernel reads them in, brought there once.

A product of few rows spends much of its time on reordering the weight for the kernel, and decoding repeats it at every
step with the same weight. oneDNN takes a weight that was reordered before (what PyTorch's own compiler does with frozen
models): the sums are those of another kernel, so logits differ in their last digits (tests/sampling holds the bound).
"""

from __future__ import annotations

import torch


class PackedLinear(torch.nn.Module):
    """Stands in for a float32 `Linear` in inference: (..., in) -> (..., out). It keeps no other copy of the weight."""

    def __init__(self, linear: torch.nn.Linear) -> None:
        super().__init__()
        self.packed = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), None)
        self.bias = linear.bias

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        return torch.ops.mkldnn._linear_pointwise(hidden, self.packed, self.bias, "none", [], "")


def pack(model: torch.nn.Module) -> None:
    """Put a PackedLinear in the place of each Linear of a float32 model on a CPU; other models stay as they are.

    Subclasses of Linear stay too: what they do with the weight is their own. The model is for inference from then on.
    """
    if not torch.backends.mkldnn.is_available():
        return
    for parent in list(model.modules()):
        for name, child in list(parent.named_children()):
            if type(child) is torch.nn.Linear and _packable(child.weight):
                setattr(parent, name, PackedLinear(child))


def _packable(weight: torch.Tensor) -> bool:
    return weight.dtype == torch.float32 and weight.device.type == "cpu"
