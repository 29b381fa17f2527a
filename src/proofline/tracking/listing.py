"""`proofline runs`: what ran, what runs, what is to come, and which runs have not reached their store yet."""

from __future__ import annotations

from pathlib import Path

from proofline.tracking.mlflow_run import open_experiment, quiet_mlflow
from proofline.tracking.reach import TrackingError, check_reachable, public
from proofline.tracking.recorder import send_all
from proofline.tracking.reproduction import runs_of_last_reproduction
from proofline.tracking.spool import SPOOLS
from proofline.tracking.waiting import Kept, left_behind


def list_runs(uri: str, root: Path) -> None:
    """Print the stages of the last reproduction with their runs, and the runs that wait to be sent."""
    waiting = left_behind(root / SPOOLS)
    if waiting:
        print(f"{_count(waiting)} to be sent; the next stage does it, or `proofline runs --send`")
    check_reachable(uri)
    quiet_mlflow()
    client, experiment = open_experiment(uri, root / "mlartifacts")
    reproduction = runs_of_last_reproduction(client, experiment, root)
    for stage in reproduction.stages:
        ended = f"{stage.ended:%Y-%m-%d %H:%M:%S}" if stage.ended else stage.where
        print(f"{stage.stage:18} {ended:22} {stage.run_id or ''}".rstrip())
    print(reproduction.summary)


def send_waiting(root: Path) -> None:
    """Send every run that waits, each to its own store. Raises TrackingError where some cannot be sent now."""
    waiting = left_behind(root / SPOOLS)
    if not waiting:
        print("no run waits to be sent")
        return
    lost = {}
    for uri in {one.uri for one in waiting if one.uri is not None}:
        try:
            check_reachable(uri)
        except TrackingError as error:
            lost[uri] = str(error)
    for one in waiting:
        if one.uri not in lost and send_all([one.path]):
            print(f"sent {one.name} to {public(one.uri or '')}")
    if left := left_behind(root / SPOOLS):
        raise TrackingError("\n  ".join([f"{_count(left)}, kept in {root / SPOOLS}", *lost.values()]))


def _count(waiting: list[Kept]) -> str:
    """`2 runs wait (train_sft, sample@sft)`."""
    names = ", ".join(one.name for one in waiting)
    return f"{len(waiting)} runs wait ({names})" if len(waiting) > 1 else f"1 run waits ({names})"
