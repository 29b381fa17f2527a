"""The three trainings on a tiny policy: what is learnt from, what comes out, and that it comes out twice."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from training_rows import DPO, PROMPTS, SFT, Recorded, some_demonstrations, some_pairs, training

from proofline.config.schema import Fp8
from proofline.data.prompts import solution_messages
from proofline.storage.weights import weights_hash
from proofline.training import loop
from proofline.training.batching import BatchError, BatchPlan, Schedule
from proofline.training.dpo import train_dpo
from proofline.training.execution import Execution
from proofline.training.loop import DivergenceError, fit
from proofline.training.policy import PolicyError
from proofline.training.precision import PrecisionError
from proofline.training.sft import train_sft
from proofline.training.tokens import TrainingDataError, encode_rows

ONE_THREAD = Execution(threads=1)


def completion_loss(folder: Path, count: int) -> float:
    """Mean negative log-likelihood of the completions' tokens, by hand, in fp32."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    rows = some_demonstrations(count)
    nll, tokens = 0.0, 0
    for row in encode_rows(
        tokenizer, [solution_messages(row.question, PROMPTS) for row in rows], [row.solution for row in rows]
    ):
        with torch.no_grad():
            logprobs = model(torch.tensor([row.input_ids])).logits[0].log_softmax(-1)
        start = len(row.prompt_ids)
        for position, token in enumerate(row.completion_ids, start):
            nll -= logprobs[position - 1, token].item()
        tokens += len(row.completion_ids)
    return nll / tokens


def test_the_loss_is_on_the_completions_only_and_falls(tiny_policy: Path, tmp_path: Path) -> None:
    section = SFT.model_copy(update={"precision": "fp32", "epochs": 5.0})
    run = Recorded()
    train_sft(tiny_policy, some_demonstrations(8), PROMPTS, section, 0, tmp_path / "sft", run, execution=ONE_THREAD)
    assert run.at(1)["loss"] == pytest.approx(completion_loss(tiny_policy, 8), abs=1e-4)
    assert completion_loss(tmp_path / "sft", 8) < run.at(1)["loss"] - 0.1


def test_a_step_does_not_depend_on_the_micro_batch(tiny_policy: Path, tmp_path: Path) -> None:
    section = SFT.model_copy(update={"precision": "fp32"})
    losses = []
    for micro_batch in (2, 8):
        run, execution = Recorded(), Execution(threads=1, micro_batch=micro_batch)
        out_dir = tmp_path / str(micro_batch)
        train_sft(tiny_policy, some_demonstrations(), PROMPTS, section, 0, out_dir, run, execution=execution)
        losses.append([run.at(step)["loss"] for step in range(1, 5)])
    assert losses[0] == pytest.approx(losses[1], abs=1e-4)


@pytest.mark.parametrize("name", ["sft", "dpo"])
def test_the_loss_does_not_depend_on_the_tile_of_the_vocabulary(
    name: str, tiny_policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from trl.kernels import chunked_logprob

    widths, runs, fold = set(), [Recorded(), Recorded()], chunked_logprob._forward_tile

    def seen(tile: Any, *others: Any, **settings: Any) -> None:
        widths.add(tile.shape[1])
        fold(tile, *others, **settings)

    monkeypatch.setattr(chunked_logprob, "_forward_tile", seen)
    for tile, run in zip((loop.CPU_TILE, 100), runs, strict=True):
        monkeypatch.setattr(loop, "CPU_TILE", tile)
        training(name, tiny_policy)(0, tmp_path / str(tile), run, execution=ONE_THREAD)
    assert 100 in widths
    steps = [metrics for step, metrics in runs[0].curves if step]
    for step, metrics in enumerate(steps, 1):
        assert runs[1].at(step)["loss"] == pytest.approx(metrics["loss"], abs=1e-4)


def test_rows_too_long_are_counted_and_never_cut(tiny_policy: Path, tmp_path: Path) -> None:
    section = SFT.model_copy(update={"max_length": 90})
    metrics = train_sft(
        tiny_policy, some_demonstrations(), PROMPTS, section, 0, tmp_path / "sft", Recorded(), execution=ONE_THREAD
    )
    assert metrics["rows_dropped"] > 0
    assert metrics["rows"] + metrics["rows_dropped"] == 32
    assert metrics["tokens"] < 90 * metrics["steps"] * SFT.batch_size


def test_dpo_starts_at_the_weights_in_hand_and_widens_the_margin(tiny_policy: Path, tmp_path: Path) -> None:
    run, section = Recorded(), DPO.model_copy(update={"epochs": 2.0})
    metrics = train_dpo(tiny_policy, some_pairs(), PROMPTS, section, 0, tmp_path / "dpo", run, execution=ONE_THREAD)
    assert run.at(1)["loss"] == pytest.approx(math.log(2), abs=1e-4)
    assert run.at(1)["rewards/margins"] == pytest.approx(0.0, abs=1e-3)
    assert metrics["final_rewards/margins"] > 0.5
    assert metrics["pairs"] == 32
    assert sorted(path.name for path in tmp_path.iterdir()) == ["dpo"]


def test_the_sft_term_of_dpo_raises_the_chosen_solutions(tiny_policy: Path, tmp_path: Path) -> None:
    chosen = {}
    for weight in (0.0, 1.0):
        section = DPO.model_copy(update={"sft_weight": weight, "epochs": 2.0})
        out_dir = tmp_path / str(weight)
        train_dpo(tiny_policy, some_pairs(), PROMPTS, section, 0, out_dir, Recorded(), execution=ONE_THREAD)
        chosen[weight] = completion_loss(out_dir, 8)
    assert chosen[1.0] < chosen[0.0]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", ["sft", "dpo", "genrm"])
def test_the_same_training_twice_gives_the_same_bits(
    name: str, threads: int, tiny_policy: Path, tmp_path: Path
) -> None:
    hashes = set()
    for attempt in ("first", "second"):
        training(name, tiny_policy)(0, tmp_path / attempt, Recorded(), execution=Execution(threads=threads))
        hashes.add(weights_hash(tmp_path / attempt))
    assert len(hashes) == 1
    assert hashes != {weights_hash(tiny_policy)}
    for file in (tmp_path / "first").iterdir():
        assert file.read_bytes() == (tmp_path / "second" / file.name).read_bytes()


@pytest.mark.parametrize(("rows_share", "steps"), [(0.25, 1), (0.5, 2), (1.0, 4)])
@pytest.mark.parametrize("warmup_ratio", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("name", ["sft", "dpo", "genrm"])
def test_every_step_trains_the_first_and_only_one_too(
    name: str, warmup_ratio: float, rows_share: float, steps: int, tiny_policy: Path, tmp_path: Path
) -> None:
    run, changes = Recorded(), {"warmup_ratio": warmup_ratio, "epochs": rows_share}
    if name == "genrm":
        changes["solution_weight"] = 0.0
    train = training(name, tiny_policy, **changes)
    metrics = train(0, tmp_path / name, run, execution=ONE_THREAD)
    rates = [run.at(step)["learning_rate"] for step in range(1, steps + 1)]
    assert metrics["steps"] == steps
    assert all(0 < rate <= 1e-3 for rate in rates), rates
    assert weights_hash(tmp_path / name) != weights_hash(tiny_policy)


def test_the_export_loads_in_a_fresh_process_with_its_head_tied(tiny_policy: Path, tmp_path: Path) -> None:
    training("sft", tiny_policy)(0, tmp_path / "sft", Recorded(), execution=ONE_THREAD)
    script = """
import json, sys
from safetensors import safe_open
from transformers import AutoModelForCausalLM, AutoTokenizer
folder = sys.argv[1]
model, tokenizer = AutoModelForCausalLM.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
with safe_open(f"{folder}/model.safetensors", "pt") as stored:
    keys = list(stored.keys())
question = [{"role": "user", "content": "1 + 1?"}]
prompt = tokenizer.apply_chat_template(question, add_generation_prompt=True, tokenize=False)
print(json.dumps({
    "tied": model.lm_head.weight.data_ptr() == model.model.embed_tokens.weight.data_ptr(),
    "keys": keys, "dtype": str(model.dtype), "use_cache": model.config.use_cache, "prompt": prompt,
}))
"""
    answer = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "sft"], capture_output=True, text=True, check=True
    )
    facts = json.loads(answer.stdout.splitlines()[-1])
    assert facts["tied"]
    assert "lm_head.weight" not in facts["keys"]
    assert len(facts["keys"]) == len(set(facts["keys"]))
    assert facts["dtype"] == "torch.float32"
    assert facts["use_cache"]
    assert facts["prompt"].endswith("<|im_start|>assistant\n")


def test_an_export_keeps_the_number_format_it_started_from(tiny_policy: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    half = tmp_path / "half"
    AutoModelForCausalLM.from_pretrained(tiny_policy).to(torch.bfloat16).save_pretrained(half)
    AutoTokenizer.from_pretrained(tiny_policy).save_pretrained(half)
    training("sft", half)(0, tmp_path / "sft", Recorded(), execution=ONE_THREAD)
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "sft", dtype="auto").dtype == torch.bfloat16
    assert json.loads((tmp_path / "sft/config.json").read_text())["dtype"] == "bfloat16"


def test_what_cannot_be_trained_is_refused_in_words(tiny_policy: Path, tmp_path: Path) -> None:
    out_dir, run = tmp_path / "out", Recorded()
    with pytest.raises(TrainingDataError, match="no demonstrations to train on"):
        train_sft(tiny_policy, [], PROMPTS, SFT, 0, out_dir, run)
    with pytest.raises(TrainingDataError, match="no preference pairs to train on"):
        train_dpo(tiny_policy, [], PROMPTS, DPO, 0, out_dir, run)
    with pytest.raises(PolicyError, match=r"has no config\.json"):
        train_sft(tmp_path, some_demonstrations(), PROMPTS, SFT, 0, out_dir, run)
    with pytest.raises(BatchError, match="PROOFLINE_MICRO_BATCH"):
        train_sft(tiny_policy, some_demonstrations(), PROMPTS, SFT, 0, out_dir, run, execution=Execution(micro_batch=3))
    assert not out_dir.exists()


def test_fp8_without_its_hardware_is_refused_and_never_replaced(tiny_policy: Path, tmp_path: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    section = SFT.model_copy(update={"precision": "fp8", "fp8": Fp8(emulate=False, min_flops_share=0.6)})
    with pytest.raises(PrecisionError, match=r"Hopper.*this machine has none.*precision: bf16, or fp8.emulate: true"):
        train_sft(tiny_policy, some_demonstrations(), PROMPTS, section, 0, tmp_path / "out", Recorded())


def test_a_loss_that_is_not_a_number_ends_the_training_without_an_export(tiny_policy: Path, tmp_path: Path) -> None:
    section = SFT.model_copy(update={"learning_rate": 0.9, "max_grad_norm": 1e30, "epochs": 10.0})
    broken: Any = {"learning_rate": 1e18}
    with pytest.raises(DivergenceError, match="nothing was written"):
        train_sft(
            tiny_policy,
            some_demonstrations(),
            PROMPTS,
            section.model_copy(update=broken),
            0,
            tmp_path / "sft",
            Recorded(),
        )
    assert not (tmp_path / "sft").exists()


def test_fewer_processes_than_the_launcher_promised_are_refused(tmp_path: Path) -> None:
    trainer: Any = SimpleNamespace(args=SimpleNamespace(world_size=1))
    schedule: Any = Schedule(BatchPlan(micro_batch=4, accumulation=1, world_size=2), order=None, steps=1)  # type: ignore[arg-type]
    policy: Any = None
    with pytest.raises(BatchError, match=r"promised 2 processes .* 1 take part"):
        fit(trainer, SFT, schedule, policy, None, tmp_path / "out", Recorded(), curves=())
