"""The verifier's ablation: the verifier's own steps, of which the solutions' part of the loss is left."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from training_rows import GENRM, PROMPTS, Recorded, some_demonstrations, some_traces, training

from proofline.data.prompts import solution_messages, verification_messages
from proofline.storage.weights import weights_hash
from proofline.training.batching import order_rows
from proofline.training.execution import Execution
from proofline.training.genrm import draw_solutions
from proofline.training.policy import load_policy
from proofline.training.reference import completion_logps
from proofline.training.tokens import TokenRow, encode_rows


def rows_of(policy_dir: Path) -> tuple[list[TokenRow], list[TokenRow]]:
    """Traces and solutions as the training lays them out."""
    tokenizer, demonstrations, traces = load_policy(policy_dir).tokenizer, some_demonstrations(), some_traces()
    asked = [verification_messages(row.question, row.candidate, PROMPTS) for row in traces]
    encoded = encode_rows(tokenizer, asked, [row.chain for row in traces])
    questions = [solution_messages(row.question, PROMPTS) for row in demonstrations]
    solutions = encode_rows(tokenizer, questions, [row.solution for row in demonstrations])
    return encoded, draw_solutions(encoded, solutions, GENRM.solution_weight, 0)


def curve(run: Recorded, name: str) -> list[float]:
    return [metrics[name] for step, metrics in run.curves if step is not None]


@pytest.mark.parametrize("micro_batch", [2, 16])
def test_a_steps_loss_is_the_solutions_part_of_the_verifiers(
    micro_batch: int, tiny_policy: Path, tmp_path: Path
) -> None:
    """One step of all rows, some of them twice; both losses are divided by the tokens of all of them."""
    losses, execution = {}, Execution(threads=1, micro_batch=micro_batch)
    for name in ("genrm", "solutions"):
        run = Recorded()
        training(name, tiny_policy, batch_size=64)(0, tmp_path / name, run, execution=execution)
        (losses[name],) = curve(run, "loss")
    traces, solutions = rows_of(tiny_policy)
    rows = traces + solutions
    order = order_rows([row.num_tokens for row in rows], GENRM.epochs, 64, 0)
    with torch.no_grad():
        nll = -completion_logps(load_policy(tiny_policy).model, [rows[index] for index in order]).numpy()
    tokens = sum(len(rows[index].completion_ids) for index in order)
    assert losses["genrm"] == pytest.approx(nll.sum() / tokens, abs=1e-4)
    assert losses["solutions"] == pytest.approx(nll[order >= len(traces)].sum() / tokens, abs=1e-4)


def test_steps_and_learning_rates_are_the_verifiers_and_traces_cost_nothing(tiny_policy: Path, tmp_path: Path) -> None:
    runs, metrics = {}, {}
    for name in ("genrm", "solutions"):
        runs[name] = Recorded()
        metrics[name] = training(name, tiny_policy, warmup_ratio=0.3)(
            0, tmp_path / name, runs[name], execution=Execution(threads=1)
        )  # fmt: skip
    for name in ("traces", "solutions", "solution_share", "steps"):
        assert metrics["solutions"][name] == metrics["genrm"][name], name
    assert curve(runs["solutions"], "learning_rate") == curve(runs["genrm"], "learning_rate")
    assert metrics["solutions"]["tokens"] < metrics["genrm"]["tokens"] / 2
    assert len({weights_hash(tmp_path / name) for name in runs} | {weights_hash(tiny_policy)}) == 3


def test_without_solutions_the_ablation_is_the_policy_it_started_from(tiny_policy: Path, tmp_path: Path) -> None:
    training("solutions", tiny_policy, solution_weight=0.0)(0, tmp_path / "same", Recorded())
    assert weights_hash(tmp_path / "same") == weights_hash(tiny_policy)


def test_a_muted_row_keeps_its_length_and_shows_one_token() -> None:
    row = TokenRow([1, 2, 3], [4, 5])._replace(muted=True)
    assert (row.num_tokens, row.input_ids, row.labels) == (5, [1], [-100])
