"""params.yaml is read as DVC reads it, and whatever is wrong with it is said at once, by key, value and remedy."""

from __future__ import annotations

import contextlib
import copy
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from checkout import EMBEDDED
from hypothesis import given
from hypothesis import strategies as st

from proofline.config.load import ParamsError, load_params, parse_params, read_yaml
from proofline.config.schema import Params

OWN: dict[str, Any] = {
    "files": [{"path": "t.jsonl", "sha256": "", "split": None}], "fields": {"answer": "reply"}, "answers": "number",
    "demonstration": None, "test_fraction": 0.2, "train": None, "test": None,
}  # fmt: skip
LORA: dict[str, Any] = {"rank": 8, "alpha": 16, "dropout": 0.0, "target": "all-linear"}


@pytest.fixture
def values() -> dict[str, Any]:
    return read_yaml(EMBEDDED)


def problems_of(values: object) -> tuple[str, ...]:
    with pytest.raises(ParamsError) as caught:
        parse_params(values)
    return caught.value.problems


def test_the_default_recipe_loads() -> None:
    assert load_params(EMBEDDED).seed >= 0


def test_numbers_are_yaml_1_2(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_text(re.sub("learning_rate: .*", "learning_rate: 5e-5", EMBEDDED.read_text()))
    assert load_params(tmp_path / "params.yaml").dpo.learning_rate == 5e-5


def test_a_whole_number_is_a_number_but_text_and_truth_are_not(values: dict[str, Any]) -> None:
    values["sft"]["epochs"] = 2
    assert parse_params(values).sft.epochs == 2.0
    values["sft"]["epochs"] = "2"
    values["dpo"]["epochs"] = True
    values["genrm"]["epochs"] = float("inf")
    assert problems_of(values) == (
        "sft.epochs: found '2'; allowed: a number > 0",
        "dpo.epochs: found True; allowed: a number > 0",
        "genrm.epochs: found inf; allowed: a number > 0",
    )


def test_every_problem_is_named_with_value_range_and_nearest_key(values: dict[str, Any]) -> None:
    values["sft"]["lerning_rate"] = values["sft"].pop("learning_rate")
    values["sampling"]["problems"] = "all"
    values["dpo"]["learning_rate"] = 7.0
    values["dpo"]["loss"] = "hinge"
    values["beta"] = 0.1
    problems = problems_of(values)
    assert problems[0] == "sft.learning_rate: missing; allowed: a number > 0 and < 1"
    assert problems[1].startswith("sft.lerning_rate: unknown key (found ")
    assert problems[1].endswith("; did you mean sft.learning_rate?")
    assert problems[2] == "sampling.problems: found 'all'; allowed: a whole number >= 1 or null"
    assert problems[3] == "dpo.learning_rate: found 7.0; allowed: a number > 0 and < 1"
    assert problems[4].startswith("dpo.loss: found 'hinge'; allowed: one of sigmoid, ")
    assert problems[5] == "beta: unknown key (found 0.1); did you mean dpo.beta?"
    assert len(problems) == 6


@pytest.mark.parametrize(
    ("key", "value", "says"),
    [
        ("prompts.solution", "Solve it.", "prompts: solution has to hold {question} once"),
        ("prepare.sources", ["math", "math"], "prepare.sources: found ['math', 'math']; name at least one"),
        ("prepare.sources", [], "prepare.sources: found []"),
        (
            "prepare.sources",
            ["shop"],
            "prepare: sources: found 'shop'; known: synthetic, gsm8k, math; others are described",
        ),
        ("prepare.own", {"gsm8k": OWN}, "prepare: own: found the name 'gsm8k'; allowed: at most 32 of a-z"),
        ("prepare.own", {"a/b": OWN}, "prepare: own: found the name 'a/b'"),
        ("prepare.own", {7: OWN}, "prepare.own.7: unknown key (found 7); a name is expected"),
        ("prepare.own", {"shop": None}, "prepare.own.shop: found None; allowed: a section"),
        ("prepare.own", {"shop": OWN | {"files": []}}, "prepare.own.shop: files: found []; name at least one"),
        (
            "prepare.own",
            {"shop": OWN | {"feilds": {}}},
            "prepare.own.shop.feilds: unknown key (found {}); did you mean prepare.own.shop.fields?",
        ),
        (
            "prepare.own",
            {"shop": OWN | {"fields": {"anwser": "A"}}},
            "prepare.own.shop.fields.anwser: unknown key (found "
            "'anwser'); did you mean prepare.own.shop.fields.answer?",
        ),
        (
            "prepare.own",
            {"shop": OWN | {"files": [{"path": "t", "sha256": "", "split": "eval"}]}},
            "prepare.own.shop.files.0.split: found 'eval'; allowed: one of train, dev, test or null",
        ),
        (
            "prepare.own",
            {"shop": OWN | {"answers": "text"}},
            "prepare.own.shop.answers: found 'text'; allowed: one of number",
        ),
        (
            "prepare.own",
            {"shop": OWN | {"demonstration": "So."}},
            "prepare.own.shop: demonstration has to hold {answer}",
        ),
        ("base.pretraining.num_heads", 7, "base.pretraining: hidden_size "),
        ("base.pretraining.num_kv_heads", 3, "base.pretraining: num_heads "),
        ("sft", {"precision": "fp32", "optimizer_state": "fp8"}, "sft: optimizer_state fp8 keeps the weights in bf16"),
        ("sft", {"precision": "bf16", "optimizer_state": "bf16", "lora": LORA}, "sft: lora trains adapters in fp32"),
        ("sft", {"precision": "fp8", "lora": LORA}, "sft: lora trains adapters in fp32 beside plain layers"),
        ("dpo", {"lora": LORA | {"dropout": 0.1}}, "dpo: lora.dropout is 0.1; preferences are measured against"),
        ("genrm", {"lora": LORA | {"rank": 0}}, "genrm.lora.rank: found 0; allowed: a whole number >= 1"),
        ("genrm", {"lora": LORA | {"target": []}}, "genrm.lora.target: found []; allowed: a list, each item text"),
        ("sft", {"lora": True}, "sft.lora: found True; allowed: a section or null"),
        ("sft", {"lora": LORA | {"ranks": 4}}, "sft.lora.ranks: unknown key (found 4); did you mean sft.lora.rank?"),
        ("sft", {"lroa": LORA}, "sft.lroa: unknown key (found {"),
        ("sampling.temperature", 0.0, "sampling: temperature 0 draws the same solution"),
        ("verification.temperature", 0.0, "verification: temperature 0 draws the same chain"),
    ],
)
def test_values_that_cannot_go_together_are_refused(values: dict[str, Any], key: str, value: object, says: str) -> None:
    *sections, name = key.split(".")
    section = values
    for part in sections:
        section = section[part]
    section[name] = section[name] | value if isinstance(value, dict) else value
    (problem,) = problems_of(values)
    assert problem.startswith(says)


def test_files_that_are_no_recipe(tmp_path: Path) -> None:
    for text, says in (
        ("", "found NoneType"),
        ("- 1", "found list"),
        ("a: [", "not YAML"),
        ("seed: 1\nseed: 2", "duplicate key"),
    ):
        (tmp_path / "params.yaml").write_text(text)
        with pytest.raises(ParamsError, match=says):
            load_params(tmp_path / "params.yaml")
    with pytest.raises(ParamsError, match="no such file"):
        load_params(tmp_path / "absent.yaml")


def paths_of(values: dict[str, Any], prefix: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    paths = []
    for name, value in values.items():
        paths.append((*prefix, name))
        if isinstance(value, dict):
            paths += paths_of(value, (*prefix, name))
    return paths


def test_the_base_is_sampled_where_its_solutions_are_demonstrated_and_nowhere_else(values: dict[str, Any]) -> None:
    values["demonstrations"]["source"] = "sampled"
    (problem,) = problems_of(values)
    assert problem.startswith("sampling.base_problems: found 0 with demonstrations.source sampled; ")
    values["sampling"]["base_problems"] = None
    assert parse_params(values).sampling.base_problems is None
    values["demonstrations"]["source"] = "reference"
    assert problems_of(values) == (
        "sampling.base_problems: found None with demonstrations.source reference; set it to 0: nobody reads them",
    )


junk = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8), st.dates(), st.lists(st.integers())
)


ORIGINAL: dict[str, Any] = read_yaml(EMBEDDED)
ORIGINAL["prepare"]["own"] = {"shop": OWN}
ORIGINAL["sft"]["lora"] = LORA


@given(data=st.data())
def test_no_value_anywhere_raises_anything_but_a_params_error(data: st.DataObject) -> None:
    values = copy.deepcopy(ORIGINAL)
    *sections, name = data.draw(st.sampled_from(paths_of(values)))
    section = values
    for part in sections:
        section = section[part]
    section[data.draw(st.one_of(st.just(name), junk.filter(lambda key: not isinstance(key, list))))] = data.draw(junk)
    with contextlib.suppress(ParamsError):
        assert isinstance(parse_params(values), Params)


def test_a_recipe_is_refused_without_a_numerical_library(tmp_path: Path) -> None:
    """Refusal takes a fraction of a second because of what is not imported, so that is what is tested."""
    (tmp_path / "params.yaml").write_text(EMBEDDED.read_text().replace("batch_size:", "batchsize:"))
    program = """
import sys
from proofline.config.environment import load_environment
from proofline.config.load import ParamsError, load_params
load_environment()
try:
    load_params()
except ParamsError:
    print(*sorted({name.partition(".")[0] for name in sys.modules}))
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    imported = set(done.stdout.split())
    assert "pydantic" in imported
    assert not imported & {"torch", "numpy", "scipy", "pandas", "transformers", "mlflow", "ray", "dvc", "datasets"}
