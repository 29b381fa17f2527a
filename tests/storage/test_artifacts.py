"""Whole or not at all; undefined is null in JSON and survives in records; weights are named by their bytes."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest

from proofline.records import Decoding, Solution, Verification
from proofline.storage.artifacts import atomic_text, write_json, write_text
from proofline.storage.records import RecordError, read_records, write_records
from proofline.storage.weights import WeightsError, weights_hash

NAN = float("nan")


def test_a_write_that_fails_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    write_text(path, "old")
    with pytest.raises(TypeError), atomic_text(path) as out:
        out.writelines(["half", 7])  # type: ignore[list-item]
    assert path.read_text() == "old"


def test_json_is_json(tmp_path: Path) -> None:
    write_json(tmp_path / "m.json", {"b": NAN, "a": [1.5, (NAN, "é")]})
    text = (tmp_path / "m.json").read_text(encoding="utf-8")
    assert json.loads(text, parse_constant=pytest.fail) == {"b": None, "a": [1.5, [None, "é"]]}
    assert text.index('"b"') < text.index('"a"')
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "m.json", {"x": math.inf})


def test_undefined_numbers_survive_in_records(tmp_path: Path) -> None:
    rows = [
        Solution(id="s", problem_id="p", policy="published", weights="",
                 decoding=Decoding(temperature=NAN, top_p=NAN, max_new_tokens=0), sample_index=0, seed=0,
                 text="line\u2028separator\r\n", num_tokens=0, logprob=NAN, finished=True),
    ]  # fmt: skip
    path = tmp_path / "rows.jsonl"
    assert write_records(path, rows) == 1
    json.loads(path.read_text(encoding="utf-8"), parse_constant=pytest.fail)
    (back,) = read_records(path, Solution)
    assert math.isnan(back.logprob)
    assert math.isnan(back.decoding.temperature)
    assert back.text == rows[0].text

    verification = Verification(solution_id="s", problem_id="p", label="wrong", p_yes=NAN,
                                p_yes_per_chain=(0.25, NAN), chains=("a", "b"), tokens_per_chain=(7, 9))  # fmt: skip
    write_records(path, [verification])
    (scored,) = read_records(path, Verification)
    assert scored.p_yes_per_chain[0] == 0.25
    assert math.isnan(scored.p_yes_per_chain[1])


def test_a_bad_row_is_named(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_text('{"temperature": 1, "top_p": 1, "max_new_tokens": 9}\n{"temperature": 1, "max_new_tokens": "x"}\n')
    with pytest.raises(RecordError, match=r"rows.jsonl:2: not a Decoding(.|\n)*top_p(.|\n)*max_new_tokens"):
        read_records(path, Decoding)


def test_weights_are_named_by_their_bytes(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match=r"no \*\.safetensors"):
        weights_hash(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    name = weights_hash(tmp_path)
    assert len(name) == 16
    (tmp_path / "config.json").write_text("{}")
    assert weights_hash(tmp_path) == name
    (tmp_path / "model.safetensors").write_bytes(b"Weights")
    assert weights_hash(tmp_path) != name
