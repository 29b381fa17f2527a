"""A Ray cluster for the duration of a stage: the one that the environment names, or one of this machine.

Ray only starts functions. What they read and write are files, so every node has to see the stage's working directory
at the same path (NFS, Filestore); this package travels with the stage, its dependencies do not.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from proofline.config import Environment
from proofline.config.environment import all_cores
from proofline.launch.work import LaunchError
from proofline.tracking.ending import NOTICED

NODE_WAIT_SECONDS = 300
"""How long a node that died is waited for, itself or another in its place."""
CONNECT_SECONDS = 5
WATCH_SECONDS = 0.5
LOOPBACK = "127.0.0.2"
"""Where a cluster of this machine meets; Ray 2.60 would replace 127.0.0.1 by the machine's address on the network. Its
main ports accept connections on all interfaces whatever one says: what keeps others out is the token."""
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    # Tells functions that ask of announced node losses; a training here goes on from its checkpoint without.
    "RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0",
    # What a worker prints would come twice.
    "RAY_TRAIN_ENABLE_PRINT_PATCH": "0",
}
FORWARDED = (
    "HF_", "TRANSFORMERS_", "TOKENIZERS_", "DS_", "PYTHONHASHSEED",
    "ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_CBWR", "OMP_WAIT_POLICY",
)  # fmt: skip
"""Beginnings of the names of the variables that a worker gets from the stage."""


@dataclass(frozen=True)
class Place:
    """What a worker needs: its share of a node, and the proof that the node has the stage's files."""

    threads: int
    gpu: bool
    folder: Path
    token: str

    @property
    def demand(self) -> dict[str, float]:
        """Ray's resources of one worker."""
        return {"CPU": float(self.threads)} | ({"GPU": 1.0} if self.gpu else {})

    def watch(self) -> None:
        """From now on this process notices when the stage is asked to end: no signal reaches a worker."""
        from ray.experimental.internal_kv import _internal_kv_exists

        def ask() -> None:
            while not _internal_kv_exists(self.token):
                time.sleep(WATCH_SECONDS)
            NOTICED.set()

        threading.Thread(target=ask, name="end-of-stage", daemon=True).start()

    def tell(self) -> None:
        """Ask the workers to finish what is worth it, and to end."""
        from ray.experimental.internal_kv import _internal_kv_put

        _internal_kv_put(self.token, b"ends")

    def enter(self) -> None:
        """Go to the stage's working directory. Raises LaunchError where this node has another, or none."""
        try:
            found = (self.folder / f".{self.token}.partial").is_file()
            os.chdir(self.folder)
        except OSError:
            found = False
        if not found:
            raise LaunchError(
                f"Node {socket.gethostname()} does not see the stage's folder {self.folder}. Every node of the "
                "cluster needs the repository at this very path: mount it from a shared file system (NFS, Filestore)."
            )


@contextmanager
def cluster(environment: Environment) -> Iterator[Place]:
    """Connected to the cluster, or to one made for this stage. Raises LaunchError where that is impossible."""
    import ray

    os.environ |= QUIET
    settings = {
        "runtime_env": {
            "py_modules": [str(Path(__file__).parents[1])],
            "excludes": ["__pycache__"],
            "env_vars": {name: value for name, value in os.environ.items() if name.startswith(FORWARDED)},
        },
        "logging_level": "ERROR",
        "logging_config": ray.LoggingConfig(log_level="ERROR"),
    }
    terminated = signal.getsignal(signal.SIGTERM)
    token = f"proofline-{uuid.uuid4().hex}"
    seen = Path.cwd() / f".{token}.partial"
    seen.touch()
    try:
        if environment.ray_address:
            _reachable(environment.ray_address)
            ray.init(address=environment.ray_address, **settings)
        else:
            # Ray makes itself a token (~/.ray/auth_token) and asks for it.
            cpus = max(all_cores(), environment.processes * environment.threads_each)
            ray.init(
                address="local", num_cpus=cpus, include_dashboard=False, _node_ip_address=LOOPBACK, **settings
            )  # fmt: skip
        if threading.current_thread() is threading.main_thread():
            # SIGTERM stays the stage's own: its run has to end as failed.
            signal.signal(signal.SIGTERM, terminated)
        yield Place(environment.threads_each, ray.cluster_resources().get("GPU", 0) > 0, Path.cwd(), token)
    finally:
        ray.shutdown()
        seen.unlink()


def _reachable(address: str) -> None:
    """Refuse within seconds what `ray.init` tries for two minutes, and then answers by ending the process."""
    from ray._private.authentication.authentication_token_setup import ensure_token_if_auth_enabled
    from ray._private.services import canonicalize_bootstrap_address
    from ray._raylet import GcsClient  # type: ignore[attr-defined]
    from ray.exceptions import AuthenticationError, RpcError

    host, _, port = address.rpartition(":")
    if "://" in address or not host or not port.isdigit():
        raise LaunchError(
            f"PROOFLINE_RAY_ADDRESS is {address}; expected the head's host and port, such as 10.0.0.2:6379. A stage "
            "reads and writes files that the cluster sees too: run it on a node of the cluster, or as a Ray job."
        )
    address = canonicalize_bootstrap_address(address)
    try:
        socket.create_connection((address.rpartition(":")[0], int(port)), timeout=CONNECT_SECONDS).close()
        ensure_token_if_auth_enabled(None, create_token_if_missing=False)
        GcsClient(address=address)
    except AuthenticationError as error:
        raise LaunchError(
            f"The Ray cluster at {address} did not accept this stage's token (RAY_AUTH_MODE="
            f"{os.environ.get('RAY_AUTH_MODE', 'unset')}). Set RAY_AUTH_MODE=token, and RAY_AUTH_TOKEN or "
            "~/.ray/auth_token to the token that the head was started with."
        ) from error
    except (OSError, RpcError) as error:
        raise LaunchError(
            f"No Ray cluster answers at {address} ({error}). Start one (`ray start --head`), or correct "
            "PROOFLINE_RAY_ADDRESS; unset, the stage has a cluster of its own on this machine."
        ) from error


def slots(demand: Mapping[str, float]) -> int:
    """How many workers of such a demand the living nodes hold at once, were nobody else there."""
    import ray

    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    return sum(int(min(node.get(name, 0) // need for name, need in demand.items())) for node in nodes)


def require_slots(workers: int, place: Place, wait_seconds: float) -> None:
    """Raises LaunchError, with numbers, when after the wait there still are not enough nodes for so many workers."""
    deadline = time.monotonic() + wait_seconds
    while (room := slots(place.demand)) < workers:
        if time.monotonic() >= deadline:
            raise LaunchError(
                f"{workers} processes of {_spelled(place.demand)} were asked for and the cluster has room for {room}. "
                "Start more nodes, or lower PROOFLINE_PROCESSES or PROOFLINE_THREADS."
            )
        time.sleep(1.0)


def _spelled(demand: Mapping[str, float]) -> str:
    return " and ".join(f"{need:g} {name}" for name, need in demand.items())
