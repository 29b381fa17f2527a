"""P(Yes) from a server's log-probabilities: a real server on loopback that decodes with the real weights."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from speaking_server import Server, completion, saying, serving
from verifier_by_heart import ByHeart

from proofline.config.environment import Environment
from proofline.config.schema import Verification
from proofline.endpoint import EndpointError, Question
from proofline.endpoint.question import read_reply
from proofline.records import Verification as Row
from proofline.verification.score import verify
from proofline.verification.served import Words, scoring_by, stated_p_yes

SECTION = Verification(policy="sft", num_chains=1, temperature=0.0, top_p=1.0, max_new_tokens=64)
WORDS = Words("Verification: Is the answer correct (Yes/No)?", " Yes", " No")


def decoding(folder: Path) -> Callable[[dict[str, Any]], bytes]:
    """Chat completions by greedy decoding, a forward pass a token, as transformers computes it."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)

    def answer(request: dict[str, Any]) -> bytes:
        ids = tokenizer.apply_chat_template(request["messages"], add_generation_prompt=True, return_dict=False)
        begin, content = len(ids), []
        while len(ids) < begin + request["max_tokens"]:
            with torch.no_grad():
                logprobs = model(input_ids=torch.tensor([ids])).logits[0, -1].log_softmax(-1)
            best = logprobs.topk(request["top_logprobs"])
            stated = [
                {"token": tokenizer.decode([token]), "logprob": float(value)}
                for value, token in zip(best.values, best.indices, strict=True)
            ]
            ids.append(int(best.indices[0]))
            if ids[-1] == tokenizer.eos_token_id:
                break
            content.append({**stated[0], "top_logprobs": stated})
        body = completion("".join(one["token"] for one in content), request["model"])
        body["choices"][0]["logprobs"] = {"content": content} if request.get("logprobs") else None
        return json.dumps(body).encode()

    return answer


def scored(by_heart: ByHeart, server: Server, cache: Path) -> list[Row]:
    where = Environment(sampling_url=server.url, endpoint_cache=str(cache), endpoint_attempts=1)
    by = scoring_by(where, by_heart.folder, by_heart.prompts, SECTION, 0)
    assert (by.shard_size, by.each) == (1024, "machine")
    return by.function([by_heart.candidate])


def test_a_servers_chains_are_scored_as_the_own_ones(by_heart: ByHeart, tmp_path: Path) -> None:
    """Greedy decoding has no seed: the same weights give the same chain and, but for rounding, the same P(Yes)."""
    answer = decoding(by_heart.folder)
    with serving(lambda request: "") as server:
        server.whole = answer
        (row,) = scored(by_heart, server, tmp_path)
        (own,) = verify(by_heart.folder, [by_heart.candidate], by_heart.prompts, SECTION, 0, rows=2)
        assert row.chains == own.chains
        assert 0.5 < own.p_yes < 0.95
        assert row.p_yes_per_chain == pytest.approx(own.p_yes_per_chain, abs=1e-5)
        assert (row.server, own.server) == ("vllm 0.11.0", "")
        assert (row.label, row.solution_id, row.problem_id) == (own.label, own.solution_id, own.problem_id)
        asked = len(server.requests)
        assert asked == 1
        assert scored(by_heart, server, tmp_path) == [row]
        assert len(server.requests) == asked, "another time costs nothing"


def test_a_server_without_log_probabilities_gives_no_scores(by_heart: ByHeart, tmp_path: Path) -> None:
    with serving(lambda request: f"1 = 1: match\n{WORDS.line} Yes") as server:
        with pytest.raises(EndpointError, match=r"gave 1 of 1 chains without log-probabilities.*--max-logprobs 20"):
            scored(by_heart, server, tmp_path)
        server.script = [saying(completion("", server.requests[0]["model"]))]
        (row,) = scored(by_heart, server, tmp_path / "other")
        assert math.isnan(row.p_yes), "an empty chain has no verdict"


def told(tokens: list[str], others: dict[str, float]) -> bytes:
    top = [{"token": token, "logprob": value} for token, value in others.items()]
    content = [{"token": token, "logprob": -0.5, "top_logprobs": top} for token in tokens]
    body = completion("".join(tokens), "m")
    body["choices"][0]["logprobs"] = {"content": content}
    return json.dumps(body).encode()


def p_yes(tokens: list[str], others: dict[str, float]) -> float:
    return stated_p_yes(read_reply(told(tokens, others), WORDS[1:]).watched or (), WORDS)


BEFORE = ["2", " match", "\n", "Verification: Is the", " answer correct", " (Yes/No)?"]


def test_the_verdicts_own_token_is_read_and_no_other() -> None:
    both = {" Yes": math.log(0.3), " No": math.log(0.1)}
    for tokens in ([*BEFORE, " Yes"], [" Yes", *BEFORE, " No"], [*BEFORE, " Yes", "\n", " No"]):
        told_by = {**both, tokens[-1]: both[tokens[-1]]}
        content = json.loads(told(tokens, told_by))
        for one in content["choices"][0]["logprobs"]["content"]:
            one["logprob"] = told_by.get(one["token"], -0.5)
        reply = read_reply(json.dumps(content).encode(), WORDS[1:])
        assert stated_p_yes(reply.watched or (), WORDS) == pytest.approx(0.75)
    for tokens in (BEFORE, [*BEFORE, " Maybe"], [" Yes"], [*BEFORE, "\n", " Yes"], [*BEFORE[:-1], " Yes"]):
        assert math.isnan(p_yes(tokens, both))


def test_a_verdict_out_of_the_likeliest_has_no_probability() -> None:
    assert p_yes([*BEFORE, " Yes"], {" Perhaps": -3.0}) == 1.0
    assert p_yes([*BEFORE, " No"], {}) == 0.0


@given(st.lists(st.sampled_from([*BEFORE, " Yes", " No"]), max_size=30), st.floats(-40, 0))
def test_every_watched_token_is_told_with_its_line(tokens: list[str], other: float) -> None:
    watched = read_reply(told(tokens, {" No": other}), WORDS[1:]).watched or ()
    assert [one.token for one in watched] == [token for token in tokens if token in WORDS[1:]]
    text, lines = "", []
    for token in tokens:
        if token in WORDS[1:]:
            lines.append(text.split("\n")[-1])
        text += token
    assert [one.line for one in watched] == lines


def test_what_watches_nothing_is_known_by_its_former_key() -> None:
    """Answers that were paid for before there was anything to watch are found in the cache."""
    question = Question("m", (("user", "hello"),), 0.0, 1.0, 8, 7, True, "w")
    assert question.key == "367b0587258c7fd17b5847eb6f660899f52ac61de2133a5a308ae822619fde09"
    assert question.body().get("top_logprobs") is None
