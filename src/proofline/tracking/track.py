"""`track`: the one line by which a stage becomes a run."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from proofline.tracking.run import Run
from proofline.tracking.spool import Spool, flatten


@contextmanager
def track(stage: str, *, sections: Mapping[str, object], policy: str | None = None) -> Iterator[Run]:
    """Record everything inside the block as one run of `stage`.

    `sections` are the parts of the recipe the stage depends on, by their names in `params.yaml`. DVC says which
    stage really runs (`evaluate@sft`); by hand it is `stage` and `policy`.
    """
    spool = Spool(tracking_root() / ".tracking" / f"{uuid.uuid4().hex}.jsonl")
    spool.write("start", stage=stage, policy=policy, params=flatten(sections))
    try:
        yield spool
    except BaseException as error:
        spool.write("end", status="FAILED", error=repr(error))
        raise
    else:
        spool.write("end", status="FINISHED", error=None)
    finally:
        spool.close()


def tracking_root() -> Path:
    """The repository whose database is used: DVC's root inside a stage (the parent's under `dvc exp run --temp`)."""
    if root := os.environ.get("DVC_ROOT"):
        return Path(root)
    here = Path.cwd().resolve()
    return next((folder for folder in (here, *here.parents) if (folder / ".dvc").is_dir()), here)
