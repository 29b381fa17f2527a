"""One spool on its way into one run of the store.

In: a spool's file, open, and what its stage could not write there. Out: a run that is up to date with it. Beside the
spool lies its state: how many bytes have arrived, the run's id, and the facts gathered while they were true. Nothing is
forgotten before all has arrived: where the store has lost the run, it begins anew from the first event.

A stage that takes up what an interrupted one has left names that one's run, some seconds after it has begun one of its
own. Then that run goes on in place of its own, with all that this spool holds.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from proofline.tracking.continued import ERROR
from proofline.tracking.facts import gather_facts
from proofline.tracking.lineage import Item, LineageError, stage_outputs
from proofline.tracking.mlflow_run import MlflowRun, is_refusal
from proofline.tracking.spool import CONTINUES, Event, parse, read_events, read_state, state_path

KILLED = "the stage's process was killed"


class SpoolError(ValueError):
    """A spool that cannot be sent."""


class Delivery:
    """Sends one spool, from where the state says it stopped."""

    def __init__(self, spool: Path, file: int, settle: Callable[[Path, str], None]) -> None:
        self.spool = spool
        self._settle = settle
        """Sends what earlier stages have still to say of a run; raises where that cannot be done for now."""
        self.state: dict[str, Any] = {"offset": 0} | read_state(spool)
        self.ended = False
        """Whether the stage has said its last word."""
        self.over = False
        """Whether nobody writes to the spool any more: then its last line is a line without an end of line too."""
        self._file = file
        self._beside: list[Event] = []
        """What came, or has to be said, while the disk may be full: after what the file holds."""
        self._beside_sent = 0
        self._half_line = b""
        self._run: MlflowRun | None = None
        self._reported: set[str] = set()

    @property
    def begun(self) -> bool:
        """Whether the stage has said its first word, and the store has a run of it."""
        return "run_id" in self.state

    def hear(self, content: bytes) -> bool:
        """Take what the stage could not write to its spool; False where there is nothing more."""
        whole, newline, self._half_line = (self._half_line + content).rpartition(b"\n")
        self._beside += parse(whole + newline, self._skip)
        return bool(content)

    def push(self) -> bool:
        """Send the events that have come since; False where that cannot be done for now."""
        in_file, offset = read_events(self._file, self.state["offset"], over=self.over, skipped=self._skip)
        events = in_file + self._beside[self._beside_sent :]
        self.ended = self.ended or any(event["kind"] == "end" for event in events)
        try:
            if events:
                self._learn(events)
                if self._goes_on(events):
                    return self.push()
                self._send(events)
        except Exception as error:
            if self._is_gone():
                self._report(
                    f"the store has no run {self.state.pop('run_id')} any more; all is sent again as a new one"
                )
                self.state.pop("continues", None)
                self._beside_sent, self._run = 0, None
                self._save(offset=0)
                return self.push()
            self._run = None
            self._report(f"run not recorded for now: {error}")
            return False
        self._beside_sent = len(self._beside)
        if offset != self.state["offset"]:
            self._save(offset=offset)
        return True

    def end_killed(self, time_ms: int) -> None:
        """The stage is gone without a word: say it in its place."""
        self._beside.append({"kind": "tag", "time_ms": time_ms, "name": ERROR, "value": KILLED})
        self._beside.append({"kind": "end", "time_ms": time_ms, "status": "FAILED"})

    def keep(self) -> None:
        """Nothing more can be sent now: put into the spool what is not there, if its disk has room by now."""
        if "facts" not in self.state:
            return
        lines = "".join(f"\n{json.dumps(event)}\n" for event in self._beside)
        try:
            if lines:
                with open(self.spool, "a", encoding="utf-8") as file:
                    file.write(lines)
        except OSError as error:
            self._report(f"{len(self._beside)} events of {self.spool} are lost: {error}")
        self._save()

    def _learn(self, events: list[Event]) -> None:
        """What has to be noted while it is true."""
        start = next((event for event in events if event["kind"] == "start"), None)
        if "facts" not in self.state:
            if start is None:
                raise SpoolError(f"the first line of {self.spool} is lost, which says what run it is; delete the file")
            self._save(facts=gather_facts(start))
        if self.ended and "outputs" not in self.state:
            self._save(outputs=self._outputs())

    def _send(self, events: list[Event]) -> None:
        end = next((event for event in events if event["kind"] == "end"), None)
        run = self._open()
        try:
            run.send(events)
        except Exception as error:
            if not is_refusal(error) or run.is_gone():
                raise
            self._send_singly(run, events)
        if end:
            run.send_items([Item(**item) for item in self.state["outputs"]], "output")
            run.finish(end["status"], end["time_ms"])

    def _send_singly(self, run: MlflowRun, events: list[Event]) -> None:
        """The store refuses something in the batch (two values of one param): drop that alone, and say so."""
        for event in events:
            try:
                run.send([event])
            except Exception as error:
                if not is_refusal(error) or run.is_gone():
                    raise
                self._report(f"refused by the tracking store and dropped: {event}: {error}")

    def _open(self) -> MlflowRun:
        """The run in the store, begun at the first call; its id is saved before anything else is sent."""
        if self._run is None:
            facts = self.state["facts"]
            run_id = self.state.get("run_id")
            continued = run_id is not None and run_id == self.state.get("continues")
            run = MlflowRun(facts["uri"], Path(facts["artifact_root"]), run_id, continued)
            gc.freeze()  # all is imported
            gc.enable()
            self._run = run
            if run.run_id is None:
                run.begin(facts["name"], facts["start_time_ms"], facts["tags"])
                self._save(run_id=run.run_id)
            run.send_items([Item(**item) for item in facts["inputs"]], "input")
            if facts["recipe_diff"]:
                run.send_text(facts["recipe_diff"], "params.diff")
        return self._run

    def _goes_on(self, events: list[Event]) -> bool:
        """Whether an earlier run, named in these events, now goes on in place of this one, from the first event on."""
        named = [event["value"] for event in events if event["kind"] == "tag" and event["name"] == CONTINUES]
        if not named or named[-1] in (self.state.get("continues"), self.state.get("run_id")):
            return False
        facts, earlier = self.state["facts"], named[-1]
        run = MlflowRun(facts["uri"], Path(facts["artifact_root"]), earlier)
        if not run.is_unfinished():
            self._save(continues=earlier)
            return False
        self._settle(self.spool, earlier)
        run.go_on(self.state.get("run_id"), facts["tags"])
        self._beside_sent, self._run = 0, None
        self._save(run_id=earlier, continues=earlier, offset=0)
        return True

    def _is_gone(self) -> bool:
        """Whether the store answers, and no longer has the run."""
        try:
            return self._run is not None and self._run.run_id is not None and self._run.is_gone()
        except Exception:  # it does not answer, so it has not said that
            return False

    def _outputs(self) -> list[dict[str, Any]]:
        facts = self.state["facts"]
        try:
            return [asdict(item) for item in stage_outputs(Path(facts["folder"]), facts["name"])]
        except LineageError:  # a stage that DVC does not know; its tags say so
            return []

    def _save(self, **changes: Any) -> None:
        """Note it, on the disk where that has room."""
        self.state |= changes
        path = state_path(self.spool)
        partial = path.with_name(path.name + ".partial")
        try:
            partial.write_text(json.dumps(self.state))
            os.replace(partial, path)
        except OSError as error:
            partial.unlink(missing_ok=True)
            self._report(f"{path} cannot be written: {error}. What has arrived is kept in memory")

    def _skip(self, line: str) -> None:
        self._report(f"{self.spool}: a line that was cut off is skipped: {line[:100]!r}")

    def _report(self, message: str) -> None:
        if message not in self._reported:
            self._reported.add(message)
            print(f"tracking: {message}", file=sys.stderr, flush=True)
