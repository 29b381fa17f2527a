from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from proofline.data.turns import TemplateError
from proofline.training.tokens import IGNORED, TrainingDataError, drop_longer, encode_rows, refuse_empty


@pytest.fixture(scope="module")
def tokenizer(tiny_policy: Path) -> Any:
    from transformers import AutoTokenizer

    return AutoTokenizer.from_pretrained(tiny_policy)


def ask(question: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": question}]


def test_the_prompt_carries_no_loss_and_the_end_token_does(tokenizer: Any) -> None:
    (row,) = encode_rows(tokenizer, [ask("What is 2 + 3?")], ["2 + 3 = 5\n#### 5"])
    prompt = tokenizer.apply_chat_template(ask("What is 2 + 3?"), add_generation_prompt=True, tokenize=False)
    assert tokenizer.decode(row.prompt_ids) == prompt
    assert tokenizer.decode(row.completion_ids) == "2 + 3 = 5\n#### 5<|im_end|>"
    assert row.labels[: len(row.prompt_ids)] == [IGNORED] * len(row.prompt_ids)
    assert row.labels[len(row.prompt_ids) :] == row.input_ids[len(row.prompt_ids) :] == row.completion_ids
    assert row.completion_ids[-1] == tokenizer.eos_token_id


def test_longer_rows_are_dropped_whole_and_the_rest_is_untouched(tokenizer: Any) -> None:
    rows = encode_rows(tokenizer, [ask("short"), ask("long")], ["1", "1 + 1 = 2\n" * 50])
    assert drop_longer(rows, rows[0].num_tokens, "demonstrations") == [rows[0]]


def test_training_on_nothing_is_refused_with_the_cause(tokenizer: Any) -> None:
    with pytest.raises(TrainingDataError, match="no preference pairs to train on"):
        refuse_empty([], [], 512, "preference pairs")
    rows = encode_rows(tokenizer, [ask("a question")], ["an answer " * 20])
    with pytest.raises(TrainingDataError, match=r"All 1 demonstrations are longer than max_length = 32.*Raise"):
        drop_longer(rows, 32, "demonstrations")


def test_a_template_that_renders_a_finished_turn_otherwise_is_refused(tiny_policy: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_policy)
    tokenizer.chat_template = "{% for m in messages %}[{{ m['content'] | upper }}]{% endfor %}"
    with pytest.raises(TemplateError, match="another context than it samples in"):
        encode_rows(tokenizer, [ask("a question")], ["an answer"])
