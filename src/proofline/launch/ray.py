"""One function in every worker of a Ray cluster: launcher `ray`, over Ray Train.

Ray starts the workers and connects them (torch.distributed over NCCL or gloo). It keeps no checkpoint: the function
does, in the stage's folder. The restarts are counted here and not by Ray's FailureConfig, which would also start again
what was refused as bad input. SIGTERM to the stage is handed on to the workers, who end by themselves.
"""

from __future__ import annotations

import sys
import tempfile
from typing import Any

from proofline.config import Environment
from proofline.launch.cluster import NODE_WAIT_SECONDS, Place, cluster, require_slots
from proofline.launch.work import Job, LaunchError, died_too_often, work
from proofline.tracking.ending import sigterm_put_off

STARTS_OF_A_GROUP = 5
"""A group that finds no free room within Ray's minute is tried again: what others occupy may become free."""


def run_workers(job: Job, environment: Environment) -> Any:
    """What the job gave in rank 0. Raises what the function refused with."""
    from ray.train import ControllerError, WorkerGroupError

    with (
        cluster(environment) as place,
        tempfile.TemporaryDirectory(prefix="proofline-ray-") as folder,
        sigterm_put_off(environment.put_off_seconds, place.tell) as put_off,
    ):
        for attempt in range(environment.restarts + 1):
            require_slots(job.processes, place, NODE_WAIT_SECONDS if attempt else 0)
            try:
                return _trainer(job, place, folder).fit().return_value
            except WorkerGroupError as error:
                if put_off.asked:
                    put_off.end()
                for failure in error.worker_failures.values():
                    if isinstance(failure, ValueError | LaunchError):
                        raise failure from None
                died = _first_death(error.worker_failures)
                if attempt == environment.restarts:
                    raise died_too_often(job.processes, environment.restarts, died) from None
                print(f"launch: {died}; starting again", file=sys.stderr, flush=True)
                job.run.set_tag("proofline.restarts", str(attempt + 1))
            except ControllerError as error:
                raise LaunchError(
                    f"Ray could not start {job.processes} workers: {error.controller_failure}. `ray status` on the "
                    "head says what occupies the cluster."
                ) from None
    raise AssertionError("unreachable")


def _trainer(job: Job, place: Place, folder: str) -> Any:
    from ray.train import FailureConfig, RunConfig, ScalingConfig
    from ray.train.torch import TorchConfig, TorchTrainer
    from ray.train.v2.api.config import LoggingConfig

    class Trainer(TorchTrainer):
        def _register_sigint_handler(self, controller: object) -> None:
            """Ctrl-C stays the stage's own: Ray's handler would end it with exit status 0."""

    return Trainer(
        _worker,
        train_loop_config={"job": job, "place": place},
        torch_config=TorchConfig(backend="nccl" if place.gpu else "gloo"),
        scaling_config=ScalingConfig(
            num_workers=job.processes, use_gpu=place.gpu, resources_per_worker=place.demand,
            placement_strategy="PACK",
        ),
        run_config=RunConfig(
            storage_path=folder,
            failure_config=FailureConfig(max_failures=0, controller_failure_limit=STARTS_OF_A_GROUP - 1),
            logging_config=LoggingConfig(log_level="ERROR"),
        ),
    )  # fmt: skip


def _worker(given: dict[str, Any]) -> Any:
    given["place"].enter()
    given["place"].watch()
    return work(given["job"])


def _first_death(failures: dict[int, Exception]) -> str:
    """The worker that is gone rather than those that missed it: they fail with a broken connection."""
    from ray.exceptions import RayActorError

    def gone(error: Exception) -> bool:
        return isinstance(getattr(error, "health_check_failure", error), RayActorError)

    rank, error = min(failures.items(), key=lambda item: (not gone(item[1]), item[0]))
    if gone(error):
        return f"the worker of rank {rank}, or its node, is gone"
    return f"rank {rank} raised {type(error).__name__}: {error}"
