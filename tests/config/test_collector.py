"""Garbage is collected while a process runs, and not at its end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
SCRIPT = """
import sys
sys.path.insert(0, "stages")
import _checkout

class Cycle:
    def __init__(self, name):
        self.name, self.itself = name, self
    def __del__(self):
        print(self.name)

kept = Cycle("kept")
for _ in range(3000):
    Cycle("dropped")
print("end")
"""


def test_a_stage_collects_what_it_drops_and_takes_nothing_apart_at_its_end() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], cwd=ROOT, capture_output=True, text=True, check=True)
    during, _, after = done.stdout.partition("end\n")
    assert during.count("dropped") > 2000
    assert "kept" not in after
