"""Chains by a policy and by a teacher behind a real HTTP server: what they are asked, and what comes of it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any

import pytest
from graded_rows import PROBLEM, grade, solution

from proofline.config.schema import Prompts, Traces, Writing
from proofline.data.candidates import Candidate
from proofline.data.prompts import VERDICT_LINE
from proofline.data.traces import Asked, build_traces
from proofline.verification.teacher import TeacherError, ask_teacher
from proofline.verification.write import write_chains

WRITING = Writing(attempts=3, temperature=0.7, top_p=0.9, max_new_tokens=24, teacher="some/teacher")
PROMPTS = Prompts(solution="{question}", verification="{question}\nSolution:\n{candidate}\nVerify.")
RIGHT, WRONG = PROBLEM.solution, "Bought: 3*12=34\nNow: 14+34=48\nLeft: 48-9=39\n#### 39"
ASKED = [Asked("s0", PROBLEM.question, RIGHT), Asked("s1", PROBLEM.question, WRONG)]


class Teacher(ThreadingHTTPServer):
    """Speaks as an OpenAI-compatible API does; refuses the first `failures` requests with `status`."""

    def __init__(self, failures: int = 0, status: int = 500) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.requests: list[dict[str, Any]] = []
        self.keys: set[str | None] = set()
        self.failures, self.status, self.lock = failures, status, Lock()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/v1"


class Handler(BaseHTTPRequestHandler):
    server: Teacher

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with self.server.lock:
            self.server.keys.add(self.headers["Authorization"])
            refused = self.server.failures > 0
            self.server.failures -= 1
            if not refused:
                self.server.requests.append(request)
        asked = request["messages"][-1]["content"]
        text = f"Step 1 is {'wrong' if '3*12=34' in asked else 'right'}.\n{VERDICT_LINE} "
        text += "No" if "3*12=34" in asked else "Yes"
        choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
        body = {"id": "x", "object": "chat.completion", "created": 0, "model": request["model"], "choices": [choice]}
        data = json.dumps({"error": {"message": "not now"}} if refused else body).encode()
        self.send_response(self.server.status if refused else 200 if self.path == "/v1/chat/completions" else 404)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args: object) -> None: ...


@pytest.fixture
def teacher(request: pytest.FixtureRequest) -> Iterator[Teacher]:
    server = Teacher(*getattr(request, "param", ()))
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_teacher_is_asked_with_what_a_verifier_has(teacher: Teacher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "a key")
    chains = ask_teacher(teacher.url, ASKED, WRITING, 0)
    assert [[chain.splitlines()[0] for chain in row] for row in chains] == [
        ["Step 1 is right."] * 3,
        ["Step 1 is wrong."] * 3,
    ]
    assert teacher.keys == {"Bearer a key"}
    assert len(teacher.requests) == 6
    for request in teacher.requests:
        (message,) = request["messages"]
        assert PROBLEM.question in message["content"]
        assert (RIGHT in message["content"]) != (WRONG in message["content"])
        assert (request["model"], request["temperature"], request["top_p"]) == ("some/teacher", 0.7, 0.9)
        assert request["max_tokens"] == 24
    assert len({request["seed"] for request in teacher.requests}) == 6
    wrong = [request["messages"][0]["content"] for request in teacher.requests if WRONG in str(request["messages"])]
    assert not any(" 36" in text or "41" in text for text in wrong), "nothing of the reference"


def test_a_placeholder_in_a_candidate_stays_as_it_is(teacher: Teacher) -> None:
    ask_teacher(teacher.url, [Asked("s", "What is {candidate}?", r"See {question} and \frac{1}{2}.")], WRITING, 0)
    assert all("What is {candidate}?" in request["messages"][0]["content"] for request in teacher.requests)
    assert all(r"See {question} and \frac{1}{2}." in request["messages"][0]["content"] for request in teacher.requests)


def test_a_teachers_chains_become_traces(teacher: Teacher) -> None:
    rows = [solution(0, RIGHT), solution(1, WRONG)]
    candidates = [Candidate(rows[0], grade(rows[0], "correct")), Candidate(rows[1], grade(rows[1], "wrong"))]
    section = Traces(sources=("endpoint",), per_problem=2, corrupted=0, limit=None, writing=WRITING)
    writers = {"endpoint": lambda asked: ask_teacher(teacher.url, asked, WRITING, 0)}
    traces, ledger = build_traces({"p": PROBLEM}, candidates, writers, section, seed=0)
    assert ledger["chains"] == {"endpoint": {"kept": 2}}
    assert {(trace.label, trace.chain) for trace in traces} == {
        (True, f"Step 1 is right.\n{VERDICT_LINE} Yes"),
        (False, f"Step 1 is wrong.\n{VERDICT_LINE} No"),
    }


@pytest.mark.parametrize("teacher", [(2, 500), (2, 429)], indirect=True)
def test_a_teacher_that_stumbles_is_asked_again(teacher: Teacher) -> None:
    assert len(ask_teacher(teacher.url, ASKED[:1], WRITING, 0)[0]) == 3


@pytest.mark.parametrize("teacher", [(1000, 401), (1000, 404)], indirect=True)
def test_a_teacher_that_refuses_is_told_with_the_remedy(teacher: Teacher) -> None:
    with pytest.raises(TeacherError, match=rf"{teacher.url} did not write .* some/teacher .*PROOFLINE_TEACHER_URL"):
        ask_teacher(teacher.url, ASKED, WRITING, 0)


def test_nobody_at_the_endpoint(teacher: Teacher) -> None:
    url = teacher.url
    teacher.shutdown()
    teacher.server_close()
    with pytest.raises(TeacherError, match=r"leave `endpoint` out of traces\.sources"):
        ask_teacher(url, ASKED[:1], WRITING, 0)


def test_a_policy_writes_the_same_verifications_in_any_order(tiny_policy: Path) -> None:
    chains = write_chains(tiny_policy, ASKED, PROMPTS, WRITING, 0, rows=4)
    assert [len(row) for row in chains] == [3, 3]
    assert len({chain for row in chains for chain in row}) == 6
    assert write_chains(tiny_policy, ASKED[::-1], PROMPTS, WRITING, 0, rows=2) == chains[::-1]
    assert write_chains(tiny_policy, ASKED, PROMPTS, WRITING, 1, rows=4) != chains
