"""A strong model as judge, behind a real HTTP server: both orders, and what is no verdict."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from solved import problem, shown, sides, solution
from speaking_server import Server, cut, saying, serving, status

from proofline.config.schema import EndpointJudge
from proofline.endpoint import Endpoint, EndpointError, Reply
from proofline.judging.endpoint import REMEDY, combine, judge_by_endpoint, read_verdict
from proofline.judging.sides import JudgingError, pair_up

SECTION = EndpointJudge(model="a/judge", temperature=0.0, max_new_tokens=64)
RIGHT, WRONG = "#### right", "#### wrong"


def fair(request: dict[str, Any]) -> str:
    """Knows the right one when it sees it."""
    a, b = ("right" in text for text in shown(request))
    return "I compared them.\n\n" + ("[[C]]" if a == b else "[[A]]" if a else "**[[B]]**")


def first_always(request: dict[str, Any]) -> str:
    return "[[A]]"


def at(server: Server, cache: Path | None = None) -> Endpoint:
    return Endpoint(server.url, REMEDY, cache, attempts=2, first_wait_seconds=0.01)


def test_both_orders_are_asked_with_the_reference_at_temperature_0() -> None:
    with serving(fair) as server:
        rows = judge_by_endpoint(at(server), sides((RIGHT, WRONG), (WRONG, RIGHT), (WRONG, "#### wrong too")), SECTION)
    assert [row.winner for row in rows] == ["policy", "opponent", "tie"]
    assert [row.by_order for row in rows] == [("policy",) * 2, ("opponent",) * 2, ("tie",) * 2]
    assert rows[0].replies == ("I compared them.\n\n[[A]]", "I compared them.\n\n**[[B]]**"), "raw, in both orders"
    assert (rows[0].judge, rows[0].server, rows[0].tokens) == ("a/judge", "a/judge fp_1", (15, 15))
    assert {shown(request) for request in server.requests} >= {(RIGHT, WRONG), (WRONG, RIGHT)}
    for request in server.requests:
        assert (request["model"], request["temperature"], request["max_tokens"]) == ("a/judge", 0.0, 64)
        asked = re.search(r"<problem>\nWhat is (\d) \+ 1\?\n</problem>", request["messages"][0]["content"])
        assert asked
        assert f"<reference>\n{asked[1]}+1={int(asked[1]) + 1}" in request["messages"][0]["content"]


def test_orders_that_disagree_are_a_tie() -> None:
    with serving(first_always) as server:
        (row,) = judge_by_endpoint(at(server), sides((RIGHT, WRONG)), SECTION)
    assert (row.winner, row.by_order) == ("tie", ("policy", "opponent"))
    assert row.reason == "the orders disagree: policy, then opponent"
    assert combine("policy", "tie")[0] == "tie"
    assert combine("tie", "opponent")[0] == "tie"
    assert combine(None, "policy")[0] is None


def test_identical_solutions_tie_without_being_asked_about() -> None:
    with serving(first_always) as server:
        rows = judge_by_endpoint(at(server), sides((RIGHT, RIGHT), (RIGHT, f"{RIGHT}\n"), (RIGHT, WRONG)), SECTION)
    assert [row.winner for row in rows] == ["tie"] * 3
    assert [row.by_order for row in rows] == [(), (), ("policy", "opponent")]
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "text",
    [
        "I'm sorry, but I can't help with that.",
        "I cannot say whether [[A]] or [[B]] is better.",
        "[[A]] or [[B]]",
        "[[A]]\nOn reflection I am not sure.",
        "The verdict would be [[A]]",
        "[[D]]",
        "A",
        "",
        "[[A]][[B]]",
        "I will not answer with [[C]].",
    ],
)
def test_a_refusal_is_no_verdict(text: str) -> None:
    with serving(lambda request: text) as server:
        (row,) = judge_by_endpoint(at(server), sides((RIGHT, WRONG)), SECTION)
    assert (row.winner, row.by_order) == (None, (None, None))
    assert row.reason == "no verdict in the first and second order"
    assert row.replies == (text, text)


def test_one_order_without_a_verdict_leaves_none() -> None:
    with serving(lambda request: "No." if shown(request)[0] == RIGHT else "[[B]]") as server:
        (row,) = judge_by_endpoint(at(server), sides((RIGHT, WRONG)), SECTION)
    assert (row.winner, row.by_order, row.reason) == (None, (None, "policy"), "no verdict in the first order")


@pytest.mark.parametrize(
    ("text", "finish", "verdict"),
    [
        ("Good.\n[[B]]\n\n", "stop", "B"),
        ("Good.\n**[[C]]**.", "stop", "C"),
        ("`[[A]]`", None, "A"),
        ("[[A]]", "length", None),
        ("[[A]]", "content_filter", None),
    ],
)
def test_a_verdict_is_the_last_line_of_a_whole_reply(text: str, finish: str | None, verdict: str | None) -> None:
    reply = Reply(text=text, finish=finish, model="m", prompt_tokens=1, completion_tokens=1)
    assert read_verdict(reply) == verdict


def test_an_error_is_an_error_and_never_a_verdict(tmp_path: Path) -> None:
    two = sides((RIGHT, WRONG), (WRONG, RIGHT))
    with serving(fair) as server:
        server.script = [saying({"error": "[[A]]"}), cut] * 4
        with pytest.raises(EndpointError, match=r"gave no answer by a/judge: .*PROOFLINE_JUDGE_URL"):
            judge_by_endpoint(at(server, tmp_path), two, SECTION)
        server.script = [status(404)]
        with pytest.raises(EndpointError, match=r"status 404.*judge\.endpoint\.model"):
            judge_by_endpoint(at(server, tmp_path), two, SECTION)
        server.script = []
        server.model = "another"
        with pytest.raises(EndpointError, match="'another' answered"):
            judge_by_endpoint(at(server, tmp_path), two, SECTION)
        server.model = None
        rows = judge_by_endpoint(at(server, tmp_path), two, SECTION)
        assert [row.winner for row in rows] == ["policy", "opponent"]
        asked = len(server.requests)
        assert judge_by_endpoint(at(server, tmp_path), two, SECTION) == rows
        assert len(server.requests) == asked, "paid for once"


def test_a_placeholder_in_a_solution_stays_as_it_is() -> None:
    with serving(fair) as server:
        judge_by_endpoint(at(server), sides(("{second} {reference}", WRONG)), SECTION)
    assert {shown(request) for request in server.requests} == {
        ("{second} {reference}", WRONG),
        (WRONG, "{second} {reference}"),
    }


def test_every_problem_needs_both() -> None:
    ours, theirs = [solution("sft", 0, RIGHT)], [solution("base", 1, RIGHT)]
    with pytest.raises(JudgingError, match="gsm8k-0 has no greedy solution by both policies"):
        pair_up([problem(0)], ours, theirs)
