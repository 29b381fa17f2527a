"""Where the published data sets are; the tests here are skipped, with the reason, on a machine without them."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def data_root(published_data: str | None) -> str:
    """`$PROOFLINE_DATA_ROOT`, or `shared/data` beside the repository."""
    root = published_data or str(Path(__file__).parents[3] / "shared" / "data")
    if "://" not in root and not Path(root, "gsm8k_train.jsonl.gz").is_file():
        pytest.skip(f"no published data sets in {root}; set PROOFLINE_DATA_ROOT to the folder that holds them")
    return root
