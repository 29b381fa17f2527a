"""Tokens per second of our decoding loop beside transformers' static `generate`, in one run, rounds interleaved.

    python benchmarks/sampling.py [--threads 2] [--rounds 3]

Both decode the bundled base on the same prompts with the same samples, temperature and length limit; a token counts
if it belongs to a solution (padding behind an end token does not). `generate` has the best of its batch sizes. Both
have the same threads in one process; `as a stage` is what the graph's stages do instead, a process of one thread on
each core, their start included. Writes a JSON.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial

import torch
from report import write_result

from proofline.base.source import BUNDLED
from proofline.config import Environment, load_params
from proofline.config.schema import Params
from proofline.data.prompts import solution_messages
from proofline.data.synthetic import generate_problems
from proofline.launch import spread
from proofline.records import Decoding, Problem
from proofline.sampling.engine import Engine
from proofline.sampling.policy import Sampler, load_sampler, sample_solutions, shard_size
from proofline.sampling.request import Request
from proofline.sampling.seeds import sample_seed

DECODING = Decoding(temperature=0.7, top_p=1.0, max_new_tokens=160)
NUM_SAMPLES = 8
STATIC_ROWS = (64, 256, 1024)


def ours(sampler: Sampler, prompts: list[list[int]], rows: int) -> int:
    """Decode; returns the number of tokens."""
    requests = [
        Request(str(i), ids, [sample_seed(0, str(i), k) for k in range(NUM_SAMPLES)]) for i, ids in enumerate(prompts)
    ]
    engine = Engine(sampler.engine.model, sorted(sampler.engine.end_ids), rows)
    return sum(len(done.token_ids) for done in engine.generate(requests, DECODING))


def as_a_stage(problems: Sequence[Problem], recipe: Params, rows: int, threads: int) -> int:
    """The same by processes of one thread."""
    sample = partial(
        sample_solutions, BUNDLED, "base", prompts=recipe.prompts, decoding=DECODING, num_samples=NUM_SAMPLES,
        run_seed=0, rows=rows,
    )  # fmt: skip
    drawn = spread(
        sample, problems, Environment(threads=threads), shard_size=shard_size(NUM_SAMPLES, rows), each="core"
    )
    return sum(solution.num_tokens for solution in drawn)


def static_generate(sampler: Sampler, prompts: list[list[int]], rows: int) -> int:
    """The same with `generate`: like lengths together, N samples a prompt, a new batch when the last row is done."""
    model, tokenizer = sampler.engine.model, sampler.tokenizer
    model.set_attn_implementation("sdpa")
    tokens = 0
    ordered = sorted(prompts, key=len)
    for start in range(0, len(ordered), rows // NUM_SAMPLES):
        batch = tokenizer.pad(
            {"input_ids": ordered[start : start + rows // NUM_SAMPLES]}, padding_side="left", return_tensors="pt"
        )
        out = model.generate(
            **batch, do_sample=True, temperature=DECODING.temperature, top_k=0, max_new_tokens=DECODING.max_new_tokens,
            num_return_sequences=NUM_SAMPLES, eos_token_id=sorted(sampler.engine.end_ids),
            pad_token_id=tokenizer.pad_token_id,
        )[:, batch["input_ids"].shape[1] :]  # fmt: skip
        tokens += int(((out != tokenizer.pad_token_id) & (out != tokenizer.eos_token_id)).sum())
    return tokens


def rate(run: Callable[[], int]) -> float:
    began = time.perf_counter()
    return run() / (time.perf_counter() - began)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--problems", type=int, default=512)
    parser.add_argument("--rows", type=int, default=256)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    sampler = load_sampler(BUNDLED, options.rows)
    recipe = load_params()
    problems = list(generate_problems("dev", options.problems, seed=0))
    encoded = sampler.encode([solution_messages(problem.question, recipe.prompts) for problem in problems])

    contenders: dict[str, Callable[[], int]] = {"proofline": lambda: ours(sampler, encoded, options.rows)}
    contenders["as a stage"] = lambda: as_a_stage(problems, recipe, options.rows, options.threads)
    for rows in STATIC_ROWS:
        contenders[f"generate, {rows} rows"] = lambda rows=rows: static_generate(sampler, encoded, rows)  # type: ignore[misc]
    ours(sampler, encoded[:8], options.rows)
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(options.rounds):
        for name, run in contenders.items():
            rates[name].append(rate(run))
    median = {name: statistics.median(values) for name, values in rates.items()}
    best_static = max(value for name, value in median.items() if name.startswith("generate"))

    print(f"{'':24}tokens/s (median of {options.rounds})")
    for name, value in median.items():
        print(f"{name:24}{value:10,.0f}")
    print(f"ours / best static      {median['proofline'] / best_static:10.2f}")
    write_result(
        "sampling",
        {"problems": options.problems, "num_samples": NUM_SAMPLES, "rows": options.rows, "threads": options.threads,
         **DECODING.model_dump()},
        ["torch", "transformers"], tokens_per_second=rates,
        ratio_to_best_static=median["proofline"] / best_static,
    )  # fmt: skip


if __name__ == "__main__":
    main()
