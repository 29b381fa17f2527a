"""Garbage is collected while a process runs, and not at its end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = """
import os, sys
from functools import partial
sys.path.insert(0, "stages")
import _checkout

class Cycle:
    def __init__(self, tell):
        self.tell, self.itself = tell, self
    def __del__(self):
        self.tell()

dropped = []
kept = Cycle(partial(os.write, 1, b"taken apart"))
for _ in range(300_000):
    Cycle(partial(dropped.append, None))
print(len(dropped), flush=True)
"""


def test_a_stage_collects_what_it_drops_and_takes_nothing_apart_at_its_end() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, check=True)
    assert int(done.stdout) > 100_000
