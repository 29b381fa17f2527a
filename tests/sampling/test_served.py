"""Solutions drawn by a server, and what is known of it afterwards."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from graded_rows import PROBLEM
from speaking_server import Server, completion, saying, serving, status

from proofline.config.environment import Environment
from proofline.config.schema import Prompts
from proofline.endpoint import EndpointError
from proofline.records import Decoding, Solution
from proofline.sampling.policy import sample_solutions
from proofline.sampling.seeds import sample_seed
from proofline.sampling.served import drawing_by, find_served, sample_served
from proofline.storage.weights import weights_hash

PROMPTS = Prompts(solution="Solve: {question}", verification="{question} {candidate}")
DECODING = Decoding(temperature=0.7, top_p=0.9, max_new_tokens=24)
PROBLEMS = [PROBLEM, PROBLEM.model_copy(update={"id": "q", "question": "1 + 1?"})]


def by_seed(request: dict[str, Any]) -> str:
    return f"#### {request['seed']}"


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    """No server of these tests reads it; its name is a hash of its bytes."""
    (tmp_path / "sft").mkdir()
    (tmp_path / "sft/model.safetensors").write_bytes(b"weights")
    return tmp_path / "sft"


def environment(server: Server, cache: Path, **settings: Any) -> Environment:
    return Environment(sampling_url=server.url, endpoint_cache=str(cache), endpoint_attempts=1, **settings)


def drawn(policy: Path, where: Environment, run_seed: int = 0) -> list[Solution]:
    assert where.sampling_url
    served = find_served(where, where.sampling_url, policy, "sft")
    return sample_served(served, "sft", PROBLEMS, PROMPTS, DECODING, 3, run_seed, environment=where)


def test_a_sample_has_its_own_seed_and_says_who_drew_it(policy: Path, tmp_path: Path) -> None:
    with serving(by_seed) as server:
        rows = drawn(policy, environment(server, tmp_path / "cache"))
    weights = weights_hash(policy)
    assert [(row.problem_id, row.sample_index) for row in rows] == [(p.id, i) for p in PROBLEMS for i in range(3)]
    for row in rows:
        assert row.seed == sample_seed(0, row.problem_id, row.sample_index)
        assert row.text == f"#### {row.seed % 2**31}"
        assert (row.weights, row.server, row.policy) == (weights, "vllm 0.11.0", "sft")
        assert (row.num_tokens, row.finished, math.isnan(row.logprob)) == (5, True, True)
    assert len({row.id for row in rows}) == 6
    for request in server.requests:
        assert request["model"] == f"sft-{weights}", "the server states the weights by the name it serves them under"
        assert request["messages"][0]["content"].startswith("Solve: ")
        assert (request["temperature"], request["top_p"], request["max_tokens"]) == (0.7, 0.9, 24)


def test_weights_and_server_may_be_told(policy: Path, tmp_path: Path) -> None:
    with serving(by_seed) as server:
        told = {"sampling_model": "mine", "sampling_server": "llama.cpp b4000"}
        rows = drawn(policy, environment(server, tmp_path / "cache", **told))
        assert {request["model"] for request in server.requests} == {"mine"}
        assert {(row.server, row.weights) for row in rows} == {("llama.cpp b4000", weights_hash(policy))}
        # Trained further, served under the same name: other weights are other questions.
        (policy / "model.safetensors").write_bytes(b"other weights")
        before = len(server.requests)
        others = drawn(policy, environment(server, tmp_path / "cache", **told))
        assert len(server.requests) == 2 * before
        assert not {row.id for row in rows} & {row.id for row in others}


def test_a_cut_off_solution_is_unfinished_and_probabilities_are_kept(policy: Path, tmp_path: Path) -> None:
    body = completion("so", "m", "length")
    body["choices"][0]["logprobs"] = {"content": [{"token": "s", "logprob": -0.5}, {"token": "o", "logprob": -1.5}]}
    body["model"] = f"sft-{weights_hash(policy)}"
    with serving(by_seed, [saying(body)] * 6) as server:
        rows = drawn(policy, environment(server, tmp_path / "cache"))
        assert all(request["logprobs"] for request in server.requests)
    assert {(row.text, row.finished, row.logprob) for row in rows} == {("so", False, -2.0)}


def test_a_server_of_other_weights_is_told_how_to_start(policy: Path, tmp_path: Path) -> None:
    with serving(by_seed, [status(404)] * 6) as server:
        with pytest.raises(EndpointError) as caught:
            drawn(policy, environment(server, tmp_path / "cache"))
        assert f"`vllm serve {policy} --served-model-name sft-{weights_hash(policy)} " in str(caught.value)
        server.script, server.model = [], "dpo-0123"
        with pytest.raises(EndpointError, match="'dpo-0123' answered"):
            drawn(policy, environment(server, tmp_path / "cache"))
    with pytest.raises(EndpointError, match=rf"does not answer .*`vllm serve {policy} --served-model-name"):
        drawn(policy, environment(server, tmp_path / "cache"))


def test_the_environment_decides_who_draws(policy: Path, tmp_path: Path) -> None:
    settings = {"prompts": PROMPTS, "decoding": DECODING, "num_samples": 3, "run_seed": 0}
    own = drawing_by(Environment(sampling_rows=12), policy, "sft", **settings)
    assert isinstance(own.function, partial)
    assert (own.function.func, own.shard_size, own.each) == (sample_solutions, 8, "core")
    with serving(by_seed) as server:
        where = environment(server, tmp_path / "cache", endpoint_requests=3)
        served = drawing_by(where, policy, "sft", **settings)
        assert (served.shard_size, served.each) == (64, "machine")
        assert served.function(PROBLEMS) == drawn(policy, where), "another time costs nothing"
        assert len(server.requests) == 6
        assert drawn(policy, where, run_seed=1)[0].text != drawn(policy, where)[0].text
