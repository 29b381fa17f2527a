"""Imported first by every stage: it runs the package of its own checkout, and so do the processes it starts.

What stops a stage is told as one message, a bug with its traceback.

The installed package may be another checkout's: an editable install names one folder, while `dvc exp run --temp`, the
queue, a worktree or a second clone run a stage elsewhere. DVC hashes the `src` beside the stage, so that is imported.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SOURCE = str(ROOT / "src")

if Path.cwd().resolve() != ROOT:
    sys.exit(
        f"{sys.argv[0]}: started in {Path.cwd()}, but it belongs to {ROOT}, and a stage reads and writes where it is "
        f"started. Go there first: cd {ROOT}"
    )
sys.path.insert(0, SOURCE)
os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [SOURCE, os.environ.get("PYTHONPATH")]))

from proofline.config.collector import collect_seldom  # noqa: E402 - of this checkout
from proofline.config.failures import tell  # noqa: E402

collect_seldom()
sys.excepthook = tell
