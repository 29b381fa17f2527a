"""The Ray cluster itself: reaching or starting it, and whether a stage's processes fit into it.

A cluster that is started here lives as long as the stage and listens on loopback only, without a dashboard, and with
Ray's token authentication, which Ray 2.60 turns on by itself. One that is named by `PROOFLINE_RAY_ADDRESS` is as its
owner started it; docs/laptop-to-cluster.md says how.
"""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path
from typing import Any

from proofline.config import Environment
from proofline.config.environment import all_cores
from proofline.launch.work import LaunchError

REACH_SECONDS = 5.0
"""For the head's port to answer; Ray by itself would try for minutes."""


def connect(environment: Environment) -> Any:
    """The `ray` module, connected. Raises LaunchError where the cluster is not there."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    if ray.is_initialized():
        return ray
    address = environment.ray_address
    # The nodes see the repository, so its sources are the package; what else the stage can import comes along.
    sources = [str(Path(__file__).parents[2]), *filter(None, sys.path)]
    settings: dict[str, Any] = {
        "runtime_env": {"env_vars": {"PYTHONPATH": os.pathsep.join(dict.fromkeys(sources))}},
        "logging_level": "WARNING",
    }
    if address is None:
        cores = max(all_cores(), environment.processes * environment.threads_each)
        ray.init(num_cpus=cores, include_dashboard=False, _node_ip_address="127.0.0.1", **settings)
        return ray
    check_address(address)
    try:
        ray.init(address=address, **settings)
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise LaunchError(
            f"The Ray cluster at {address} (PROOFLINE_RAY_ADDRESS) does not take this stage: {error} This machine has "
            "to be a node of the cluster (`ray start --address=…`), with the cluster's versions of Ray and Python and "
            "its token (RAY_AUTH_TOKEN, or ~/.ray/auth_token)."
        ) from None
    return ray


def check_address(address: str) -> None:
    """Raises LaunchError for an address that is no `host:port` of a head that answers."""
    host, separator, port = address.rpartition(":")
    if "://" in address or not separator or not port.isdigit():
        raise LaunchError(
            f"PROOFLINE_RAY_ADDRESS is {address!r}; expected the head's host:port, such as 10.0.0.2:6379. A client "
            "outside the cluster (ray://) does not share its files: start the stage on a node, or as a Ray job."
        )
    try:
        socket.create_connection((host, int(port)), timeout=REACH_SECONDS).close()
    except OSError as error:
        raise LaunchError(
            f"No Ray head answers at {address} (PROOFLINE_RAY_ADDRESS): {error}. Start one there with "
            f"`ray start --head --port={port}`, or unset the variable for a cluster of this machine."
        ) from None


def needs(environment: Environment, each: str) -> dict[str, float]:
    """Resources of one process, or of a function that takes a whole machine (which starts `grader_workers`)."""
    import ray

    if each == "machine":
        largest = max(node["Resources"].get("CPU", 1) for node in ray.nodes() if node["Alive"])
        return {"CPU": min(environment.grader_workers, largest)}
    if ray.cluster_resources().get("GPU", 0):
        return {"CPU": 1, "GPU": 1}
    return {"CPU": environment.threads_each}


def refuse_too_many(need: dict[str, float], processes: int) -> None:
    """Raises LaunchError where the cluster's nodes are too small for so many processes: Ray itself would wait."""
    room = room_for(need)
    if room < processes:
        each = " and ".join(f"{amount:g} {kind}" for kind, amount in need.items())
        raise LaunchError(
            f"{processes} processes of {each} were asked for, and the Ray cluster has room for {room}. Lower "
            "PROOFLINE_PROCESSES or PROOFLINE_THREADS, or add nodes."
        )


def room_for(need: dict[str, float]) -> int:
    """Processes that the living nodes hold when idle."""
    import ray

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return sum(min(int(node.get(kind, 0) // amount) for kind, amount in need.items()) for node in nodes)
