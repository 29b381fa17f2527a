"""The recorder: a process of its own beside each stage that sends the stage's spool to MLflow.

    python -m proofline.tracking.recorder --follow PID SPOOL    started by `track`; ends with the stage, process PID
    python -m proofline.tracking.recorder SPOOL...              sends what a lost server left behind

Why a process: MLflow's import and first query take 3 s of a core, which overlap with the stage's own imports; no step
waits for a server; and a stage that is killed outright still ends as FAILED, because somebody is left to say so.

Beside the spool lies its state: how many bytes have arrived, the run's id, and the facts gathered while they were
true. When all has arrived both files are deleted. The exit status is 0 only then.
"""

from __future__ import annotations

import fcntl
import gc
import json
import os
import select
import signal
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from proofline.tracking.facts import gather_facts
from proofline.tracking.lineage import Item, LineageError, stage_outputs
from proofline.tracking.mlflow_run import MlflowRun, is_refusal, quiet_mlflow
from proofline.tracking.spool import Event, read_events, read_state, state_path

POLL_SECONDS = 1.0
PATIENCE_SECONDS = 10.0
"""How long an ended stage waits for a server that has gone away."""
KILLED = "the stage's process was killed"


class Recorder:
    """Sends one spool, from where the state says it stopped."""

    def __init__(self, spool: Path) -> None:
        self.spool = spool
        self.state: dict[str, Any] = {"offset": 0} | read_state(spool)
        self.ended = False
        self._run: MlflowRun | None = None
        self._reported: set[str] = set()

    def push(self) -> bool:
        """Send the events that have come since; False where the store could not be reached."""
        events, offset = read_events(self.spool, self.state["offset"])
        self.ended = self.ended or any(event["kind"] == "end" for event in events)
        if not events:
            return True
        try:
            self._send(events)
        except Exception as error:
            self._report(f"run not recorded for now: {error}")
            return False
        self._save(offset=offset)
        return True

    def end_killed(self, time_ms: int) -> None:
        """The stage is gone without a word: say it in its place."""
        error = {
            "kind": "tag",
            "time_ms": time_ms,
            "name": "proofline.error",
            "value": "the stage's process was killed",
        }
        end = {"kind": "end", "time_ms": time_ms, "status": "FAILED"}
        with open(self.spool, "a", encoding="utf-8") as lines:  # the stage may have died in the middle of a line
            lines.write(f"\n{json.dumps(error)}\n{json.dumps(end)}\n")

    def _send(self, events: list[Event]) -> None:
        if events[0]["kind"] == "start" and "facts" not in self.state:
            self._save(facts=gather_facts(events[0]))
        if events[-1]["kind"] == "end" and "outputs" not in self.state:
            self._save(outputs=self._outputs())
        run = self._open()
        try:
            run.send(events)
        except Exception as error:
            if not is_refusal(error):
                raise
            self._send_singly(run, events)
        if events[-1]["kind"] == "end":
            run.send_items([Item(**item) for item in self.state["outputs"]], "output")
            run.finish(events[-1]["status"], events[-1]["time_ms"])

    def _send_singly(self, run: MlflowRun, events: list[Event]) -> None:
        """The store refuses something in the batch (two values of one param): drop that alone, and say so."""
        for event in events:
            try:
                run.send([event])
            except Exception as error:
                if not is_refusal(error):
                    raise
                self._report(f"refused by the tracking store and dropped: {event}: {error}")

    def _open(self) -> MlflowRun:
        """The run in the store, begun at the first call; its id is saved before anything else is sent."""
        if self._run is None:
            facts = self.state["facts"]
            run = MlflowRun(facts["uri"], Path(facts["artifact_root"]), self.state.get("run_id"))
            gc.freeze()  # all is imported
            gc.enable()
            if run.run_id is None:
                run.begin(facts["name"], facts["start_time_ms"], facts["tags"])
                self._save(run_id=run.run_id)
            run.send_items([Item(**item) for item in facts["inputs"]], "input")
            if facts["recipe_diff"]:
                run.send_text(facts["recipe_diff"], "params.diff")
            self._run = run
        return self._run

    def _outputs(self) -> list[dict[str, Any]]:
        facts = self.state["facts"]
        try:
            return [asdict(item) for item in stage_outputs(Path(facts["folder"]), facts["name"])]
        except LineageError:  # a stage that DVC does not know; its tags say so
            return []

    def _save(self, **changes: Any) -> None:
        self.state |= changes
        path = state_path(self.spool)
        partial = path.with_name(path.name + ".partial")
        partial.write_text(json.dumps(self.state))
        os.replace(partial, path)

    def _report(self, message: str) -> None:
        if message not in self._reported:
            self._reported.add(message)
            print(f"tracking: {message}", file=sys.stderr, flush=True)


def follow(recorder: Recorder, stage: int) -> bool:
    """Send while the stage (its process id) lives, then until all has arrived or patience ends."""
    arrived, alive = recorder.push(), True
    while alive and not recorder.ended:
        # The stage holds the other end of stdin: closing it, or dying, wakes this at once. A fork of the stage may
        # hold it too, so the parent's id is looked at as well.
        closed, _, _ = select.select([sys.stdin], [], [], POLL_SECONDS)
        alive = not closed and os.getppid() == stage
        arrived = recorder.push()
    if not recorder.ended:
        recorder.end_killed(time.time_ns() // 1_000_000)
        arrived = recorder.push()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not arrived and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        arrived = recorder.push()
    return arrived


def resend(recorder: Recorder) -> bool:
    """Send all of a spool whose stage has ended."""
    arrived = recorder.push()
    if arrived and not recorder.ended:
        recorder.end_killed(int(recorder.spool.stat().st_mtime * 1000))
        arrived = recorder.push()
    return arrived


def record(spool: Path, stage: int | None = None) -> bool:
    """Send a spool, of a living `stage` or a past one; True when all of it has arrived, and the spool is gone."""
    with open(spool, "rb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"tracking: {spool} is being sent by another process", file=sys.stderr)
            return False
        recorder = Recorder(spool)
        arrived = resend(recorder) if stage is None else follow(recorder, stage)
        if arrived:
            spool.unlink()
            state_path(spool).unlink()
    return arrived


def main(arguments: list[str]) -> int:
    gc.disable()  # while importing: 1.8 instead of 2.2 s
    quiet_mlflow()
    if arguments[:1] == ["--follow"]:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the stage
        return 0 if record(Path(arguments[2]), stage=int(arguments[1])) else 1
    arrived = [record(Path(spool)) for spool in arguments]
    return 0 if all(arrived) else 1


if __name__ == "__main__":
    status = main(sys.argv[1:])
    sys.stderr.flush()
    os._exit(status)  # taking MLflow's modules apart would keep the stage waiting for 0.8 s
