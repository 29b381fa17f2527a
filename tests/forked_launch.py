"""`launch` in a process forked from one that has imported what trains, which forks its own processes (see `forked`).

Processes that start by themselves import for longer than a small training takes. What they are given, what they compute
and how they die is the same. Not for what is tested of a start, or of what the death of the launching process does.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import forked

from proofline.config import Environment
from proofline.launch import launch as launch_here
from proofline.tracking import Run


def launch(function: Callable[..., Any], run: Run, environment: Environment) -> Any:
    """As `proofline.launch.launch`: what the function gave in rank 0, or raises what ended it."""
    with TemporaryDirectory() as folder:
        given = Path(folder, "given")
        done = _begin(_give, given, function, run, environment)
        assert given.exists(), f"exit status {done.returncode}: {done.stderr}"
        returned, error = pickle.loads(given.read_bytes())
    if error is not None:
        raise error
    return returned


def exit_status(function: Callable[..., Any], run: Run, environment: Environment) -> int:
    """How the process ended that launched it, which may have been killed."""
    status: int = _begin(_launch, function, run, environment).returncode
    return status


def processes_are_forked() -> None:
    """Launcher `accelerate` of this process forks from now on: what this one has imported, they have."""
    from torch.distributed.launcher import api

    elastic_launch = api.elastic_launch

    def forking(config: Any, entry: Callable[..., Any]) -> Callable[..., Any]:
        config.start_method = "fork"
        return lambda *given: elastic_launch(config, _enter)(pickle.dumps((entry, given)))

    api.elastic_launch = forking
    # Ended with the tests, it may have none by multiprocessing's rule; its own end with it.
    multiprocessing.current_process()._config["daemon"] = False  # type: ignore[attr-defined]


def _enter(sent: bytes) -> Any:
    """What a process of its own is given has been pickled."""
    entry, given = pickle.loads(sent)
    return entry(*given)


def _begin(function: Callable[..., Any], *given: Any) -> Any:
    done = forked.begin(function, *given, folder=Path.cwd(), variables=os.environ)()
    print(done.stderr, end="", file=sys.stderr, flush=True)
    return done


def _launch(function: Callable[..., Any], run: Run, environment: Environment) -> Any:
    processes_are_forked()
    return launch_here(function, run, environment)


def _give(given: Path, *launched: Any) -> None:
    returned, error = None, None
    try:
        returned = _launch(*launched)
    except Exception as raised:
        error = raised
    given.write_bytes(pickle.dumps((returned, error)))
