"""Whose a training's checkpoints are, and where they are kept: not in DVC's outs, which go before a stage runs.

Their name is the hash of all that decides the trained weights (recipe, seed, start, rows, code, library versions), so
nothing else ever resumes them, wherever it runs. How many processes there are is no part of it: any number takes up
what any other has left.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proofline.checkpoints.bucket import Bucket
from proofline.checkpoints.folder import Folder
from proofline.checkpoints.place import Place
from proofline.checkpoints.store import Keep, Store
from proofline.config.schema import Training
from proofline.records import stable_id
from proofline.training.execution import Execution
from proofline.training.identity import policy_identity, software_identity


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of one training."""

    folder: Path
    """`<root>/<stage>/<identity>` of this machine."""
    bucket: str | None
    """Where the objects are instead of there; lock and count of starts stay."""
    save_steps: int | None
    keep: Keep
    put_off_seconds: float
    """How long the last one may take when the training is asked to end."""
    decided_by: dict[str, Any] = field(compare=False)
    """What the identity is the hash of."""

    def store(self) -> Store:
        stage, identity = self.folder.parent.name, self.folder.name
        place: Place = Bucket(f"{self.bucket}/{stage}/{identity}") if self.bucket else Folder(self.folder)
        return Store(place, stage, identity)


def checkpoints_of(
    execution: Execution, stage: str, section: Training, seed: int, policy_dir: Path, rows: Iterable[object]
) -> Checkpoints | None:
    """Those of the training that these decide; None where no checkpoints are wanted."""
    if execution.checkpoints is None:
        return None
    digest = hashlib.sha256()
    for row in rows:
        digest.update(repr(row).encode())
    decided_by = {
        "section": section.model_dump(mode="json"),
        "seed": seed,
        "start": policy_identity(policy_dir),
        "rows": digest.hexdigest(),
        "software": software_identity(),
    }
    folder = execution.checkpoints / stage / stable_id(*decided_by.values())
    return Checkpoints(
        folder, execution.bucket, execution.save_steps, execution.keep, execution.put_off_seconds, decided_by
    )
