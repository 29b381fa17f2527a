"""Weights packed for the CPU's kernel: the same function to rounding, held once, and only where they are large."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from proofline.data.synthetic import generate_problems
from proofline.records import Decoding
from proofline.sampling import policy
from proofline.sampling.engine import Engine
from proofline.sampling.packed import PackedLinear, pack
from proofline.sampling.policy import load_sampler
from proofline.sampling.request import Request
from proofline.sampling.seeds import sample_seed

WARM = Decoding(temperature=0.8, top_p=0.95, max_new_tokens=24)


def of_kind(model: torch.nn.Module, kind: type[torch.nn.Module]) -> list[str]:
    return [name for name, module in model.named_modules() if type(module) is kind]


@pytest.mark.parametrize("rows", [1, 3, 64])
@pytest.mark.parametrize("bias", [True, False])
def test_a_packed_layer_is_the_layer_to_rounding(rows: int, bias: bool) -> None:
    torch.manual_seed(rows)
    linear = torch.nn.Linear(896, 300, bias=bias)
    hidden = torch.randn(rows, 2, 896)
    with torch.inference_mode():
        assert PackedLinear(linear)(hidden) == pytest.approx(linear(hidden), abs=1e-5)


def test_every_layer_of_a_policy_is_packed_and_the_tied_embedding_is_kept(tiny_policy: Path) -> None:
    plain, packed = (AutoModelForCausalLM.from_pretrained(tiny_policy, dtype=torch.float32).eval() for _ in range(2))
    layers = of_kind(plain, torch.nn.Linear)
    embedding = packed.get_input_embeddings().weight.clone()
    pack(packed)
    assert of_kind(packed, PackedLinear) == layers
    assert of_kind(packed, torch.nn.Linear) == []
    assert packed.get_input_embeddings().weight.equal(embedding)
    # Nothing else holds the weights: what is left as parameters is the embedding, the norms and the biases.
    assert not {f"{name}.weight" for name in layers} & {name for name, _ in packed.named_parameters()}
    ids = torch.arange(40)[None]
    with torch.inference_mode():
        assert packed(ids).logits == pytest.approx(plain(ids).logits, abs=1e-4)


def test_what_is_not_a_plain_float32_layer_stays_as_it_is() -> None:
    class Own(torch.nn.Linear):
        pass

    model = torch.nn.ModuleList([torch.nn.Linear(4, 4, dtype=torch.bfloat16), Own(4, 4), torch.nn.Linear(4, 4)])
    kept = list(model)[:2]
    pack(model)
    assert list(model)[:2] == kept
    assert type(model[2]) is PackedLinear


def test_only_large_policies_are_packed_and_draw_the_same(tiny_policy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = load_sampler(tiny_policy, rows=8)
    assert of_kind(small.engine.model, PackedLinear) == []
    monkeypatch.setattr(policy, "OF_ONE_CORE_BYTES", 0)
    large = load_sampler(tiny_policy, rows=8)
    assert of_kind(large.engine.model, torch.nn.Linear) == []

    chats = [[{"role": "user", "content": problem.question}] for problem in generate_problems("dev", 12, seed=0)]
    requests = [
        Request(str(i), ids, [sample_seed(0, str(i), k) for k in range(4)])
        for i, ids in enumerate(small.encode(chats))
    ]  # fmt: skip
    drawn = [
        {(one.key, one.sample_index): one.token_ids for one in Engine(s.engine.model, [], 8).generate(requests, WARM)}
        for s in (small, large)
    ]
    same = [key for key in drawn[0] if drawn[0][key] == drawn[1][key]]
    assert len(same) >= 0.95 * len(drawn[0])
