"""The recorder: a process of its own beside each stage that sends the stage's spool to MLflow.

    python -m proofline.tracking.recorder --follow PID FILE SPOOL    started by `track`; ends with the stage, PID
    python -m proofline.tracking.recorder SPOOL...                   sends what a lost server left behind

Why a process: MLflow's import and first query take 3 s of a core, which overlap with the stage's own imports; no step
waits for a server; and a stage that is killed outright still ends as FAILED, because somebody is left to say so.

When all of a spool has arrived, it and its state are deleted. The exit status is 0 only then. A store that answers also
gets the runs that an earlier one left waiting for it.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from proofline.tracking.delivery import Delivery, SpoolError
from proofline.tracking.mlflow_run import quiet_mlflow
from proofline.tracking.spool import read_state, state_path
from proofline.tracking.waiting import kept_runs, left_behind, locked

POLL_SECONDS = 1.0
PATIENCE_SECONDS = 10.0
"""How long an ended stage waits: for a server that has gone away, or for runs before it to be sent."""
REMEDY = (
    "the stage's process was killed, which the kernel does too where memory runs out. Fewer rows at a time need less: "
    "PROOFLINE_MICRO_BATCH in trainings, PROOFLINE_SAMPLING_ROWS where a policy writes. The same command goes on from "
    "what was kept"
)


def follow(delivery: Delivery, stage: int) -> bool:
    """Send while the stage (its process id) lives, then until all has arrived or patience ends."""
    arrived, alive, others = delivery.push(), True, _send_left_behind(delivery)
    while alive and not delivery.ended:
        if arrived and delivery.begun:
            next(others, None)
        # The stage holds the other end of stdin: closing it, or dying, wakes this at once. A fork of the stage may
        # hold it too, so the parent's id is looked at as well.
        alive = _listen(delivery, POLL_SECONDS) and os.getppid() == stage
        arrived = delivery.push()
    delivery.over = True
    while select.select([sys.stdin], [], [], 0)[0] and _listen(delivery, 0):
        pass
    arrived = delivery.push()
    if not delivery.ended:
        print(f"tracking: {REMEDY}", file=sys.stderr, flush=True)
        delivery.end_killed(time.time_ns() // 1_000_000)
        arrived = delivery.push()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not arrived and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        arrived = delivery.push()
    while arrived and time.monotonic() < deadline and next(others, False):
        pass
    return arrived


def resend(delivery: Delivery) -> bool:
    """Send all of a spool whose stage has ended."""
    delivery.over = True
    if not delivery.spool.stat().st_size:
        return True  # killed before its first word
    arrived = delivery.push()
    if arrived and not delivery.ended:
        delivery.end_killed(int(delivery.spool.stat().st_mtime * 1000))
        arrived = delivery.push()
    return arrived


def record(spool: Path) -> bool:
    """Send a spool that was left behind; True when all of it has arrived, and the spool is gone."""
    try:
        with locked(spool) as file:
            if file is None:
                print(f"tracking: {spool} is being sent by another process", file=sys.stderr)
                return False
            delivery = Delivery(spool, file, settle)
            return _close(delivery, resend(delivery))
    except FileNotFoundError:
        print(f"tracking: {spool} is not there: it has been sent, or never was", file=sys.stderr)
        return False


def settle(spool: Path, run_id: str) -> None:
    """Send what stages before this spool's have to say of the run: what comes after it would be said twice.

    Raises SpoolError while another process is at it, or the store takes none.
    """
    began = start_of(spool)
    for kept in kept_runs(spool.parent):
        before = read_state(kept.path).get("run_id") == run_id and start_of(kept.path) < began
        if before and not record(kept.path) and kept.path.exists():
            raise SpoolError(f"the end of run {run_id}, which goes on here, is still to be sent from {kept.path}")


def start_of(spool: Path) -> int:
    """When its stage began, in ms."""
    return int(read_state(spool).get("facts", {}).get("start_time_ms", 0))


def send_all(spools: list[Path]) -> bool:
    """Send these, each in its turn; True when all have arrived."""
    quiet_mlflow()
    arrived = [record(spool) for spool in spools]
    return all(arrived)


def _send_left_behind(ours: Delivery) -> Iterator[bool]:
    """Send the runs that wait for the store of this one, a run at each step, while it takes them."""
    for kept in left_behind(ours.spool.parent):
        if kept.uri == ours.state["facts"]["uri"] and kept.path.exists():
            if not record(kept.path):
                return
            print(f"tracking: a run of {kept.name} that waited has been sent", file=sys.stderr, flush=True)
            yield True


def _listen(delivery: Delivery, seconds: float) -> bool:
    """Wait for the stage to hand over what its disk had no room for; False when it has closed its end."""
    ready, _, _ = select.select([sys.stdin], [], [], seconds)
    return not ready or delivery.hear(os.read(sys.stdin.fileno(), 1 << 16))


def _close(delivery: Delivery, arrived: bool) -> bool:
    if arrived:
        delivery.spool.unlink(missing_ok=True)
        state_path(delivery.spool).unlink(missing_ok=True)
    else:
        delivery.keep()
    return arrived


def main(arguments: list[str]) -> int:
    gc.disable()  # while importing: 1.8 instead of 2.2 s
    if arguments[:1] == ["--follow"]:
        quiet_mlflow()
        for number in (signal.SIGINT, signal.SIGTERM):  # for the stage, also where a supervisor tells everybody
            signal.signal(number, signal.SIG_IGN)
        stage, file, spool = arguments[1:]
        delivery = Delivery(Path(spool), int(file), settle)
        return 0 if _close(delivery, follow(delivery, int(stage))) else 1
    return 0 if send_all([Path(spool) for spool in arguments]) else 1


if __name__ == "__main__":
    sys.modules["pandas"] = None  # type: ignore[assignment]  # MLflow does without: 1.2 instead of 1.45 s
    status = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(status)  # taking MLflow's modules apart would keep the stage waiting for 0.8 s
