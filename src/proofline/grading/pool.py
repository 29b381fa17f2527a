"""Comparisons in worker processes with a hard kill at a deadline. Never threads: see `compare.py`.

SymPy can loop for ever on one answer, and no time-out in Python stops it for certain. So each worker gets one
comparison at a time, and the kernel kills it when that has used up its CPU time: the comparison is unparsed and a
fresh worker goes on with the rest. A worker that dies by another's hand (out of memory, SIGKILL) is replaced too, and
its comparison is tried once more; one that neither works nor dies is killed from here after `STALL_FACTOR` deadlines.
"""

from __future__ import annotations

import json
import selectors
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from contextlib import closing, suppress
from typing import IO, cast

from proofline.records import Undecided, Verdict

Task = tuple[str, str]
"""(answer, reference)."""
Outcome = tuple[Verdict, str, Undecided | None]
"""(verdict, reason, why there is no verdict)."""

STARTUP_SECONDS = 120.0
"""Deadline for a worker's imports; 0.8 s on an idle core."""
STALL_FACTOR = 30
"""Deadlines of CPU time that a worker gets by the clock: a machine that busy is a machine that hangs."""
ATTEMPTS = 2
"""A comparison whose worker dies is given up after so many."""


class GraderError(RuntimeError):
    """The grading workers do not start."""


class _Worker:
    """One worker process and the task it is on."""

    def __init__(self, deadline_seconds: float) -> None:
        self.deadline_seconds = deadline_seconds
        self.process = subprocess.Popen(
            [sys.executable, "-m", "proofline.grading.worker", str(deadline_seconds)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )
        self.task: int | None = None
        self.ready = False
        self.expires = time.monotonic() + STARTUP_SECONDS

    @property
    def replies(self) -> IO[str]:
        return cast(IO[str], self.process.stdout)

    def give(self, index: int, task: Task) -> None:
        self.task = index
        self.expires = time.monotonic() + STALL_FACTOR * self.deadline_seconds
        requests = cast(IO[str], self.process.stdin)
        requests.write(json.dumps(task) + "\n")
        requests.flush()

    def end(self) -> int:
        """Kill and reap; returns the exit status (negative: the signal that ended it)."""
        self.process.kill()
        status = self.process.wait()
        self.replies.close()
        with suppress(BrokenPipeError):  # a request the dead worker never read is still in the buffer
            cast(IO[str], self.process.stdin).close()
        return status


class _Pool:
    """The state of one call of `compare_all`: what waits, what is done, who works."""

    def __init__(self, tasks: Sequence[Task], deadline_seconds: float) -> None:
        self.tasks = tasks
        self.deadline_seconds = deadline_seconds
        self.waiting = deque(range(len(tasks)))
        self.outcomes: dict[int, Outcome] = {}
        self.attempts: dict[int, int] = {}
        self.failed_starts = 0
        self.selector = selectors.DefaultSelector()
        self.workers: set[_Worker] = set()

    def start(self) -> None:
        worker = _Worker(self.deadline_seconds)
        self.workers.add(worker)
        self.selector.register(worker.replies, selectors.EVENT_READ, worker)

    def retire(self, worker: _Worker) -> int:
        self.workers.discard(worker)
        self.selector.unregister(worker.replies)
        return worker.end()

    def close(self) -> None:
        for worker in tuple(self.workers):
            self.retire(worker)
        self.selector.close()

    def feed(self, worker: _Worker) -> None:
        """Give an idle worker the next task; end it where none waits."""
        if not self.waiting:
            self.retire(worker)
            return
        index = self.waiting.popleft()
        try:
            worker.give(index, self.tasks[index])
        except BrokenPipeError:
            self.lose(worker)

    def hear(self, worker: _Worker) -> None:
        """Take a worker's reply, or the end of its output where it died."""
        line = worker.replies.readline()
        if not line.endswith("\n"):
            self.lose(worker)
            return
        if worker.ready:
            verdict, reason = json.loads(line)
            self.outcomes[cast(int, worker.task)] = (verdict, reason, "incomparable" if verdict == "unparsed" else None)
        worker.ready = True
        worker.task = None
        self.feed(worker)

    def lose(self, worker: _Worker) -> None:
        """A worker died: of its deadline, or its task goes back to the queue until `ATTEMPTS` have died on it."""
        index, status = worker.task, self.retire(worker)
        if index is None:
            self.failed_starts += 1
            if self.failed_starts > ATTEMPTS:
                raise GraderError(
                    f"grading workers do not start (exit status {status}); "
                    f"`{sys.executable} -m proofline.grading.worker 10` shows why"
                )
            return
        if status == -signal.SIGPROF:
            self.outcomes[index] = ("unparsed", f"timed out after {self.deadline_seconds:g}s of CPU time", "timed out")
            return
        self.attempts[index] = self.attempts.get(index, 0) + 1
        if self.attempts[index] < ATTEMPTS:
            self.waiting.appendleft(index)
        else:
            reason = f"the grading worker died {ATTEMPTS} times (exit status {status})"
            self.outcomes[index] = ("unparsed", reason, "worker died")

    def end_stalled(self) -> None:
        """Kill and count as dead the workers that have not replied for too long."""
        now = time.monotonic()
        for worker in [worker for worker in self.workers if worker.expires <= now]:
            self.lose(worker)


def compare_all(tasks: Sequence[Task], *, workers: int, deadline_seconds: float) -> list[Outcome]:
    """The outcome of each comparison, in order, from at most `workers` processes at a time."""
    if workers < 1:
        raise ValueError(f"{workers} grading workers; at least 1 is needed (PROOFLINE_GRADER_WORKERS)")
    with closing(_Pool(tasks, deadline_seconds)) as pool:
        while len(pool.outcomes) < len(tasks):
            busy = sum(worker.task is not None for worker in pool.workers)
            while len(pool.workers) < min(workers, busy + len(pool.waiting)):
                pool.start()
            first = min(worker.expires for worker in pool.workers)
            for key, _ in pool.selector.select(max(0.0, first - time.monotonic())):
                pool.hear(key.data)
            pool.end_stalled()
    return [pool.outcomes[index] for index in range(len(tasks))]
