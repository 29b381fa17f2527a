"""Adapters in place of all weights: what is trained, kept and exported, and that nothing behind it can tell."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from own_models import make_model, small_config, spaced
from safetensors.torch import load_file
from test_reference import by_hand
from training_rows import DPO, LORA, PROMPTS, SFT, Recorded, Stopped, Stops, some_pairs, training

from proofline.config.schema import Lora, Training
from proofline.data.prompts import solution_messages
from proofline.training.adapters import AdapterError, add_adapters, merged_weights
from proofline.training.dpo import train_dpo
from proofline.training.execution import Execution
from proofline.training.policy import load_policy
from proofline.training.tokens import encode_rows

ONE_THREAD = Execution(threads=1)
LAYERS = {"q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"}


def adapted(folder: Path, lora: Lora = LORA, **changes: Any) -> Any:
    """The policy's model with adapters, whose zeros are numbers as after a training."""
    section = SFT.model_copy(update={"lora": lora} | changes)
    model = add_adapters(load_policy(folder).model, section, 0, ONE_THREAD)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:
            torch.nn.init.normal_(parameter, std=0.1)
    return model.eval()


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(folder / "model.safetensors")


@pytest.mark.parametrize("kind", ["the study's", "a head of its own"])
@torch.no_grad()
def test_the_merged_model_says_what_model_and_adapters_say(kind: str, tiny_policy: Path, tmp_path: Path) -> None:
    folder = tiny_policy
    if kind != "the study's":
        folder = make_model(tmp_path / "own", spaced(), small_config(tie_word_embeddings=False))
    model, ids = adapted(folder), torch.arange(3, 67).reshape(2, 32)
    by_peft = {name: layer.get_delta_weight("default") for name, layer in model.named_modules() if layer_adapted(layer)}
    before, plain = model(ids).logits, load_policy(folder).model.eval()
    assert len(by_peft) == 2 * len(LAYERS)
    assert (before - plain(ids).logits).abs().max() > 0.01

    merged = merged_weights(model.state_dict(), LORA)
    for name, delta in by_peft.items():
        torch.testing.assert_close(merged[f"{name}.weight"] - plain.state_dict()[f"{name}.weight"], delta)
    plain.load_state_dict(merged)
    assert (before - plain(ids).logits).abs().max() < 1e-5


def layer_adapted(module: torch.nn.Module) -> bool:
    return hasattr(module, "base_layer")


@pytest.mark.parametrize("name", ["sft", "dpo", "genrm"])
def test_what_is_exported_is_a_plain_folder_that_differs_by_small_ranks(
    name: str, tiny_policy: Path, tmp_path: Path
) -> None:
    metrics = training(name, tiny_policy, lora=LORA)(0, tmp_path / name, Recorded(), execution=ONE_THREAD)
    before, after = weights(tiny_policy), weights(tmp_path / name)
    assert {key: (tensor.shape, tensor.dtype) for key, tensor in after.items()} == {
        key: (tensor.shape, tensor.dtype) for key, tensor in before.items()
    }
    assert (tmp_path / name / "config.json").read_text() == (tiny_policy / "config.json").read_text()
    expected = 0
    for key, tensor in after.items():
        change = (tensor - before[key]).double()
        if key.split(".")[-2] in LAYERS and tensor.ndim == 2:
            expected += LORA.rank * sum(tensor.shape)
            sizes = torch.linalg.svdvals(change)
            assert sizes[0] > 1e-4
            assert sizes[LORA.rank] < 1e-2 * sizes[0], "the rounding of fp32 is all that is left"
        else:
            assert not change.any(), key
    assert metrics["trainable_parameters"] == expected


def test_weights_are_added_in_fp32_and_then_rounded(tiny_policy: Path, tmp_path: Path) -> None:
    """A policy stored in bf16, and the same numbers in fp32: one training, rounded once."""
    model, folders = load_policy(tiny_policy).model.to(torch.bfloat16), []
    for dtype in (torch.bfloat16, torch.float32):
        folders.append(Path(shutil.copytree(tiny_policy, tmp_path / str(dtype))))
        model.to(dtype).save_pretrained(folders[-1])
        training("adapters", folders[-1])(0, tmp_path / f"{dtype}-trained", Recorded(), execution=ONE_THREAD)
    rounded, exact = (weights(tmp_path / f"{folder.name}-trained") for folder in folders)
    for key, tensor in exact.items():
        assert tensor.dtype == torch.float32
        assert torch.equal(rounded[key], tensor.to(torch.bfloat16)), key


def test_dpo_measures_against_the_policy_without_adapters(tiny_policy: Path, tmp_path: Path) -> None:
    """The rewards of its second step are those that a reference model in memory would give, after the first."""
    pairs, runs = some_pairs(8), {"two": Recorded(), "one": Recorded()}
    section = DPO.model_copy(update={"lora": LORA, "epochs": 2.0})
    train_dpo(tiny_policy, pairs, PROMPTS, section, 0, tmp_path / "two", runs["two"], execution=ONE_THREAD)
    first = runs["two"].at(1)
    # A training of one step takes it at a tenth of its learning rate.
    section = section.model_copy(update={"epochs": 1.0, "learning_rate": 10 * first["learning_rate"]})
    train_dpo(tiny_policy, pairs, PROMPTS, section, 0, tmp_path / "one", runs["one"], execution=ONE_THREAD)
    assert first["learning_rate"] == pytest.approx(runs["one"].at(1)["learning_rate"])
    assert first["rewards/margins"] == pytest.approx(0.0, abs=1e-5)
    policy, reference = load_policy(tmp_path / "one"), load_policy(tiny_policy)
    questions = [solution_messages(pair.question, PROMPTS) for pair in pairs]
    for side in ("chosen", "rejected"):
        rows = encode_rows(policy.tokenizer, questions, [getattr(pair, side) for pair in pairs])
        rewards = [section.beta * (by_hand(policy, row) - by_hand(reference, row)) for row in rows]
        assert runs["two"].at(2)[f"rewards/{side}"] == pytest.approx(sum(rewards) / len(rewards), abs=2e-5)
        assert abs(sum(rewards) / len(rewards)) > 2e-3


def test_stopped_and_resumed_is_bit_identical_and_only_adapters_are_kept(tiny_policy: Path, tmp_path: Path) -> None:
    """With a dropout, whose draws go on where they were."""
    train = training("adapters", tiny_policy, lora=LORA.model_copy(update={"dropout": 0.2}))
    train(0, tmp_path / "undisturbed", Recorded(), execution=ONE_THREAD)
    kept = replace(ONE_THREAD, checkpoints=tmp_path / "checkpoints", save_steps=1)
    with pytest.raises(Stopped):
        train(0, tmp_path / "resumed", Stops(), execution=kept)
    for file in ("model", "optimizer"):
        names = [name for path in kept.checkpoints.rglob(f"{file}.safetensors") for name in load_file(path)]
        assert names
        assert all(".lora_" in name for name in names)
    run = Recorded()
    train(0, tmp_path / "resumed", run, execution=kept)
    assert run.tags["proofline.resumed_from"] == "3"
    undisturbed, resumed = weights(tmp_path / "undisturbed"), weights(tmp_path / "resumed")
    assert all(torch.equal(tensor, resumed[key]) for key, tensor in undisturbed.items())


def test_layers_computed_again_train_the_same_adapters(tiny_policy: Path, tmp_path: Path) -> None:
    for again in (False, True):
        train = training("adapters", tiny_policy, activation_checkpointing=again)
        train(0, tmp_path / str(again), Recorded(), execution=ONE_THREAD)
    once, twice = weights(tmp_path / "False"), weights(tmp_path / "True")
    assert all(torch.equal(tensor, twice[key]) for key, tensor in once.items())


def test_random_halves_are_those_of_seed_and_stage(tiny_policy: Path) -> None:
    def random_half(section: Training, seed: int) -> torch.Tensor:
        model = add_adapters(load_policy(tiny_policy).model, section, seed, ONE_THREAD)
        return model.get_submodule("model.layers.1.mlp.up_proj").lora_A["default"].weight

    sft, dpo = (section.model_copy(update={"lora": LORA}) for section in (SFT, DPO))
    assert torch.equal(random_half(sft, 0), random_half(sft, 0))
    assert not torch.equal(random_half(sft, 0), random_half(sft, 1))
    assert not torch.equal(random_half(sft, 0), random_half(dpo, 0)), "stages would add to the same few directions"


def test_layers_are_named_and_a_name_that_is_none_is_refused(tiny_policy: Path, tmp_path: Path) -> None:
    queries = LORA.model_copy(update={"target": ("q_proj",)})
    names = {name for name, module in adapted(tiny_policy, queries).named_modules() if layer_adapted(module)}
    assert names == {"model.layers.0.self_attn.q_proj", "model.layers.1.self_attn.q_proj"}
    for target, says in (
        (("q_proj", "v_porj"), "Qwen2ForCausalLM has no Linear layers 'v_porj'; did you mean v_proj"),
        (("lm_head",), "no Linear layers 'lm_head'; there are: down_proj, gate_proj, "),
        (("embed_tokens",), "no Linear layers 'embed_tokens'"),
    ):
        with pytest.raises(AdapterError, match=says):
            adapted(tiny_policy, LORA.model_copy(update={"target": target}))
    other = make_model(tmp_path / "gpt2", spaced(), small_config("GPT2Config"))
    with pytest.raises(AdapterError, match=r"GPT2LMHeadModel has no Linear layers to adapt\. Set lora: null"):
        adapted(other)
    section = SFT.model_copy(update={"lora": LORA, "activation_checkpointing": True})
    with pytest.raises(AdapterError, match="PROOFLINE_ZERO_STAGE"):
        add_adapters(load_policy(tiny_policy).model, section, 0, Execution(zero_stage=3))
