"""Named tensors as safetensors files (huggingface/safetensors, format 0.x): an 8-byte length, a JSON header, the bytes.

Written as a stream over the tensors' own memory, without a copy; read back through the library. A tensor that lies in
shares with several processes is stored as flat fragments, `name@start`, next to one another or in several files; what
is read is whole again, however it was cut.
"""

from __future__ import annotations

import json
import re
import struct
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from proofline.checkpoints.manifest import DamageError
from proofline.checkpoints.place import CHUNK_BYTES

DTYPES = {
    torch.float64: "F64", torch.float32: "F32", torch.bfloat16: "BF16", torch.float16: "F16", torch.int64: "I64",
    torch.int32: "I32", torch.int16: "I16", torch.int8: "I8", torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip
FRAGMENT = re.compile(r"(?s)(.+)@(\d+)")


@dataclass(frozen=True)
class Piece:
    """A named tensor, or the fragment of it that begins at element `start` of the flat whole."""

    name: str
    tensor: torch.Tensor
    start: int | None = None

    @property
    def key(self) -> str:
        return self.name if self.start is None else f"{self.name}@{self.start}"


def encode(tensors: Mapping[str, torch.Tensor]) -> Iterator[bytes | memoryview]:
    """The file of these tensors, which must be contiguous and in host memory."""
    header: dict[str, Any] = {}
    end = 0
    for name, tensor in tensors.items():
        start, end = end, end + tensor.nbytes
        header[name] = {"dtype": DTYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    yield struct.pack("<Q", len(text)) + text
    for tensor in tensors.values():
        content = memoryview(tensor.reshape(-1).view(torch.uint8).numpy())
        for at in range(0, len(content), CHUNK_BYTES):
            yield content[at : at + CHUNK_BYTES]


class Tensors:
    """The tensors of several files, by name, in whichever way they were cut. Raises DamageError for what is not all
    there."""

    def __init__(self, files: Sequence[Path], stack: ExitStack) -> None:
        self._places: dict[str, list[tuple[int | None, Any, str]]] = defaultdict(list)
        for file in files:
            opened = stack.enter_context(safe_open(file, framework="pt"))
            for key in opened.keys():  # noqa: SIM118
                match = FRAGMENT.fullmatch(key)
                name, start = (match[1], int(match[2])) if match else (key, None)
                self._places[name].append((start, opened, key))

    def names(self) -> list[str]:
        return list(self._places)

    def whole(self, name: str, like: torch.Tensor | None = None) -> torch.Tensor:
        """A tensor as one, in the shape of `like`."""
        shape = None if like is None else tuple(getattr(like, "ds_shape", like.shape))
        places = self._places.get(name, [])
        if len(places) == 1 and places[0][0] is None:
            tensor = places[0][1].get_tensor(places[0][2])
        else:
            tensor = self._joined(name, places)
        count = tensor.numel() if shape is None else torch.Size(shape).numel()
        if tensor.numel() != count:
            raise DamageError(f"{name} has {tensor.numel()} elements, and the model's has {count}")
        return tensor if shape is None else tensor.reshape(shape)

    def _joined(self, name: str, places: Sequence[tuple[int | None, Any, str]]) -> torch.Tensor:
        fragments, end = [], 0
        for start, file, key in sorted(places, key=lambda place: place[0] or 0):
            if start != end:
                break
            fragments.append(file.get_tensor(key))
            end += fragments[-1].numel()
        if not fragments or len(fragments) != len(places):
            raise DamageError(f"{name} is not all there: {end} elements, and then a gap")
        return torch.cat(fragments)
