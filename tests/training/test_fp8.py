"""FP8: what is converted, what leaves the model, what the audit refuses. Emulated: no GPU is needed."""

from __future__ import annotations

import itertools
import json
import math
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from forked_launch import launch
from hypothesis import given
from hypothesis import strategies as st
from training_rows import SFT, Recorded, difference, train_sharded, training
from transformers import AutoModelForCausalLM

from proofline.config import Environment
from proofline.config.schema import Fp8
from proofline.storage.weights import weights_hash
from proofline.tracking import NullRun
from proofline.training.execution import Execution
from proofline.training.fp8 import apply_formats, builder, convert
from proofline.training.fp8_audit import audit
from proofline.training.fp8_names import NORM_WEIGHT, fused_weights, plain_weights, rows_of_parts
from proofline.training.optimizer import arrange_optimizer, parameter_groups
from proofline.training.precision import PrecisionError, precision_arguments
from proofline.training.rounded_adam import RoundedAdamW, round_scaled

ONE_THREAD = Execution(threads=1)
EMULATED = SFT.model_copy(update={"precision": "fp8"})


def recipe(**changes: Any) -> Any:
    return EMULATED.model_copy(update=changes)


@pytest.fixture
def model(tiny_policy: Path) -> Any:
    return AutoModelForCausalLM.from_pretrained(tiny_policy)


def test_the_decoders_products_are_converted_and_nothing_else(model: Any) -> None:
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    apply_formats(model, EMULATED)
    kinds = {name: type(module).__name__ for name, module in model.named_modules() if hasattr(module, "weight")}
    assert kinds["lm_head"] == "Linear"
    assert kinds["model.embed_tokens"] == "Embedding"
    assert model.lm_head.weight is model.model.embed_tokens.weight
    assert list(kinds.values()).count("EmulatedLinear") == 2 * 2
    assert list(kinds.values()).count("EmulatedNormLinear") == 2 * 2
    after = model.state_dict()
    assert set(after) == set(before)
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_the_share_counts_the_head(model: Any) -> None:
    sizes = [linear.weight.numel() for linear in model.modules() if isinstance(linear, torch.nn.Linear)]
    apply_formats(model, EMULATED)
    counted = audit(model, EMULATED)
    assert counted == {"fp8_layers": 2, "fp8_flops_share": pytest.approx(1 - sizes[-1] / sum(sizes))}
    assert audit(model, SFT) == {}


def test_a_converted_model_computes_nearly_the_same_and_not_the_same(tiny_policy: Path, model: Any) -> None:
    ids = torch.arange(48).reshape(2, 24)
    apply_formats(model, EMULATED)
    with torch.no_grad():
        ours, plain = model(ids).logits, AutoModelForCausalLM.from_pretrained(tiny_policy)(ids).logits
    error = (ours - plain).norm() / plain.norm()
    assert 1e-3 < error < 0.1


def test_plain_weights_go_into_a_converted_model(model: Any) -> None:
    apply_formats(model, EMULATED)
    moved = {name: tensor + 1 for name, tensor in model.state_dict().items()}
    missing, unexpected = model.load_state_dict(moved)
    assert (missing, unexpected) == ([], [])
    assert all(torch.equal(tensor, moved[name]) for name, tensor in model.state_dict().items())


sizes = st.integers(1, 4)


@given(
    heads=sizes, groups=sizes, head_dim=sizes, width=sizes, layers=st.integers(1, 3),
    prefix=st.sampled_from(["", "module."]), bias=st.booleans(),
)  # fmt: skip
def test_names_round_trip(
    heads: int, groups: int, head_dim: int, width: int, layers: int, prefix: str, bias: bool
) -> None:
    config: Any = SimpleNamespace(
        hidden_size=heads * groups * head_dim, num_attention_heads=heads * groups, num_key_value_heads=heads,
        head_dim=head_dim, intermediate_size=width,
    )  # fmt: skip
    rows = rows_of_parts(config)
    numbers = itertools.count()

    def tensor(*shape: int) -> torch.Tensor:
        return torch.full(shape, float(next(numbers)))

    plain = {f"{prefix}model.embed_tokens.weight": tensor(5, config.hidden_size)}
    for layer in range(layers):
        name = f"{prefix}model.layers.{layer}"
        for part, size in rows.items():
            plain[f"{name}.{part}.weight"] = tensor(size, config.hidden_size)
            if bias and "self_attn" in part:
                plain[f"{name}.{part}.bias"] = tensor(size)
        plain[f"{name}.self_attn.o_proj.weight"] = tensor(config.hidden_size, config.hidden_size)
        plain[f"{name}.mlp.down_proj.weight"] = tensor(config.hidden_size, width)
        plain[f"{name}.input_layernorm.weight"] = tensor(config.hidden_size)
        plain[f"{name}.post_attention_layernorm.weight"] = tensor(config.hidden_size)

    fused = fused_weights(plain)
    assert len([name for name in fused if name.endswith(NORM_WEIGHT)]) == 2 * layers
    assert not any(part in name for name in fused for part in rows)
    back = plain_weights(fused | {f"{prefix}model.layers.0.input_layernorm._extra_state": torch.empty(0)}, config)
    assert set(back) == set(plain)
    assert all(torch.equal(back[name], plain[name]) for name in plain)
    assert all(tensor.untyped_storage().nbytes() == tensor.nbytes for tensor in back.values())
    assert set(plain_weights(plain, config)) == set(plain)
    assert set(fused_weights(fused)) == set(fused)


def test_odd_sizes_are_refused_by_name_and_change_nothing(model: Any) -> None:
    layer = model.model.layers[1].mlp
    layer.up_proj = torch.nn.Linear(64, 120)
    with pytest.raises(PrecisionError, match=r"layer 1's mlp\.up_proj is 120 x 64.*multiples of 16.*precision: bf16"):
        convert(model, builder(EMULATED))
    assert type(model.model.layers[0].input_layernorm).__name__ == "Qwen2RMSNorm"


def test_weights_that_are_sharded_already_are_refused(model: Any) -> None:
    model.model.layers[0].self_attn.q_proj.weight = torch.nn.Parameter(torch.empty(0))
    with pytest.raises(PrecisionError, match=r"layer 0's self_attn\.q_proj holds \(0,\) of its 64 x 64"):
        convert(model, builder(EMULATED))


def test_the_audit_refuses_a_layer_left_out_and_a_share_too_small(model: Any) -> None:
    apply_formats(model, EMULATED)
    wanting = recipe(fp8=Fp8(emulate=True, min_flops_share=0.99))
    with pytest.raises(PrecisionError, match=r"2 of 2 decoder layers and \d\d\.\d% .*min_flops_share = 99\.0%"):
        audit(model, wanting)
    model.model.layers[1].mlp.down_proj = torch.nn.Linear(128, 64)
    with pytest.raises(PrecisionError, match=r"1 of 2 decoder layers"):
        audit(model, recipe(fp8=Fp8(emulate=True, min_flops_share=0.0)))


def test_a_model_that_was_not_converted_is_refused(model: Any) -> None:
    """As when a trainer replaces FP8 by bf16 on its own."""
    with pytest.raises(PrecisionError, match="0 of 2 decoder layers"):
        audit(model, EMULATED)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, r"precision: fp8 needs a GPU.*precision: bf16, or fp8\.emulate: true"),
        ({"precision": "bf16", "optimizer_state": "fp8"}, r"optimizer_state: fp8 needs Transformer Engine.*emulate"),
    ],
)
def test_what_the_machine_lacks_is_said_with_the_remedy(changes: dict[str, str], says: str) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    with pytest.raises(PrecisionError, match=says):
        precision_arguments(recipe(fp8=Fp8(emulate=False, min_flops_share=0.6), **changes))


@pytest.mark.parametrize("name", ["sft", "dpo", "genrm"])
def test_each_training_runs_emulated_and_ends_near_bf16(name: str, tiny_policy: Path, tmp_path: Path) -> None:
    losses = {}
    for precision in ("bf16", "fp8"):
        run, train = Recorded(), training(name, tiny_policy, precision=precision)
        metrics = train(0, tmp_path / precision, run, execution=ONE_THREAD)
        losses[precision] = [run.at(step)["loss"] for step in range(1, 5)]
    assert losses["fp8"] != losses["bf16"]
    assert losses["fp8"] == pytest.approx(losses["bf16"], abs=0.02)
    assert metrics["fp8_layers"] == 2
    assert metrics["fp8_flops_share"] > 0.6


@pytest.mark.parametrize("name", ["sft", "dpo"])
def test_every_fp8_operand_has_sides_that_the_hardware_takes(name: str, tiny_policy: Path, tmp_path: Path) -> None:
    sides = set()

    def note(module: torch.nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        if type(module).__name__.startswith("Emulated"):
            sides.update((math.prod(inputs[0].shape[:-1]), *module.weight.shape))

    noting = torch.nn.modules.module.register_module_forward_pre_hook(note)
    try:
        one_row = Execution(threads=1, micro_batch=1)
        training(name, tiny_policy, precision="fp8")(0, tmp_path / name, Recorded(), execution=one_row)
    finally:
        noting.remove()
    assert len(sides) > 4
    assert all(side % 16 == 0 for side in sides)


def test_the_export_is_plain_and_loads_without_any_fp8_library(tiny_policy: Path, tmp_path: Path) -> None:
    training("sft", tiny_policy, precision="fp8")(0, tmp_path / "sft", Recorded(), execution=ONE_THREAD)
    script = """
import json, sys
for library in ("torchao", "transformer_engine"):
    sys.modules[library] = None
from safetensors import safe_open
from transformers import AutoModelForCausalLM
keys = {}
for folder in sys.argv[1:]:
    with safe_open(f"{folder}/model.safetensors", "pt") as stored:
        keys[folder] = sorted(stored.keys())
model, report = AutoModelForCausalLM.from_pretrained(sys.argv[2], output_loading_info=True)
print(json.dumps({
    "keys": list(keys.values()), "tied": model.lm_head.weight is model.model.embed_tokens.weight,
    "report": [len(v) for k, v in report.items() if k.endswith("_keys")],
}))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, tiny_policy, tmp_path / "sft"], capture_output=True, text=True, check=True
    )
    facts = json.loads(done.stdout.splitlines()[-1])
    assert facts["keys"][0] == facts["keys"][1]
    assert facts["tied"]
    assert not any(facts["report"])


def test_computing_a_layer_again_changes_no_bit(tiny_policy: Path, tmp_path: Path) -> None:
    hashes = set()
    for again in (False, True):
        train = training("sft", tiny_policy, precision="fp8", activation_checkpointing=again)
        train(0, tmp_path / str(again), Recorded(), execution=ONE_THREAD)
        hashes.add(weights_hash(tmp_path / str(again)))
    assert len(hashes) == 1


class PowerCut(Exception):
    """Ends a training from outside."""


class CutAt(Recorded):
    def log_metrics(self, metrics: Any, step: int | None = None) -> None:
        super().log_metrics(metrics, step)
        if step == 3:
            raise PowerCut


def test_a_resumed_fp8_training_is_bit_identical(tiny_policy: Path, tmp_path: Path) -> None:
    train = training("sft", tiny_policy, precision="fp8", optimizer_state="fp8")
    train(0, tmp_path / "undisturbed", Recorded(), execution=ONE_THREAD)
    resumable = Execution(threads=1, checkpoints=tmp_path / "checkpoints", save_steps=2)
    with pytest.raises(PowerCut):
        train(0, tmp_path / "resumed", CutAt(), execution=resumable)
    run = Recorded()
    train(0, tmp_path / "resumed", run, execution=resumable)
    assert [step for step, _ in run.curves] == [1, 2, 3, 4], "the whole curve"
    assert weights_hash(tmp_path / "resumed") == weights_hash(tmp_path / "undisturbed")


def test_weight_decay_reaches_the_same_weights_as_before(model: Any) -> None:
    from transformers import Trainer, TrainingArguments

    def decayed() -> dict[str, bool]:
        names = trainer.get_decay_parameter_names(model)
        return {
            name: any(tensor is parameter for other, parameter in model.named_parameters() if other in names)
            for name, tensor in model.named_parameters()
        }

    trainer = Trainer(model, TrainingArguments(use_cpu=True, report_to="none", bf16=False))
    before = sum(tensor.numel() for name, tensor in model.named_parameters() if decayed()[name])
    apply_formats(model, EMULATED)
    arrange_optimizer(trainer, EMULATED)
    assert sum(tensor.numel() for name, tensor in model.named_parameters() if decayed()[name]) == before
    assert trainer.optimizer is None
    assert not decayed()[f"model.layers.0.input_layernorm.{NORM_WEIGHT}"]
    assert decayed()["model.layers.0.input_layernorm.weight"]
    groups = parameter_groups(model, set(trainer.get_decay_parameter_names(model)), 0.1)
    assert sum(len(group["params"]) for group in groups) == len(list(model.parameters()))
    assert len(groups) == 2 * 2 + 2


def test_a_low_precision_state_is_refused_with_deepspeed() -> None:
    trainer: Any = SimpleNamespace(is_deepspeed_enabled=True, get_decay_parameter_names=lambda model: [])
    with pytest.raises(PrecisionError, match="optimizer_state: bf16 is not to be had with DeepSpeed"):
        arrange_optimizer(trainer, recipe(optimizer_state="bf16"))


@pytest.mark.parametrize(("formats", "largest_change"), [("fp32", 0.0), ("bf16", 2**-8), ("fp8", 2**-4)])
def test_moments_are_numbers_of_their_format(formats: Any, largest_change: float) -> None:
    moments = []
    for kind in ("fp32", formats):
        weight = torch.nn.Parameter(torch.linspace(-1, 1, 64))
        optimizer = RoundedAdamW([{"params": [weight]}], kind, lr=1e-3)
        weight.grad = torch.linspace(-3, 5, 64)
        optimizer.step()
        moments.append(optimizer.state[weight]["exp_avg"].clone())
    exact, rounded = moments
    assert (rounded - exact).abs().max() <= largest_change * exact.abs().max()
    assert torch.equal(rounded, exact) == (formats == "fp32")


def test_rounding_twice_is_rounding_once() -> None:
    values = torch.randn(256, generator=torch.Generator().manual_seed(0)) * 1e-6
    for number_format, largest in ((torch.float8_e4m3fn, 448.0), (torch.float16, 32752.0)):
        once = values.clone()
        round_scaled(once, number_format, largest)
        twice = once.clone()
        round_scaled(twice, number_format, largest)
        torch.testing.assert_close(once, twice, rtol=1e-6, atol=0)
    zeros = torch.zeros(4)
    round_scaled(zeros, torch.float8_e4m3fn, 448.0)
    assert torch.equal(zeros, torch.zeros(4))


@pytest.mark.slow
def test_two_processes_take_the_same_fp8_steps_as_one(tiny_policy: Path, tmp_path: Path) -> None:
    """Scales are a micro-batch's own, so its rows decide them and not who computes it.

    ZeRO-3's sums differ in their last bits: by 0.4% of the way trained with bf16, 2% where FP8 rounds them.
    """
    execution = Execution(threads=1, micro_batch=4)
    training("sft", tiny_policy, precision="fp8")(0, tmp_path / "one", Recorded(), execution=execution)
    two = Environment(launcher="accelerate", processes=2, threads=1)
    train = partial(train_sharded, ["sft"], tiny_policy, tmp_path, execution, (0, 3), precision="fp8")
    launch(train, NullRun(), two)
    for zero_stage, tolerance in ((0, 0.0), (3, 0.05)):
        assert difference(tmp_path / f"{zero_stage}/sft", tmp_path / "one", tiny_policy) <= tolerance, zero_stage


@pytest.mark.slow
def test_the_memory_benchmark_runs_through_and_says_that_it_measured_nothing(tmp_path: Path) -> None:
    script = Path(__file__).parents[2] / "benchmarks/gpu/fp8_memory.py"
    command = [sys.executable, script, "--self-check", "--out", tmp_path / "result.json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Not a measurement" in done.stdout
    result = json.loads((tmp_path / "result_self_check.json").read_text())
    assert result["self_check"]
    assert not result["not_measured"]
    assert result["verdicts"] == {}
    assert [run["fp8_layers"] for run in result["runs"]["fp8, fp8 state, checkpointing"]] == [2]
