"""The name of a model's weights: a hash of their bytes."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path


class WeightsError(ValueError):
    """A folder without weights, or whose weights lie elsewhere."""


def weights_hash(folder: Path | str) -> str:
    """16 hex digits of the SHA-256 over a model folder's `*.safetensors`: what `Solution.weights` holds.

    File names and contents, in the order of the names; configuration and tokenizer do not count. Raises WeightsError.
    """
    files = weight_files(Path(folder))
    digest = hashlib.sha256()
    for file in files:
        with open(file, "rb") as contents:
            digest.update(file.name.encode() + b"\0" + hashlib.file_digest(contents, "sha256").digest())
    return digest.hexdigest()[:16]


def weight_files(folder: Path) -> list[Path]:
    """The files that transformers reads the weights from, in the order of their names.

    Raises WeightsError where there are none, or where the folder's JSON leads to others: `../` in the index of a
    sharded model would be followed, to weights that no hash has seen.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise WeightsError(f"{folder}: no *.safetensors here; expected a model saved with `save_pretrained`")
    here = {file.name for file in files} | {file.name for file in folder.glob("*.safetensors.index.json")}
    for file, name in _named(folder):
        if name not in here:
            raise WeightsError(
                f"{file} names the weights {name!r}, which are not among the *.safetensors beside it, and those alone "
                "are read; take a folder as `save_pretrained` writes it"
            )
    return files


def _named(folder: Path) -> Iterator[tuple[Path, object]]:
    """What the folder's JSON says where weights lie; what cannot be read is told of by whatever loads the model."""
    for file in sorted(folder.glob("*.json")):
        if not (file.name == "config.json" or file.name.endswith(".safetensors.index.json")):
            continue
        try:
            content = json.loads(file.read_bytes())
            explicit = content.get("transformers_weights")
            yield from ((file, name) for name in (content.get("weight_map") or {}).values())
        except (ValueError, AttributeError):
            continue
        if explicit is not None:
            yield file, explicit
