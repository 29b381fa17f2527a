"""The decoding loop against transformers' own; and that a sample does not change with what rides along."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch

from proofline.config.schema import Prompts
from proofline.data.synthetic import generate_problems
from proofline.records import Decoding, Problem
from proofline.sampling.engine import Completion, Engine, Request
from proofline.sampling.policy import Sampler, load_sampler, sample_solutions
from proofline.sampling.seeds import sample_seed

PROMPTS = Prompts(solution="{question}", verification="{question}\n{candidate}")
GREEDY = Decoding(temperature=0.0, top_p=1.0, max_new_tokens=24)
WARM = Decoding(temperature=0.8, top_p=0.95, max_new_tokens=24)


@pytest.fixture(scope="module")
def sampler(tiny_policy: Path) -> Sampler:
    """A random model that says different things, in fp64: what is not rounding must then agree exactly."""
    sampler = load_sampler(tiny_policy, rows=16)
    torch.manual_seed(1)
    for parameter in sampler.engine.model.double().parameters():
        parameter.data += 0.1 * torch.randn_like(parameter)
    return sampler


@pytest.fixture(scope="module")
def problems() -> list[Problem]:
    return list(generate_problems("dev", 12, seed=0))


def requests(sampler: Sampler, problems: list[Problem], count: int) -> list[Request]:
    ids = sampler.encode([[{"role": "user", "content": problem.question}] for problem in problems])
    return [
        Request(problem.id, prompt, [sample_seed(0, problem.id, i) for i in range(count)])
        for problem, prompt in zip(problems, ids, strict=True)
    ]


def by_sample(completions: list[Completion]) -> dict[tuple[str, int], Completion]:
    return {(completion.key, completion.sample_index): completion for completion in completions}


def with_rows(sampler: Sampler, rows: int) -> Engine:
    return Engine(sampler.engine.model, sorted(sampler.engine.end_ids), rows)


def test_greedy_decoding_is_that_of_transformers(sampler: Sampler, problems: list[Problem]) -> None:
    model = sampler.engine.model
    found = by_sample(list(sampler.engine.generate(requests(sampler, problems, 1), GREEDY)))
    model.set_attn_implementation("sdpa")
    for request in requests(sampler, problems, 1):
        ids = torch.tensor([request.prompt_ids])
        expected = model.generate(
            ids,
            attention_mask=torch.ones_like(ids),
            do_sample=False,
            max_new_tokens=24,
            eos_token_id=sorted(sampler.engine.end_ids),
        )[0, ids.shape[1] :]
        kept = [token for token in expected.tolist() if token not in sampler.engine.end_ids]
        assert found[request.key, 0].token_ids == kept


@pytest.mark.parametrize("decoding", [GREEDY, WARM], ids=["greedy", "sampled"])
def test_a_sample_does_not_change_with_batch_size_order_or_shards(
    sampler: Sampler, problems: list[Problem], decoding: Decoding
) -> None:
    asked = requests(sampler, problems, 5)
    reference = by_sample(list(sampler.engine.generate(asked, decoding)))
    assert len(reference) == 60
    shuffled = asked[:]
    random.Random(0).shuffle(shuffled)
    others = {
        "one row": with_rows(sampler, 1).generate(asked, decoding),
        "seven rows": with_rows(sampler, 7).generate(shuffled, decoding),
        "all at once": with_rows(sampler, 64).generate(shuffled, decoding),
        "three shards": [c for i in range(3) for c in with_rows(sampler, 16).generate(asked[i::3], decoding)],
    }
    for name, completions in others.items():
        found = by_sample(list(completions))
        assert found.keys() == reference.keys()
        for key, expected in reference.items():
            assert found[key].token_ids == expected.token_ids, name
            assert found[key].logprob == pytest.approx(expected.logprob, abs=1e-3)


def test_in_fp32_rounding_flips_few_samples(sampler: Sampler, tiny_policy: Path, problems: list[Problem]) -> None:
    """Measured for a random model, the worst case: its distribution is flat, so every uniform is near a boundary."""
    asked = requests(sampler, problems, 8)
    model = load_sampler(tiny_policy, rows=16).engine.model
    track = list(range(40))
    one, other = (
        by_sample(list(Engine(model, sorted(sampler.engine.end_ids), rows).generate(asked, WARM, track)))
        for rows in (3, 96)
    )
    same = [key for key in one if one[key].token_ids == other[key].token_ids]
    assert len(same) >= 0.95 * len(one)
    assert max(float(abs(one[key].tracked - other[key].tracked).max()) for key in same) < 1e-4


def test_logprob_and_tracked_values_are_those_of_a_forward_pass(sampler: Sampler, problems: list[Problem]) -> None:
    model = sampler.engine.model
    asked = requests(sampler, problems[:3], 2)
    prompts = {request.key: list(request.prompt_ids) for request in asked}
    completions = list(sampler.engine.generate(asked, WARM, track_token_ids=[5, 9]))
    model.set_attn_implementation("sdpa")
    for completion in completions:
        prompt, said = prompts[completion.key], completion.token_ids
        with torch.no_grad():
            logprobs = model(torch.tensor([prompt + said])).logits[0, len(prompt) - 1 : -1].log_softmax(-1)
        expected = logprobs[torch.arange(len(said)), said].sum().item()
        assert completion.finished or completion.logprob == pytest.approx(expected, abs=1e-3)
        assert completion.tracked == pytest.approx(logprobs[:, [5, 9]].numpy(), abs=1e-4)


def test_solutions_are_records_in_order_with_ids_that_tell_what_made_them(
    tiny_policy: Path, problems: list[Problem]
) -> None:
    def sample(run_seed: int, count: int, some: list[Problem]) -> list[str]:
        rows = sample_solutions(tiny_policy, "sft", some, PROMPTS, WARM, count, run_seed, rows=8)
        assert [(row.problem_id, row.sample_index) for row in rows] == [(p.id, i) for p in some for i in range(count)]
        assert all(row.finished or row.num_tokens == WARM.max_new_tokens for row in rows)
        return [row.id for row in rows]

    all_ids = sample(0, 3, problems)
    assert len(set(all_ids)) == 36
    assert sample(0, 3, problems[4:6]) == all_ids[12:18]
    assert not set(sample(1, 3, problems)) & set(all_ids)


def test_a_model_with_sliding_windows_is_refused(sampler: Sampler) -> None:
    config = sampler.engine.model.config
    before = config.layer_types
    try:
        config.layer_types = ["sliding_attention", "full_attention"]
        with pytest.raises(ValueError, match="sliding-window"):
            Engine(sampler.engine.model, [2], 4)
    finally:
        config.layer_types = before
