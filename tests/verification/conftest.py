"""What the tests of verification share."""

from __future__ import annotations

from pathlib import Path

import pytest
from verifier_by_heart import ByHeart, learn


@pytest.fixture(scope="session")
def by_heart(tiny_policy: Path, tmp_path_factory: pytest.TempPathFactory) -> ByHeart:
    return learn(tiny_policy, tmp_path_factory.mktemp("by_heart"))
