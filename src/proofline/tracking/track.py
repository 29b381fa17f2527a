"""`track`: the one line by which a stage becomes a run."""

from __future__ import annotations

import fcntl
import os
import shlex
import subprocess
import sys
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from proofline.config.checkout import refuse_other_checkout
from proofline.config.environment import Environment, load_environment, repository_root
from proofline.tracking.alone import alone
from proofline.tracking.ending import Terminated, sigterm_as_exception
from proofline.tracking.progress import heartbeat
from proofline.tracking.reach import SilentError, check_reachable
from proofline.tracking.run import Run
from proofline.tracking.spool import SPOOLS, Spool

CLOSE_SECONDS = 60.0
"""How long an ended stage waits for its recorder, which goes on alone after that."""


@contextmanager
def track(
    stage: str, *, sections: Mapping[str, object], policy: str | None = None, environment: Environment | None = None
) -> Iterator[Run]:
    """Record everything inside the block as one flat run of `stage`.

    `sections` are the parts of the recipe the stage depends on, by their names in `params.yaml`. DVC says which
    stage really runs (`evaluate@sft`); by hand it is `stage` and `policy`. The block's exception, SIGTERM included,
    ends the run as FAILED. Before anything is computed, raises CheckoutError where the code is another checkout's,
    AloneError where another process runs the stage, and TrackingError where there can be no store; one that does not
    answer, then or later, costs a warning, and the run waits in its spool.
    """
    refuse_other_checkout()
    environment = environment or load_environment()
    try:
        check_reachable(environment.tracking_uri)
    except SilentError as error:
        print(f"tracking: {error}\ntracking: this stage goes on, and its run waits", file=sys.stderr, flush=True)
    name = os.environ.get("DVC_STAGE") or (f"{stage}@{policy}" if policy else stage)
    with alone(name, environment.grace_seconds), _recorded(stage, name, policy, sections, environment) as run:
        yield run


@contextmanager
def _recorded(
    stage: str, name: str, policy: str | None, sections: Mapping[str, object], environment: Environment
) -> Iterator[Run]:
    """The run, from its first word to its last."""
    root = repository_root()
    run = RecordedRun(root / SPOOLS / f"{stage}-{uuid.uuid4().hex[:12]}.jsonl")
    run.write(
        "start",
        stage=stage,
        policy=policy,
        name=name,
        started_by="dvc" if "DVC_STAGE" in os.environ else "hand",
        experiment=os.environ.get("DVC_EXP_NAME"),
        baseline=os.environ.get("DVC_EXP_BASELINE_REV"),
        command=" ".join(["python", *sys.argv]),
        uri=environment.tracking_uri,
        folder=str(Path.cwd()),
        artifact_root=str(root / "mlartifacts"),
    )
    run.log_params({**sections, "execution": environment.model_dump(mode="json", exclude={"tracking_uri"})})
    try:
        with sigterm_as_exception(), heartbeat(os.environ.get("DVC_STAGE") or stage):
            yield run
    except BaseException as error:
        if isinstance(error, SystemExit) and not error.code:
            run.end("FINISHED")
        else:
            run.end("FAILED", f"{type(error).__name__}: {error}")
        if isinstance(error, Terminated):
            print(f"{name}: interrupted (SIGTERM). The same command goes on from what is kept", file=sys.stderr)
        raise
    else:
        run.end("FINISHED")


class RecordedRun(Spool):
    """A spool with a recorder at its other end.

    Its file is locked as long as this process or the recorder lives: what can be locked is left behind. What a full
    disk does not take goes through a pipe.
    """

    _without_file = "This stage goes on, and hands the rest of its run to the recorder directly."

    def __init__(self, path: Path) -> None:
        made = path.with_suffix(".partial")
        super().__init__(made)
        fcntl.flock(self._file, fcntl.LOCK_EX)
        made.rename(path)  # nobody has ever seen it without its lock
        self.path = path
        follow = ["--follow", str(os.getpid()), str(self._file), str(path)]
        # A session of its own: a signal to the stage's group must not take the one who reports it.
        self._recorder = subprocess.Popen(
            [sys.executable, "-m", "proofline.tracking.recorder", *follow], stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL, start_new_session=True, pass_fds=[self._file],
        )  # fmt: skip
        assert self._recorder.stdin is not None
        self._pipe = self._recorder.stdin.fileno()
        os.set_blocking(self._pipe, False)
        self._beside = b""
        """What the pipe has not taken yet."""

    def _has_reader(self) -> bool:
        return self._recorder.poll() is None

    def end(self, status: str, error: str | None = None) -> None:
        """Say the last word and wait until all has arrived."""
        if error:
            self.set_tag("proofline.error", error)
        self.write("end", status=status)
        self.close()
        assert self._recorder.stdin is not None
        os.set_blocking(self._pipe, True)
        self._drain()
        self._recorder.stdin.close()
        try:
            arrived = self._recorder.wait(CLOSE_SECONDS) == 0
        except subprocess.TimeoutExpired:
            arrived = False
        if not arrived:
            resend = f"python -m proofline.tracking.recorder {shlex.quote(str(self.path))}"
            print(
                f"tracking: this run is kept in {self.path}; send it with `{resend}`\n"
                "tracking: the next stage sends it too, and `proofline runs --send` all that wait",
                file=sys.stderr,
            )

    def _append(self, line: bytes) -> None:
        """To the file until that was full once, so that the order holds."""
        if self._warned:
            self._beside += line
            self._drain()
        else:
            super()._append(line)

    def _not_taken(self, line: bytes, reason: str) -> None:
        super()._not_taken(line, reason)
        self._append(line)

    def _drain(self) -> None:
        with suppress(BlockingIOError, BrokenPipeError):  # busy sending; ended, which `end` reports
            while self._beside:
                self._beside = self._beside[os.write(self._pipe, self._beside) :]
