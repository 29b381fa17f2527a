"""What each process of a launched stage does: check how many take part, call the function, give its result back.

A process learns its place from the variables that torchrun, Accelerate and Ray Train all set: RANK, WORLD_SIZE,
LOCAL_RANK. Only rank 0 speaks to the run, by appending to the spool that the stage has opened.
"""

from __future__ import annotations

import ctypes
import logging
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from proofline.config.collector import collect_seldom
from proofline.launch.probe import refuse_slow_format
from proofline.tracking import NullRun, Run
from proofline.tracking.progress import heartbeat

PR_SET_PDEATHSIG = 1  # prctl(2)
BY_ITSELF = (
    "Start the stage by itself (`python stages/…` or `dvc repro`) and set PROOFLINE_LAUNCHER and PROOFLINE_PROCESSES; "
    "it starts its processes."
)


class LaunchError(RuntimeError):
    """The processes that were asked for did not start, or died too often."""


def died_too_often(processes: int, restarts: int, last: str) -> LaunchError:
    """The end of a stage whose processes died at the first start and after every restart."""
    return LaunchError(
        f"The {processes} processes of this stage died {restarts + 1} times, last: {last}. What they printed stands "
        f"above; PROOFLINE_RESTARTS={restarts} is how often they were started again."
    )


@dataclass(frozen=True)
class Job:
    """A function for every process. Pickled on its way, so the function is a module's own or a `partial` of one."""

    function: Callable[..., Any]
    processes: int
    """How many processes were asked for."""
    threads: int
    """CPU threads of each."""
    run: Run
    """Where rank 0 reports to."""
    precision: str = "fp32"
    """Number format that its processor must have instructions for."""


def rank() -> int:
    return int(os.environ.get("RANK", "0"))


def world_size() -> int:
    return int(os.environ.get("WORLD_SIZE", "1"))


def refuse_company() -> None:
    """Raises LaunchError in a stage that somebody else has started in several processes: all would do all of it."""
    if world_size() != 1:
        raise LaunchError(
            f"This stage was started in {world_size()} processes (WORLD_SIZE). Nothing was computed. {BY_ITSELF}"
        )


def work(job: Job) -> Any:
    """This process's part. Raises LaunchError where another number of processes takes part than was asked for."""
    if world_size() != job.processes:
        raise LaunchError(
            f"{job.processes} processes were asked for and {world_size()} take part. Nothing was computed. {BY_ITSELF}"
        )
    take_place(job.threads)
    refuse_slow_format(job.precision)
    if world_size() == 1 or rank() > 0:
        return job.function(run=job.run if rank() == 0 else NullRun())
    # The stage's own heartbeat cannot see into this process.
    with heartbeat(f"{os.environ.get('DVC_STAGE', 'stage')}, rank 0"):
        return job.function(run=job.run)


def take_place(threads: int) -> None:
    """This process's share of its machine: CPU threads, and the GPU of its local rank."""
    collect_seldom()
    import torch

    quieten()
    torch.set_num_threads(threads)
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))


def quieten() -> None:
    """transformers imports torchao, which warns of kernels that do not load and that nobody here asks for; and it draws
    a bar for every file it reads, which a log shows as lines. Comes before its import."""
    if not sys.stderr.isatty():
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    for name in ("torchao", "torch.utils._pytree"):
        logging.getLogger(name).setLevel(logging.ERROR)


def die_with_parent() -> None:
    """Ask the kernel (Linux) to end this process when the one that started it is gone, however it went."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # It may be gone already: this process has imported for seconds.
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():
        os._exit(1)
