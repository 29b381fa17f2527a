"""The decoding loop against transformers' own; and that a sample does not change with what rides along."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from graded_rows import PROBLEM
from transformers import AutoModelForCausalLM

from proofline.config.schema import Prompts
from proofline.data.synthetic import generate_problems
from proofline.records import Decoding, Demonstration, Problem, Solution
from proofline.sampling.engine import Engine, LayersError
from proofline.sampling.loop import row_bucket
from proofline.sampling.policy import Sampler, load_sampler, sample_solutions, shared_sampler
from proofline.sampling.request import Completion, Request
from proofline.sampling.rows import GRAPHS, STATIC
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


def test_static_shapes_draw_the_same_samples(sampler: Sampler, problems: list[Problem]) -> None:
    """The step that a GPU captures, run eagerly: rounded shapes, rare looks, rows that ride along."""
    asked = requests(sampler, problems, 5)
    exact = with_rows(sampler, 40)
    static = Engine(sampler.engine.model, sorted(sampler.engine.end_ids), 40, STATIC)
    for decoding in (WARM, GREEDY, WARM):
        expected = by_sample(list(exact.generate(asked, decoding, [5, 9])))
        found = by_sample(list(static.generate(asked, decoding, [5, 9])))
        assert found.keys() == expected.keys()
        for key, other in expected.items():
            assert found[key].token_ids == other.token_ids
            assert (found[key].finished, found[key].logprob) == (other.finished, pytest.approx(other.logprob, abs=1e-3))
            assert found[key].tracked == pytest.approx(other.tracked, abs=1e-4)


def test_row_buckets_hold_the_active_rows() -> None:
    assert [row_bucket(active, 512) for active in (1, 16, 17, 255, 256, 257, 512)] == [16, 16, 32, 256, 256, 512, 512]
    assert row_bucket(1, 8) == 8


SHARD = """
import sys, torch
from pathlib import Path
sys.path[:0] = {tests!r}
from test_engine import sampled_shard
torch.set_num_threads(1)
print("\\n".join(sampled_shard(Path({policy!r}), 1)))
"""


def sampled_shard(policy: Path, shard: int) -> list[str]:
    """One shard of twelve problems, as JSON lines."""
    some = list(generate_problems("dev", 12, seed=0))[4 * shard : 4 * shard + 4]
    return [row.model_dump_json() for row in sample_solutions(policy, "sft", some, PROMPTS, WARM, 3, 0, rows=8)]


def test_shards_are_the_same_to_the_bit_in_any_order_and_process(tiny_policy: Path) -> None:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        forwards = [sampled_shard(tiny_policy, shard) for shard in (0, 1, 2)]
        assert [sampled_shard(tiny_policy, shard) for shard in (2, 1, 0)] == forwards[::-1]
    finally:
        torch.set_num_threads(threads)
    program = SHARD.format(tests=list(map(str, Path(__file__).parents[:2])), policy=str(tiny_policy))
    other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert other.stdout.splitlines() == forwards[1]


def test_a_policy_is_loaded_once_and_again_when_its_folder_is_replaced(tiny_policy: Path, tmp_path: Path) -> None:
    folder = tmp_path / "policy"
    shutil.copytree(tiny_policy, folder)
    first = shared_sampler(folder, 8)
    assert shared_sampler(folder, 8) is first
    model = AutoModelForCausalLM.from_pretrained(tiny_policy)
    model.model.embed_tokens.weight.data += 1.0
    shutil.rmtree(folder)
    shutil.copytree(tiny_policy, folder)
    model.save_pretrained(folder)
    assert shared_sampler(folder, 8).weights not in ("", first.weights)


def test_graphs_without_a_gpu_are_refused(sampler: Sampler, problems: list[Problem]) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    engine = Engine(sampler.engine.model, [2], 4, GRAPHS)
    with pytest.raises(ValueError, match="CUDA graphs need a GPU"):
        next(engine.generate(requests(sampler, problems[:1], 1), GREEDY))


def test_a_hybrid_is_refused(sampler: Sampler) -> None:
    config = sampler.engine.model.config
    before = config.layer_types
    try:
        config.layer_types = ["linear_attention", "full_attention"]
        with pytest.raises(LayersError, match="linear_attention"):
            Engine(sampler.engine.model, [2], 4)
    finally:
        config.layer_types = before


def test_a_solution_names_its_examples_and_a_prompt_without_room_is_not_put(tiny_policy: Path) -> None:
    short = Demonstration(id="short", problem_id="p", question="1+1?", solution="#### 2", style="worked")
    long = short.model_copy(update={"id": "long", "question": "1+1? " * 400})
    other = PROBLEM.model_copy(update={"id": "other", "family": "other"})
    mine, others = (PROBLEM.source, PROBLEM.family), (other.source, other.family)
    problems = [other, PROBLEM]

    def drawn(examples: dict[tuple[str, str], tuple[Demonstration, ...]]) -> list[Solution]:
        return sample_solutions(tiny_policy, "sft", problems, PROMPTS, GREEDY, 1, 0, rows=2, examples=examples)

    plain, few, crowded = drawn({}), drawn({mine: (short, short)}), drawn({mine: (short,), others: (long,)})
    assert [row.problem_id for row in (*plain, *few, *crowded)] == ["other", PROBLEM.id] * 3
    assert [row.examples for row in (*plain, *few)] == [(), (), (), ("short", "short")]
    assert plain[0] == few[0], "whose benchmark has no examples is asked the same"
    assert len({plain[1].id, few[1].id, crowded[1].id}) == 3, "another prompt is another solution"
    empty = crowded[0]
    assert (empty.text, empty.num_tokens, empty.finished, empty.examples) == ("", 0, False, ("long",))
    assert crowded[1].num_tokens > 0
