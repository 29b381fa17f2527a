"""A Ray cluster of two real nodes with token authentication: what it computes, and what its parts' deaths change."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import launched
import pytest
from checkout import PATIENCE_SECONDS
from training_rows import PROMPTS, Recorded, difference, training

from proofline.config import Environment
from proofline.data.synthetic import generate_problems
from proofline.launch import LaunchError, keeping, launch, spread
from proofline.launch.cluster import Place
from proofline.records import Decoding
from proofline.storage.weights import weights_hash
from proofline.tracking import NullRun
from proofline.training.execution import Execution

pytestmark = pytest.mark.slow(minutes=4)

HERE = Path(__file__).parent
FUNCTIONS = os.pathsep.join([str(HERE), str(HERE.parent / "training"), os.environ.get("PYTHONPATH", "")])
TOKEN = "proofline-tests-" + "0" * 48


@pytest.fixture(scope="module")
def nodes() -> Iterator[Any]:
    """A head that computes nothing and two nodes of one CPU each, on loopback."""
    with pytest.MonkeyPatch.context() as variables:
        variables.setenv("RAY_AUTH_MODE", "token")
        variables.setenv("RAY_AUTH_TOKEN", TOKEN)
        variables.setenv("RAY_USAGE_STATS_ENABLED", "0")
        variables.setenv("RAY_prestart_worker_first_driver", "0")
        # The package travels with a stage; these tests' own functions do not.
        variables.setenv("PYTHONPATH", FUNCTIONS)
        from ray.cluster_utils import Cluster

        cluster = Cluster(
            initialize_head=True,
            head_node_args={"num_cpus": 0, "node_ip_address": "127.0.0.2", "include_dashboard": False},
        )
        for host in (3, 4):
            cluster.add_node(num_cpus=1, node_ip_address=f"127.0.0.{host}")
        yield cluster
        cluster.shutdown()


@pytest.fixture
def settings(nodes: Any) -> Any:
    return partial(Environment, launcher="ray", ray_address=nodes.address, processes=2, threads=1)


@pytest.fixture(scope="module")
def undisturbed(tiny_policy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The SFT weights that one process trains, which are those of two without Ray (`test_checkpoints`)."""
    out_dir = tmp_path_factory.mktemp("undisturbed") / "sft"
    training("sft", tiny_policy)(0, out_dir, Recorded(), execution=Execution(threads=1, micro_batch=4))
    return out_dir


STAGE = """
import sys
from functools import partial
from pathlib import Path
from launched import train_through_losses
from proofline.config import load_environment
from proofline.launch import launch
from proofline.tracking import NullRun
from proofline.training.execution import Execution

out_dir = Path("out").absolute()
execution = Execution(threads=1, micro_batch=4, checkpoints=out_dir / "checkpoints", save_steps=2)
launch(partial(train_through_losses, Path(sys.argv[1]), out_dir, execution), NullRun(), load_environment())
"""


class Trained(NamedTuple):
    folder: Path
    """The stage's."""
    said: str


@pytest.fixture(scope="module")
def trained(nodes: Any, tiny_policy: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A stage that knows of the cluster only its address, where its first worker is killed, and then that one's node;
    the worker comes again where it was, the node is replaced by one that comes later."""
    folder = tmp_path_factory.mktemp("stage")
    variables = os.environ | {
        "PROOFLINE_LAUNCHER": "ray", "PROOFLINE_RAY_ADDRESS": nodes.address, "PROOFLINE_PROCESSES": "2",
        "PROOFLINE_THREADS": "1", "PROOFLINE_RESTARTS": "2",
    }  # fmt: skip
    with open(folder.with_name("said"), "w") as errors:
        command = [sys.executable, "-c", STAGE, str(tiny_policy)]
        stage = subprocess.Popen(command, cwd=folder, env=variables, stdout=subprocess.DEVNULL, stderr=errors)
    while not (folder / "out/lost").exists() and stage.poll() is None:
        time.sleep(0.2)
    # The node is not missed yet, and when it is, there is room for one worker only until this one is up.
    nodes.add_node(num_cpus=1, node_ip_address="127.0.0.5")
    status, said = stage.wait(PATIENCE_SECONDS), folder.with_name("said").read_text()
    assert status == 0, said[-3000:]
    return Trained(folder, said)


def test_a_stage_that_knows_only_the_address_trains_on_two_nodes(
    trained: Trained, undisturbed: Path, tiny_policy: Path
) -> None:
    """To the bit without ZeRO; where that shards the training over the nodes, as far as sums in another order go."""
    assert weights_hash(trained.folder / "out/sft") == weights_hash(undisturbed)
    assert difference(trained.folder / "out/2/sft", undisturbed, tiny_policy) < 1e-2
    assert [path.name for path in trained.folder.iterdir()] == ["out"]


def test_a_killed_worker_and_a_lost_node_are_replaced_and_the_weights_are_the_same(
    trained: Trained, undisturbed: Path
) -> None:
    assert (trained.folder / "out/killed").exists()
    assert (trained.folder / "out/lost").exists()
    assert trained.said.count("or its node, is gone; starting again") == 2
    assert "rank 0, or its node, is gone; starting again" in trained.said
    assert weights_hash(trained.folder / "out/sft") == weights_hash(undisturbed)


def test_samples_and_grades_are_those_of_one_process(settings: Any, tiny_policy: Path) -> None:
    from proofline.sampling.policy import sample_solutions

    problems = list(generate_problems("train", 12, seed=0))
    decoding = Decoding(temperature=1.0, top_p=1.0, max_new_tokens=12)
    sample = partial(
        sample_solutions, tiny_policy, "sft", prompts=PROMPTS, decoding=decoding, num_samples=2, run_seed=0, rows=8
    )
    alone = list(spread(sample, problems, Environment(threads=1), shard_size=3))
    assert list(spread(sample, problems, settings(), shard_size=3)) == alone
    grade = partial(launched.grade_shard, {problem.id: problem for problem in problems})
    grades = list(spread(grade, alone, Environment(), shard_size=5, each="machine"))
    assert list(spread(grade, alone, settings(), shard_size=5, each="machine")) == grades


def test_a_shard_whose_worker_died_is_computed_by_another(settings: Any, tmp_path: Path) -> None:
    function = partial(launched.squares_dying_once, tmp_path / "died")
    results = list(spread(function, range(40), settings(restarts=1), shard_size=3, each="machine"))
    assert results == [number * number for number in range(40)]
    assert (tmp_path / "died").exists()


def test_shards_of_an_ended_stage_are_not_computed_again(settings: Any, tmp_path: Path) -> None:
    """Whatever worker has finished them, before the one that ended it."""
    environment = settings().model_copy(update={"checkpoints": str(tmp_path / "kept"), "save_steps": 1})
    trace = tmp_path / "trace"

    def stage(last: int) -> list[int]:
        with keeping("grade", {}, [], environment, NullRun()) as kept:
            function, part = partial(launched.squares_noted, trace), kept(int)
            return list(spread(function, [*range(12), last], environment, shard_size=1, each="machine", kept=part))

    with pytest.raises(ValueError, match="found -1"):
        stage(-1)
    assert stage(12) == [number * number for number in range(13)]
    noted = [int(line) for line in trace.read_text().split()]
    assert set(noted) == {-1, *range(13)}
    assert len(noted) <= 14 + 1, "the other worker was at a shard when the stage ended"
    assert not list((tmp_path / "kept").rglob("*.json"))


def test_bad_input_is_raised_as_itself_and_not_tried_again(settings: Any, tmp_path: Path) -> None:
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(ValueError, match=r"^found 7; expected 8$"):
        launch(partial(launched.refuse, tmp_path / "calls"), NullRun(), settings(restarts=2))
    assert (tmp_path / "calls").read_text() == "called\n"
    assert signal.getsignal(signal.SIGINT) is before
    with pytest.raises(ValueError, match=r"^found -1; expected a natural number$"):
        list(spread(launched.squares, [1, -1, 3], settings(restarts=2), shard_size=1, each="machine"))


def test_more_processes_than_the_cluster_holds_are_refused_with_numbers(settings: Any) -> None:
    for call in (
        lambda: launch(launched.who, NullRun(), settings(processes=3)),
        lambda: list(spread(launched.squares, [1], settings(processes=3), shard_size=1)),
    ):
        with pytest.raises(LaunchError, match="3 processes of 1 CPU were asked for and the cluster has room for 2"):
            call()


def test_the_cluster_refuses_who_has_no_token_or_another(settings: Any) -> None:
    ask = "from proofline.config import load_environment as e; from proofline.launch import spread; " + (
        "list(spread(sum, [1], e(), shard_size=1))"
    )
    bare = {name: value for name, value in os.environ.items() if not name.startswith("RAY_AUTH")}
    bare |= {"PROOFLINE_LAUNCHER": "ray", "PROOFLINE_RAY_ADDRESS": settings().ray_address, "HOME": "/nonexistent"}
    for wrong in ({}, {"RAY_AUTH_MODE": "token"}, {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": TOKEN[::-1]}):
        done = subprocess.run(
            [sys.executable, "-c", ask], env=bare | wrong, capture_output=True, text=True, timeout=PATIENCE_SECONDS
        )
        assert done.returncode == 1
        assert "did not accept this stage's token" in done.stderr, done.stderr[-2000:]


@pytest.mark.parametrize("address", ["ray://127.0.0.1:10001", "127.0.0.1", "127.0.0.1:1"])
def test_an_address_without_a_head_is_refused_before_ray_tries(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ray's own tries take minutes."""
    monkeypatch.setattr("ray.init", lambda **_: pytest.fail("Ray was asked"))
    with pytest.raises(LaunchError, match=r"PROOFLINE_RAY_ADDRESS"):
        launch(launched.who, NullRun(), Environment(launcher="ray", ray_address=address))


def test_a_node_that_does_not_see_the_stages_folder_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(LaunchError, match=f"does not see the stage's folder {folder}"):
            Place(1, False, folder, "another-stage").enter()


def test_without_an_address_the_stage_has_a_cluster_of_its_own_on_loopback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RAY_AUTH_TOKEN", TOKEN)
    monkeypatch.setenv("PYTHONPATH", FUNCTIONS)
    environment = Environment(launcher="ray", processes=2, threads=1)
    assert launch(launched.who, NullRun(), environment) == ("0", "2", str(tmp_path))
