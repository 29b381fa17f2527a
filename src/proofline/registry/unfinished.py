"""Registrations that were cut off (killed, out of power): told from those that go on, then concluded or taken back.

A registration names its process on the logged model and on the run that it makes, and on the model no longer when its
version is there. What names a process that is gone was cut off; one on another machine counts as gone after a day.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil

from proofline.registry.files import remove_files
from proofline.registry.store import WEIGHTS, by_weights, first_line, model_id_of, model_name, versions
from proofline.tracking.mlflow_run import EXPERIMENT

MAKER = "proofline.registering"
"""The tag that names the process: machine, number, start in seconds since 1970."""
PATIENCE_SECONDS = 24 * 3600.0
CLOCK_SECONDS = 2.0
"""By so much a process's start may seem to move: the system counts it from its own, and the clock is set meanwhile."""


def maker() -> str:
    """This process, as `MAKER` has it."""
    return f"{_machine()} {os.getpid()} {psutil.Process().create_time():.1f}"


def conclude(client: Any, policy: str, model: Any, made: Any) -> Any:
    """The last step of a registration; returns the version of the weights.

    Of two that store the same weights at once the later one takes its back: the store numbers versions, so both see
    which came first.
    """
    first = by_weights(client, policy, made.tags[WEIGHTS]) or made
    if first.version != made.version:
        client.delete_model_version(made.name, made.version)
        take_back(client, model)
        return first
    # By this tag MLflow's Models tab leads to the version.
    page = json.dumps([{"name": made.name, "version": int(made.version)}])
    client.set_logged_model_tags(model.model_id, {"mlflow.modelVersions": page})
    client.delete_logged_model_tag(model.model_id, MAKER)
    return made


def take_back(client: Any, model: Any) -> None:
    """No files, then no model: cut off in between, it is found again."""
    remove_files(client, model.artifact_location)
    client.delete_logged_model(model.model_id)


def settle(client: Any, policy: str) -> None:
    """Conclude what has its version, take back what has none. A line on stderr for each, also where that fails."""
    known = {model_id_of(version): version for version in versions(client, policy)}
    for model in cut_off(client, policy):
        version = known.get(model.model_id)
        try:
            if version is None:
                take_back(client, model)
                done = "what it left is taken away"
            else:
                done = f"it is version {conclude(client, policy, model, version).version}"
        except Exception as error:  # of another, or not to be deleted: it must not keep anybody from registering
            done = f"what it left stays: {first_line(error)}"
        print(f"registry: {in_words(model)}: {done}", file=sys.stderr)
    made_by = {version.run_id for version in known.values()}
    for run in _runs_cut_off(client, policy):
        if run.info.run_id in made_by:
            client.set_terminated(run.info.run_id, "FINISHED")
        else:
            client.delete_run(run.info.run_id)


def cut_off(client: Any, policy: str) -> list[Any]:
    """The logged models of a policy whose registration has stopped on its way."""
    asked = f"name = '{model_name(policy)}' AND tags.`{MAKER}` != ''"
    found = client.search_logged_models(_experiments(client), asked)
    return [model for model in found if _gone(model.tags[MAKER], model.creation_timestamp)]


def in_words(model: Any) -> str:
    machine, number, _ = model.tags[MAKER].rsplit(" ", 2)
    began = datetime.fromtimestamp(model.creation_timestamp / 1000)
    return f"a registration of {began:%Y-%m-%d %H:%M} by process {number} on {machine.split()[0]} was cut off"


def _runs_cut_off(client: Any, policy: str) -> list[Any]:
    """Runs of registrations; those of trainings have their recorder."""
    asked = f"tags.`{MAKER}` != '' and tags.`proofline.policy` = '{policy}' and attributes.status = 'RUNNING'"
    found = client.search_runs(_experiments(client), asked)
    return [run for run in found if _gone(run.data.tags[MAKER], run.info.start_time)]


def _experiments(client: Any) -> list[str]:
    experiment = client.get_experiment_by_name(EXPERIMENT)
    return [experiment.experiment_id] if experiment else []


def _gone(named: str, began_ms: int) -> bool:
    machine, number, start = named.rsplit(" ", 2)
    if machine != _machine():
        return time.time() - began_ms / 1000 > PATIENCE_SECONDS
    try:
        process = psutil.Process(int(number))
        return abs(process.create_time() - float(start)) > CLOCK_SECONDS or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _machine() -> str:
    """Its name, and what its processes' numbers are counted in: a container has a count of its own."""
    count = Path("/proc/self/ns/pid")
    return f"{socket.gethostname()} {count.readlink() if count.is_symlink() else ''}".rstrip()
