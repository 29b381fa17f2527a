"""Chains by a policy and by a teacher behind a real HTTP server: what they are asked, and what comes of it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from graded_rows import PROBLEM, grade, solution, traced
from speaking_server import Server, serving, status

from proofline.config.schema import Prompts, Traces, Writing
from proofline.data.graded import Candidate
from proofline.data.prompts import VERDICT_LINE
from proofline.data.traces import Asked
from proofline.endpoint import Endpoint, EndpointError
from proofline.verification.teacher import REMEDY, ask_teacher
from proofline.verification.write import write_chains

WRITING = Writing(attempts=3, temperature=0.7, top_p=0.9, max_new_tokens=24, teacher="some/teacher")
PROMPTS = Prompts(solution="{question}", verification="{question}\nSolution:\n{candidate}\nVerify.")
RIGHT, WRONG = PROBLEM.solution, "Bought: 3*12=34\nNow: 14+34=48\nLeft: 48-9=39\n#### 39"
ASKED = [Asked("s0", PROBLEM.question, RIGHT), Asked("s1", PROBLEM.question, WRONG)]


def verification(request: dict[str, Any]) -> str:
    wrong = "3*12=34" in request["messages"][-1]["content"]
    return f"Step 1 is {'wrong' if wrong else 'right'}.\n{VERDICT_LINE} {'No' if wrong else 'Yes'}"


@pytest.fixture
def teacher() -> Iterator[Server]:
    with serving(verification) as server:
        yield server


def at(server: Server, cache: Path | None = None) -> Endpoint:
    return Endpoint(server.url, REMEDY, cache, attempts=3, first_wait_seconds=0.01)


def test_a_teacher_is_asked_with_what_a_verifier_has(teacher: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "a key")
    chains = ask_teacher(at(teacher), ASKED, WRITING, 0)
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


def test_a_placeholder_in_a_candidate_stays_as_it_is(teacher: Server) -> None:
    ask_teacher(at(teacher), [Asked("s", "What is {candidate}?", r"See {question} and \frac{1}{2}.")], WRITING, 0)
    assert all("What is {candidate}?" in request["messages"][0]["content"] for request in teacher.requests)
    assert all(r"See {question} and \frac{1}{2}." in request["messages"][0]["content"] for request in teacher.requests)


def test_a_teachers_chains_become_traces(teacher: Server) -> None:
    rows = [solution(0, RIGHT), solution(1, WRONG)]
    candidates = [Candidate(rows[0], grade(rows[0], "correct")), Candidate(rows[1], grade(rows[1], "wrong"))]
    section = Traces(sources=("endpoint",), per_problem=2, corrupted=0, limit=None, writing=WRITING)
    writers = {"endpoint": lambda asked: ask_teacher(at(teacher), asked, WRITING, 0)}
    traces, ledger = traced({"p": PROBLEM}, candidates, writers, section)
    assert ledger["chains"] == {"endpoint": {"kept": 2}}
    assert {(trace.label, trace.chain) for trace in traces} == {
        (True, f"Step 1 is right.\n{VERDICT_LINE} Yes"),
        (False, f"Step 1 is wrong.\n{VERDICT_LINE} No"),
    }


def test_a_teacher_that_stumbles_is_asked_again(teacher: Server, tmp_path: Path) -> None:
    teacher.script = [status(500), status(429)]
    assert len(ask_teacher(at(teacher, tmp_path), ASKED[:1], WRITING, 0)[0]) == 3
    asked = len(teacher.requests)
    assert len(ask_teacher(at(teacher, tmp_path), ASKED[:1], WRITING, 0)[0]) == 3
    assert len(teacher.requests) == asked, "what it wrote is kept"


def test_a_teacher_that_refuses_is_told_with_the_remedy(teacher: Server) -> None:
    teacher.script = [status(401)] * 100
    with pytest.raises(EndpointError, match=rf"{teacher.url} gave no answer by some/teacher: .*PROOFLINE_TEACHER_URL"):
        ask_teacher(at(teacher), ASKED, WRITING, 0)


def test_a_policy_writes_the_same_verifications_in_any_order(tiny_policy: Path) -> None:
    chains = write_chains(tiny_policy, ASKED, PROMPTS, WRITING, 0, rows=4)
    assert [len(row) for row in chains] == [3, 3]
    assert len({chain for row in chains for chain in row}) == 6
    assert write_chains(tiny_policy, ASKED[::-1], PROMPTS, WRITING, 0, rows=2) == chains[::-1]
    assert write_chains(tiny_policy, ASKED, PROMPTS, WRITING, 1, rows=4) != chains
