"""The name of a model's weights: a hash of their bytes."""

from __future__ import annotations

import hashlib
from pathlib import Path


class WeightsError(ValueError):
    """A folder without weights."""


def weights_hash(folder: Path | str) -> str:
    """16 hex digits of the SHA-256 over a model folder's `*.safetensors`: what `Solution.weights` holds.

    File names and contents, in the order of the names; configuration and tokenizer do not count. Raises WeightsError.
    """
    files = sorted(Path(folder).glob("*.safetensors"))
    if not files:
        raise WeightsError(f"{folder}: no *.safetensors here; expected a model saved with `save_pretrained`")
    digest = hashlib.sha256()
    for file in files:
        with open(file, "rb") as contents:
            digest.update(file.name.encode() + b"\0" + hashlib.file_digest(contents, "sha256").digest())
    return digest.hexdigest()[:16]
