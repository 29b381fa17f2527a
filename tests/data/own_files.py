"""A user's files for tests, and the recipe that names them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from checkout import EMBEDDED

from proofline.config.load import parse_params, read_yaml
from proofline.config.schema import Prepare


def own(*files: tuple[Path, str | None], **changes: Any) -> dict[str, Any]:
    """The recipe of a source whose files are these, each with the split of all its rows."""
    named = [
        {"path": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest(), "split": split}
        for path, split in files
    ]
    return {
        "files": named, "fields": {}, "answers": "number", "demonstration": None, "test_fraction": 0.3,
        "train": None, "test": None,
    } | changes  # fmt: skip


def section(sources: list[str], **changes: Any) -> Prepare:
    """The embedded recipe's, with other sources and values."""
    values: Any = read_yaml(EMBEDDED)
    values["prepare"] |= {"sources": sources, "dev_fraction": 0.0} | changes
    return parse_params(values).prepare


def write(path: Path, *rows: object) -> Path:
    """Rows that are text or bytes are written as they stand."""
    lines = [
        row if isinstance(row, bytes) else (row if isinstance(row, str) else json.dumps(row)).encode() for row in rows
    ]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path
