"""DPO's reference log-probabilities: the right numbers, found once, kept by what decides them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from forked_launch import launch
from training_rows import DPO, PROMPTS, Recorded, some_demonstrations, some_pairs, train_all

from proofline.config import Environment
from proofline.data.prompts import solution_messages
from proofline.tracking import NullRun
from proofline.training.dpo import train_dpo
from proofline.training.execution import Execution
from proofline.training.policy import Policy, load_policy
from proofline.training.reference import TOKENS_PER_BATCH, batches_by_length, reference_logps
from proofline.training.tokens import TokenRow, encode_rows


@pytest.fixture
def policy(tiny_policy: Path) -> Policy:
    return load_policy(tiny_policy)


@pytest.fixture
def rows(policy: Policy) -> list[TokenRow]:
    shown = some_demonstrations(8)
    questions = [solution_messages(row.question, PROMPTS) for row in shown]
    return encode_rows(policy.tokenizer, questions, [row.solution for row in shown])


def by_hand(policy: Policy, row: TokenRow) -> float:
    import torch

    with torch.no_grad():
        logps = policy.model(torch.tensor([row.input_ids])).logits[0].log_softmax(-1)
    start = len(row.prompt_ids) - 1
    return sum(logps[start + step, token].item() for step, token in enumerate(row.completion_ids))


def test_each_side_of_each_pair_has_its_own_number(policy: Policy, rows: list[TokenRow]) -> None:
    chosen, rejected = reference_logps(policy, [rows[:5], rows[3:]], "fp32", None)
    assert chosen == pytest.approx([by_hand(policy, row) for row in rows[:5]], rel=1e-5)
    assert rejected == pytest.approx([by_hand(policy, row) for row in rows[3:]], rel=1e-5)


def test_what_was_found_is_not_computed_again(policy: Policy, rows: list[TokenRow], tmp_path: Path) -> None:
    found = reference_logps(policy, [rows], "bf16", tmp_path)
    policy.model.lm_head.weight.data.zero_()
    assert reference_logps(policy, [rows], "bf16", tmp_path) == found
    assert reference_logps(policy, [rows], "bf16", None) != found


def test_a_file_is_named_by_weights_and_rows_and_never_by_a_path(
    policy: Policy, rows: list[TokenRow], tmp_path: Path
) -> None:
    reference_logps(policy, [rows], "bf16", tmp_path / "kept")
    moved = tmp_path / "elsewhere"
    shutil.copytree(policy.folder, moved)
    reference_logps(replace(policy, folder=moved), [rows], "bf16", tmp_path / "kept")
    assert len(list((tmp_path / "kept").iterdir())) == 1

    policy.model.lm_head.weight.data += 1.0
    policy.model.save_pretrained(moved)
    reference_logps(replace(policy, folder=moved), [rows], "bf16", tmp_path / "kept")
    reference_logps(policy, [rows[:-1]], "bf16", tmp_path / "kept")
    reference_logps(policy, [rows], "fp32", tmp_path / "kept")
    assert len(list((tmp_path / "kept").iterdir())) == 4


@pytest.mark.parametrize("damage", ["cut off", "empty", "altered", "half-written"])
def test_a_damaged_file_is_absent(policy: Policy, rows: list[TokenRow], tmp_path: Path, damage: str) -> None:
    found = reference_logps(policy, [rows], "bf16", tmp_path)
    (kept,) = tmp_path.iterdir()
    whole = kept.read_bytes()
    if damage == "half-written":
        kept.rename(kept.with_name(kept.name + ".1.partial"))
    else:
        kept.write_bytes({"cut off": whole[:-4], "empty": b"", "altered": whole[:-1] + b"x"}[damage])
    assert reference_logps(policy, [rows], "bf16", tmp_path) == found
    assert kept.read_bytes() == whole


def test_batches_are_by_length_and_bounded() -> None:
    lengths = [30, 3000, 7, 9000, 512, 512, 40] * 20
    batches = list(batches_by_length(lengths))
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(lengths[row] for row in batch) <= TOKENS_PER_BATCH


def test_a_step_of_dpo_does_not_depend_on_the_micro_batch(tiny_policy: Path, tmp_path: Path) -> None:
    """The solutions' own term included, whose mean over a micro-batch would weigh short rows' tokens more."""
    section = DPO.model_copy(update={"precision": "fp32", "sft_weight": 1.0})
    losses = []
    for micro_batch in (1, 8):
        run, execution = Recorded(), Execution(threads=1, micro_batch=micro_batch)
        out_dir = tmp_path / str(micro_batch)
        train_dpo(tiny_policy, some_pairs(), PROMPTS, section, 0, out_dir, run, execution=execution)
        losses.append([run.at(step)["loss"] for step in range(1, 5)])
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)


@pytest.mark.slow
def test_two_processes_find_the_same_bits_as_one(tiny_policy: Path, tmp_path: Path) -> None:
    kept = {}
    for processes, launcher in ((1, "local"), (2, "accelerate")):
        folder = tmp_path / f"references-{processes}"
        execution = Execution(threads=1, micro_batch=4, references=folder)
        function = partial(train_all, ("dpo",), tiny_policy, tmp_path / str(processes), execution)
        launch(function, NullRun(), Environment(launcher=launcher, processes=processes, threads=1))
        kept[processes] = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert len(kept[1]) == 1
    assert kept[1] == kept[2]
