"""Against an OpenAI-compatible server of another project: `transformers serve` with the bundled base."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from graded_rows import PROBLEM, solution

from proofline.base.source import BUNDLED
from proofline.config.environment import Environment
from proofline.config.schema import EndpointJudge, Prompts
from proofline.endpoint import Endpoint, EndpointError, Question
from proofline.judging.endpoint import REMEDY, judge_by_endpoint
from proofline.judging.sides import Sides
from proofline.records import Decoding
from proofline.sampling.policy import sample_solutions
from proofline.sampling.served import find_served, sample_served

pytestmark = pytest.mark.slow
PROMPTS = Prompts(solution="{question}", verification="{question}\nSolution:\n{candidate}\nVerify.")
GREEDY = Decoding(temperature=0.0, top_p=1.0, max_new_tokens=48)
PATIENCE_SECONDS = 600.0
PROBLEMS = [PROBLEM, PROBLEM.model_copy(update={"id": "q", "question": "Tom has 3 apples and buys 4. How many?"})]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    program = Path(sys.executable).parent / "transformers"
    log = tmp_path_factory.mktemp("server") / "log"
    command = [program, "serve", BUNDLED, "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    with open(log, "w") as out:
        process = subprocess.Popen(
            [*map(str, command), "--dtype", "float32"], stdout=out, stderr=out,
            env={**os.environ, "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"},
        )  # fmt: skip
    try:
        began = time.monotonic()
        while True:
            assert process.poll() is None, log.read_text()[-3000:]
            assert time.monotonic() - began < PATIENCE_SECONDS, log.read_text()[-3000:]
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                    break
            except OSError:
                time.sleep(0.5)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        process.terminate()
        process.wait(60)


def test_it_draws_what_the_own_loop_draws(server: str, tmp_path: Path) -> None:
    """Greedy decoding has no seed: the same weights give the same texts through either engine and chat template."""
    where = Environment(
        sampling_url=server, sampling_model=str(BUNDLED), sampling_server=f"transformers {version('transformers')}",
        endpoint_cache=str(tmp_path), endpoint_timeout_seconds=PATIENCE_SECONDS,
    )  # fmt: skip
    there = find_served(where, server, BUNDLED, "base")
    served = sample_served(there, "base", PROBLEMS, PROMPTS, GREEDY, 1, 0, environment=where)
    own = sample_solutions(BUNDLED, "base", PROBLEMS, PROMPTS, GREEDY, 1, 0, rows=2)
    assert [row.text for row in served] == [row.text for row in own]
    assert [row.finished for row in served] == [row.finished for row in own]
    assert [row.weights for row in served] == [row.weights for row in own]
    assert {row.server for row in served} == {where.sampling_server}
    assert not {row.id for row in served} & {row.id for row in own}


def test_a_model_that_is_no_judge_gives_no_verdict(server: str, tmp_path: Path) -> None:
    endpoint = Endpoint(server, REMEDY, tmp_path, timeout_seconds=PATIENCE_SECONDS)
    section = EndpointJudge(model=str(BUNDLED), temperature=0.0, max_new_tokens=16)
    one = Sides(PROBLEM, solution(0, "#### 1"), solution(1, "#### 2"))
    (row,) = judge_by_endpoint(endpoint, [one], section)
    assert (row.winner, row.by_order) == (None, (None, None))
    assert all(row.replies)
    assert endpoint.spent.completion_tokens > 0


def test_a_model_that_it_does_not_have_is_an_error(server: str) -> None:
    endpoint = Endpoint(server, "Look.", None, attempts=1, timeout_seconds=PATIENCE_SECONDS)
    question = Question("no/such-model", (("user", "hello"),), 0.0, 1.0, 8)
    with pytest.raises(EndpointError, match=r"gave no answer by no/such-model: .*Look\."):
        endpoint.ask([question])
