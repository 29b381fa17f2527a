"""What the evaluation tests share."""

from __future__ import annotations

import pytest
from invented import Invented, invent


@pytest.fixture(scope="session")
def study() -> Invented:
    return invent()
