"""Several processes of this machine: launcher `accelerate`.

They are started by PyTorch's elastic agent, which is what `accelerate launch` and `torchrun` use, and meet in
Accelerate inside transformers' Trainer. The agent is called directly because `accelerate launch --cpu` silently starts
one process where several were asked for (accelerate 1.15), and because it hands results and errors back.
"""

from __future__ import annotations

import logging
import os
import pickle
import sys
import tempfile
import traceback
import uuid
from pathlib import Path
from typing import Any

from proofline.launch.work import Job, die_with_parent, died_too_often, rank, work

REFUSAL = "refusal.pickle"


def run_processes(job: Job, restarts: int, grace_seconds: float = 30.0) -> list[Any]:
    """What the job gave in each process, by rank; on GPUs, rank r has GPU r. Raises what the function refused with.

    When this process is to end, the others get SIGTERM and so long to end by themselves.
    """
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    # The agent logs every failure as an error of its own, with its own stack; the process has said what happened.
    logging.getLogger("torch.distributed.elastic").setLevel(logging.CRITICAL)
    logging.getLogger("torch.multiprocessing").setLevel(logging.ERROR)
    for attempt in range(restarts + 1):
        with tempfile.TemporaryDirectory(prefix="proofline-launch-") as folder:
            config = LaunchConfig(
                min_nodes=1, max_nodes=1, nproc_per_node=job.processes, run_id=uuid.uuid4().hex, max_restarts=0,
                rdzv_backend="c10d", rdzv_endpoint="127.0.0.1:0", local_addr="127.0.0.1",
                # SIGTERM and Ctrl-C stay the stage's own: its run has to end as failed.
                signals_to_handle="SIGHUP,SIGQUIT", shutdown_timeout=int(grace_seconds),
            )  # fmt: skip
            try:
                results = elastic_launch(config, _process)(job, Path(folder))
            except ChildFailedError as error:
                refusal = Path(folder) / REFUSAL
                if refusal.exists():
                    raise pickle.loads(refusal.read_bytes()) from None
                if attempt == restarts:
                    raise died_too_often(job.processes, restarts, _first_failure(error)) from None
                print(f"launch: {_first_failure(error)}; starting again", file=sys.stderr, flush=True)
                job.run.set_tag("proofline.restarts", str(attempt + 1))
            else:
                return [results[at] for at in range(job.processes)]
    raise AssertionError("unreachable")


def _process(job: Job, folder: Path) -> Any:
    die_with_parent()
    try:
        return work(job)
    except ValueError as error:
        # Bad input stays bad: it is handed up and not tried again.
        # Written whole or not at all: where the other process refuses too, this one is ended at any moment.
        written = folder / f"{REFUSAL}.{rank()}"
        written.write_bytes(pickle.dumps(error))
        os.replace(written, folder / REFUSAL)
        raise
    except Exception:
        traceback.print_exc()
        raise


def _first_failure(error: Any) -> str:
    first, failure = error.get_first_failure()
    ended = f"signal {-failure.exitcode}" if failure.exitcode < 0 else f"exit status {failure.exitcode}"
    return f"process {first} ended with {ended}"
