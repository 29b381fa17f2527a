"""The one client of OpenAI-compatible endpoints, against a real HTTP server that answers well and badly."""

from __future__ import annotations

import time
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from speaking_server import (
    Act,
    Server,
    completion,
    cut,
    cut_in_chunks,
    hang_up,
    saying,
    serving,
    silent,
    status,
    trickle,
)

from proofline.config.environment import Environment
from proofline.endpoint import Endpoint, EndpointError, Question
from proofline.endpoint.client import retry_after
from proofline.endpoint.question import is_model
from proofline.endpoint.served import server_name


def question(text: str = "2 + 2?", **changes: Any) -> Question:
    settings = {"model": "m", "temperature": 0.0, "top_p": 1.0, "max_new_tokens": 16, **changes}
    return Question(messages=(("user", text),), **settings)


def endpoint(server: Server, cache: Path | None = None, **settings: Any) -> Endpoint:
    settings = {"attempts": 3, "timeout_seconds": 20.0, "first_wait_seconds": 0.01, **settings}
    return Endpoint(server.url, "Look at the URL.", cache, **settings)


def echo(request: dict[str, Any]) -> str:
    return f"to {request['messages'][-1]['content']}"


def test_answers_come_in_the_order_of_the_questions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "a key")
    with serving(echo) as server:
        asked = endpoint(server, at_once=4)
        replies = asked.ask([question(f"q{i}", seed=2**40 + i) for i in range(20)])
    assert [reply.text for reply in replies] == [f"to q{i}" for i in range(20)]
    assert server.keys == {"Bearer a key"}
    sent = {request["messages"][0]["content"]: request for request in server.requests}["q3"]
    assert (sent["model"], sent["temperature"], sent["top_p"], sent["max_tokens"]) == ("m", 0.0, 1.0, 16)
    assert sent["seed"] == 3, "seeds of the API have 31 bits"
    assert (asked.spent.requests, asked.spent.prompt_tokens, asked.spent.completion_tokens) == (20, 200, 100)
    assert (replies[0].model, replies[0].fingerprint, replies[0].finish) == ("m", "fp_1", "stop")


def test_no_more_requests_at_once_than_allowed() -> None:
    with serving(echo) as server:
        server.seconds = 0.05
        endpoint(server, at_once=3).ask([question(f"q{i}") for i in range(15)])
        assert 1 < server.most_at_once <= 3


@pytest.mark.parametrize(
    "act",
    [
        status(429),
        status(429, Retry_After="0"),
        status(408),
        status(500),
        status(503),
        cut,
        cut_in_chunks,
        hang_up,
        saying(b"{"),
        saying(b""),
        saying(b"<html>busy</html>"),
        saying([]),
        saying({"error": {"message": "overloaded"}}),
        saying({"model": "m", "choices": []}),
        saying({"model": "m", "choices": None}),
        saying({"model": "m", "choices": [{"index": 0}]}),
        saying({"model": "m", "choices": [{"message": "hello"}]}),
        saying(b"\xff\xfe"),
    ],
)
def test_what_may_pass_is_asked_again_and_is_never_an_answer(act: Act, tmp_path: Path) -> None:
    with serving(echo, [act, act]) as server:
        asked = endpoint(server, tmp_path)
        assert asked.ask([question()])[0].text == "to 2 + 2?"
        assert (len(server.requests), asked.spent.retries, asked.spent.requests) == (3, 2, 1)
        server.script = [act] * 3
        with pytest.raises(EndpointError, match=rf"^{server.url} gave no answer by m: .*, 3 times. Look at the URL.$"):
            asked.ask([question("another")])
    assert len(list(tmp_path.rglob("*.json"))) == 1, "an error is not kept"


@pytest.mark.parametrize("act", [silent(30.0), trickle(30.0)], ids=["silent", "trickle"])
def test_an_answer_that_takes_too_long_is_asked_for_again(act: Act) -> None:
    with serving(echo, [act]) as server:
        asked = endpoint(server, timeout_seconds=1.0)
        assert asked.ask([question()])[0].text == "to 2 + 2?"
        assert len(server.requests) == 2


@pytest.mark.parametrize("code", [400, 401, 403, 404, 422])
def test_what_will_not_pass_ends_it_at_once(code: int) -> None:
    with serving(echo, [status(code)]) as server:
        with pytest.raises(EndpointError, match=rf"status {code}: .*not now.*Look at the URL"):
            endpoint(server).ask([question()])
        assert len(server.requests) == 1


def test_an_empty_account_is_not_waited_for() -> None:
    def broke(handler: Any) -> None:
        handler.say({"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}, 429)

    with serving(echo, [broke]) as server:
        with pytest.raises(EndpointError, match="exceeded your current quota"):
            endpoint(server).ask([question()])
        assert len(server.requests) == 1


def test_the_servers_word_on_waiting_counts() -> None:
    with serving(echo, [status(429, Retry_After="1")]) as server:
        began = time.monotonic()
        endpoint(server, first_wait_seconds=0.0).ask([question()])
        assert time.monotonic() - began >= 1.0
        server.script = [status(429, Retry_After="7200")]
        with pytest.raises(EndpointError, match="asks for 7200 s of patience"):
            endpoint(server).ask([question()])
    assert retry_after({"retry-after-ms": "1500"}) == 1.5
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after({}) is None
    assert 50 < (retry_after({"retry-after": formatdate(time.time() + 60, usegmt=True)}) or 0) <= 60


def test_one_failure_ends_the_others_and_what_was_answered_is_kept(tmp_path: Path) -> None:
    """Those that wait for another try do not wait on; the next start asks for the rest alone."""

    def moody(request: dict[str, Any]) -> str:
        return echo(request)

    with serving(moody, [lambda handler: True] * 4 + [status(503, Retry_After="200"), status(401)]) as server:
        with pytest.raises(EndpointError, match="status 401"):
            endpoint(server, tmp_path, at_once=2).ask([question(f"q{i}") for i in range(40)])
        before = len(server.requests)
        assert before < 40
        kept = len(list(tmp_path.rglob("*.json")))
        assert kept >= 4
        again = endpoint(server, tmp_path)
        assert len(again.ask([question(f"q{i}") for i in range(40)])) == 40
        assert (again.spent.cached, again.spent.requests) == (kept, 40 - kept)


def test_nobody_there() -> None:
    with serving(echo) as server:
        url = server.url
    with pytest.raises(EndpointError, match=r"Connection.* 2 times\. Look at the URL"):
        Endpoint(url, "Look at the URL.", None, attempts=2, first_wait_seconds=0.0).ask([question()])
    with pytest.raises(EndpointError, match="expected http://HOST:PORT/v1"):
        Endpoint("localhost:8000", "Look at the URL.", None)


def test_an_answer_by_another_model_is_none(tmp_path: Path) -> None:
    with serving(echo) as server:
        server.model = "something-else"
        with pytest.raises(EndpointError, match="'something-else' answered"):
            endpoint(server, tmp_path).ask([question()])
        server.model = "m-2025-01-31"
        assert endpoint(server, tmp_path).ask([question()])[0].model == "m-2025-01-31"


@pytest.mark.parametrize(
    ("asked", "answered", "same"),
    [
        ("gpt-4o", "gpt-4o-2024-08-06", True),
        ("gpt-4o", "gpt-4o-mini", False),
        ("gpt-4", "gpt-4o", False),
        ("gpt-4", "gpt-4.1", False),
        ("claude-x-latest", "claude-x-20250101", True),
        ("Qwen/Qwen2.5-72B-Instruct", "qwen2.5-72b-instruct", True),
        ("/models/sft/", "/models/sft@main", True),
        ("org/model:free", "org/model", True),
        ("gpt-4o-2024-08-06", "gpt-4o", False),
        ("m", "", True),
    ],
)
def test_which_names_stand_for_one_model(asked: str, answered: str, same: bool) -> None:
    assert is_model(asked, answered) is same


def test_nothing_is_paid_for_twice(tmp_path: Path) -> None:
    with serving(echo) as server:
        first = endpoint(server, tmp_path)
        first.ask([question("a"), question("b"), question("a")])
        assert len(server.requests) == 2, "equal questions are one"
        again = endpoint(server, tmp_path)
        assert [reply.text for reply in again.ask([question("b"), question("a")])] == ["to b", "to a"]
        assert (again.spent.cached, again.spent.requests, again.spent.prompt_tokens) == (2, 0, 0)
        others = [
            question("a", model="m-2"), question("a", temperature=0.5), question("a", top_p=0.9),
            question("a", max_new_tokens=17), question("a", seed=1), question("a", logprobs=True),
            question("a", weights="0123"), question("a "),
        ]  # fmt: skip
        again.ask(others)
        assert again.spent.requests == len(others), "other settings are other questions"
    assert not list(tmp_path.rglob("*.partial"))


@pytest.mark.parametrize("damage", ["cut", "empty", "flipped", "another", "not json", "a folder"])
def test_a_damaged_answer_is_asked_for_again(damage: str, tmp_path: Path) -> None:
    with serving(echo) as server:
        endpoint(server, tmp_path).ask([question("a"), question("b")])
        files = sorted(tmp_path.rglob("*.json"))
        whole = {file: file.read_text() for file in files}
        victim = next(file for file, text in whole.items() if "to a" in text)
        other = next(text for text in whole.values() if "to b" in text)
        if damage == "a folder":
            victim.unlink()
            victim.with_suffix(".unrelated").mkdir()
        else:
            text = whole[victim]
            victim.write_text(
                {
                    "cut": text[: len(text) // 2],
                    "empty": "",
                    "flipped": text.replace("to a", "to A"),
                    "another": other,
                    "not json": "[[1]]",
                }[damage]
            )
        again = endpoint(server, tmp_path)
        assert [reply.text for reply in again.ask([question("a"), question("b")])] == ["to a", "to b"]
        assert (again.spent.cached, again.spent.requests) == (1, 1)
        assert victim.read_text() == whole[victim], "the damage is mended"


def test_a_run_says_what_it_cost() -> None:
    with serving(echo) as server:
        asked = endpoint(server)
        asked.ask([question("a"), question("b")])
    assert "endpoint.cost_usd" not in asked.spent.metrics(Environment())
    priced = Environment(endpoint_price_prompt=2.5, endpoint_price_completion=10.0)
    found = asked.spent.metrics(priced)
    assert found["endpoint.cost_usd"] == pytest.approx((20 * 2.5 + 10 * 10.0) / 1e6)
    assert (found["endpoint.requests"], found["endpoint.retries"]) == (2, 0)


def test_an_answer_without_text_or_count_is_an_empty_one() -> None:
    """A refusal has a field of its own, and some servers do not count."""
    body = completion(None, "m", "content_filter")
    body["choices"][0]["message"]["refusal"] = "I cannot help with that."
    del body["usage"]
    with serving(echo, [saying(body)]) as server:
        (reply,) = endpoint(server).ask([question()])
    assert (reply.text, reply.refusal, reply.finish) == ("", "I cannot help with that.", "content_filter")
    assert (reply.prompt_tokens, reply.completion_tokens, reply.logprob) == (None, None, None)


def test_a_server_says_who_it_is() -> None:
    with serving(echo) as server:
        assert server_name(server.url, "Start it.") == "vllm 0.11.0"
        server.version = ""
        assert server_name(server.url, "Start it.") == "vllm"
        server.owner = ""
        assert server_name(server.url, "Start it.").startswith("BaseHTTP/")
    with pytest.raises(EndpointError, match=r"does not answer .*Start it"):
        server_name(server.url, "Start it.")
