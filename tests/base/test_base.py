"""The starting policy: tokenizer, corpus, pre-training, and where the base stage takes it from."""

from __future__ import annotations

import json
import shutil
from itertools import islice
from pathlib import Path

import pytest

from proofline.base import source
from proofline.base.corpus import documents
from proofline.base.pretraining import pretrain
from proofline.base.source import BaseError, make_base
from proofline.config.schema import Base, Pretraining, Prompts
from proofline.data.equations import find_equations
from proofline.data.prompts import NO, YES
from proofline.data.recompute import recompute
from proofline.records import Problem
from proofline.storage.weights import weights_hash
from proofline.tracking import NullRun

PROMPTS = Prompts(solution="{question}", verification="{question}\nSolution:\n{candidate}\nVerify.")
SMALL = Pretraining(
    hidden_size=32, num_layers=1, num_heads=2, num_kv_heads=1, intermediate_size=64, vocab_size=400, sequence_length=64,
    batch_size=4, max_steps=30, learning_rate=3e-3, warmup_steps=2,
)  # fmt: skip


def base(origin: str, **changes: str) -> Base:
    return Base.model_validate(
        {"source": origin, "model": "none/such", "revision": "0", "folder": None, "weights": None, "files": None}
        | {"pretraining": SMALL, **changes}
    )


def test_digits_are_single_tokens_and_so_are_the_verdicts(tiny_policy: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(tiny_policy)
    assert tokenizer.tokenize("3*12=36") == ["3", "*", "1", "2", "=", "3", "6"]
    for word in (YES, NO):
        assert len(tokenizer(f"(Yes/No)?{word}")["input_ids"]) == len(tokenizer("(Yes/No)?")["input_ids"]) + 1
    text = "Verification: é 7×8=56 <|im_end|>\n"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_the_corpus_uses_training_skeletons_only() -> None:
    from proofline.data.synthetic import generate_problems

    tests = {problem.question for problem in generate_problems("test", 400, seed=5)}
    for document in islice(documents(PROMPTS, seed=5), 400):
        if not isinstance(document, str):
            assert not any(question in document[0]["content"] for question in tests)


def test_drills_compare_as_chains_do() -> None:
    """In the words of the program's chains, and as often unequal as equal."""
    texts = [document for document in islice(documents(PROMPTS, seed=2), 1500) if isinstance(document, str)]
    lines = [line for text in texts for line in text.splitlines() if line.endswith("match")]
    for line in lines:
        claimed = find_equations(line)[0]
        work, same = recompute(claimed)
        assert line.endswith(f"; {work}")
        assert claimed.holds == same
    share = sum(line.endswith(" match") for line in lines) / len(lines)
    assert 0.4 < share < 0.6


def test_the_corpus_verifies_right_and_wrong_candidates_alike() -> None:
    chats = [d for d in islice(documents(PROMPTS, seed=1), 1500) if not isinstance(d, str)]
    chains = [chat[1]["content"] for chat in chats if chat[0]["content"].endswith("Verify.")]
    share = sum(chain.endswith(YES) for chain in chains) / len(chains)
    assert 0.4 < share < 0.65


def test_pretraining_learns_and_is_bit_identical_when_repeated(tmp_path: Path) -> None:
    losses: list[float] = []
    for name in ("one", "two"):
        pretrain(SMALL, PROMPTS, 0, tmp_path / name, lambda metrics, step: losses.append(metrics["loss"]))
    assert weights_hash(tmp_path / "one") == weights_hash(tmp_path / "two")
    assert losses[-1] < 5.9


def test_the_bundled_base_has_the_hash_its_card_says_and_solves_problems(tmp_path: Path) -> None:
    facts = make_base(base("bundled"), PROMPTS, 0, tmp_path / "base", NullRun())
    card = json.loads((source.BUNDLED / "recipe.json").read_text())
    assert facts == {"source": "bundled", "weights": card["weights"]}
    assert sum(file.stat().st_size for file in source.BUNDLED.iterdir()) < 8_000_000


def test_a_damaged_bundle_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    damaged = tmp_path / "bundled"
    shutil.copytree(source.BUNDLED, damaged)
    weights = bytearray((damaged / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (damaged / "model.safetensors").write_bytes(weights)
    monkeypatch.setattr(source, "BUNDLED", damaged)
    with pytest.raises(BaseError, match="restore the folder"):
        make_base(base("bundled"), PROMPTS, 0, tmp_path / "base", NullRun())
    assert not (tmp_path / "base").exists()


def test_a_hub_model_that_cannot_be_had_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(BaseError, match="none/such at revision 0"):
        make_base(base("hub"), PROMPTS, 0, tmp_path / "base", NullRun())


def test_a_problem_id_is_its_source_and_a_hash_of_its_question() -> None:
    assert Problem.make_id("gsm8k", "How many?") == Problem.make_id("gsm8k", "How many?")
    assert Problem.make_id("gsm8k", "How many?") != Problem.make_id("math", "How many?")
