"""Tokens per second of our decoding loop beside transformers' static `generate`, in one run, rounds interleaved.

    python benchmarks/sampling.py [--threads 2] [--rounds 3]
    python benchmarks/sampling.py --model FOLDER --recipe profiles/NAME.yaml --questions FILE.jsonl.gz --problems 16 \\
        --rows 64 --static-rows 32 64 128 --max-new-tokens 256 --rounds 1

Both decode the bundled base, or the model of a folder, on the same prompts with the same samples, temperature and
length limit; a token counts if it belongs to a solution (padding behind an end token does not). `generate` has the
best of its batch sizes. Both have the same threads in one process and the stages' instructions; `plain weights` is our
loop over weights as transformers holds them, where the loop packs them; `as a stage` is what the graph's stages do with
a small model, a process of one thread on each core, their start included. Writes a JSON.
"""

from __future__ import annotations

import argparse
import gzip
import json
import statistics
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from report import write_result

from proofline.base.source import BUNDLED
from proofline.config import Environment, load_environment, load_params
from proofline.config.schema import Params
from proofline.data.prompts import solution_messages
from proofline.data.synthetic import generate_problems
from proofline.launch import spread
from proofline.launch.instructions import settle
from proofline.records import Decoding, Problem
from proofline.sampling.policy import Sampler, decoded_by, load_sampler, sample_solutions, shard_size
from proofline.sampling.request import Request
from proofline.sampling.seeds import sample_seed

if TYPE_CHECKING:
    from transformers import PreTrainedModel

NUM_SAMPLES = 8


def ours(sampler: Sampler, model: PreTrainedModel, prompts: list[list[int]], rows: int, decoding: Decoding) -> int:
    """Decode; returns the number of tokens."""
    from proofline.sampling.engine import Engine

    requests = [
        Request(str(i), ids, [sample_seed(0, str(i), k) for k in range(NUM_SAMPLES)]) for i, ids in enumerate(prompts)
    ]
    engine = Engine(model, sorted(sampler.engine.end_ids), rows)
    return sum(len(done.token_ids) for done in engine.generate(requests, decoding))


def as_a_stage(problems: Sequence[Problem], recipe: Params, rows: int, threads: int, decoding: Decoding) -> int:
    """The same by processes of one thread."""
    sample = partial(
        sample_solutions, BUNDLED, "base", prompts=recipe.prompts, decoding=decoding, num_samples=NUM_SAMPLES,
        run_seed=0, rows=rows,
    )  # fmt: skip
    drawn = spread(
        sample, problems, Environment(threads=threads), shard_size=shard_size(NUM_SAMPLES, rows), each="core"
    )
    return sum(solution.num_tokens for solution in drawn)


def static_generate(
    sampler: Sampler, model: PreTrainedModel, prompts: list[list[int]], rows: int, decoding: Decoding
) -> int:
    """The same with `generate`: like lengths together, N samples a prompt, a new batch when the last row is done."""
    import torch

    model.set_attn_implementation("sdpa")
    ends = sorted(sampler.engine.end_ids)
    tokens = 0
    ordered = sorted(prompts, key=len)
    for start in range(0, len(ordered), rows // NUM_SAMPLES):
        batch = sampler.tokenizer.pad(
            {"input_ids": ordered[start : start + rows // NUM_SAMPLES]}, padding_side="left", return_tensors="pt"
        )
        out = model.generate(
            **batch, do_sample=True, temperature=decoding.temperature, top_k=0, top_p=1.0, repetition_penalty=1.0,
            max_new_tokens=decoding.max_new_tokens, num_return_sequences=NUM_SAMPLES, eos_token_id=ends,
            pad_token_id=sampler.tokenizer.pad_token_id,
        )[:, batch["input_ids"].shape[1] :]  # fmt: skip
        ended = torch.isin(out, torch.tensor(ends)).cumsum(1) > 0
        tokens += int((~ended).sum())
    return tokens


def rate(run: Callable[[], int]) -> float:
    began = time.perf_counter()
    return run() / (time.perf_counter() - began)


def questions(file: Path | None, count: int, seed: int = 0) -> list[Problem]:
    """Generated problems, or of a JSON Lines file with `question`s so many, evenly over the file."""
    if file is None:
        return list(generate_problems("dev", count, seed=seed))
    with gzip.open(file, "rt") as lines:
        rows = [json.loads(line) for line in lines]
    generated = list(generate_problems("dev", count, seed=seed))
    taken = rows[:: len(rows) // count][:count]
    return [one.model_copy(update={"question": row["question"]}) for one, row in zip(generated, taken, strict=True)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", type=Path, default=BUNDLED)
    parser.add_argument("--questions", type=Path)
    parser.add_argument("--recipe", type=Path, default=Path("params.yaml"), help="whose prompt is put to the model")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--problems", type=int, default=512)
    parser.add_argument("--rows", type=int, default=256)
    parser.add_argument("--static-rows", type=int, nargs="+", default=[64, 256, 1024])
    parser.add_argument("--max-new-tokens", type=int, default=160)
    options = parser.parse_args()
    environment = load_environment()
    settle(environment)

    import torch
    from transformers import AutoModelForCausalLM

    torch.set_num_threads(options.threads)
    decoding = Decoding(temperature=0.7, top_p=1.0, max_new_tokens=options.max_new_tokens)
    sampler = load_sampler(options.model, options.rows)
    plain = AutoModelForCausalLM.from_pretrained(options.model, dtype=torch.float32, trust_remote_code=False).eval()
    recipe = load_params(options.recipe)
    problems = questions(options.questions, options.problems)
    encoded = sampler.encode([solution_messages(problem.question, recipe.prompts) for problem in problems])

    def loop(model: Any) -> Callable[[], int]:
        return lambda: ours(sampler, model, encoded, options.rows, decoding)

    contenders = {"proofline": loop(sampler.engine.model)}
    if decoded_by(options.model) == "core":
        contenders["as a stage"] = lambda: as_a_stage(problems, recipe, options.rows, options.threads, decoding)
    else:
        contenders["plain weights"] = loop(plain)
    for rows in options.static_rows:
        contenders[f"generate, {rows} rows"] = partial(static_generate, sampler, plain, encoded, rows, decoding)
    ours(sampler, sampler.engine.model, encoded[:8], options.rows, decoding.model_copy(update={"max_new_tokens": 8}))
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(options.rounds):
        for name, run in contenders.items():
            rates[name].append(rate(run))
            print(f"{name:24}{rates[name][-1]:10,.0f}", flush=True)
    median = {name: statistics.median(values) for name, values in rates.items()}
    best_static = max(value for name, value in median.items() if name.startswith("generate"))

    print(f"{'':24}tokens/s (median of {options.rounds})")
    for name, value in median.items():
        print(f"{name:24}{value:10,.0f}")
    print(f"ours / best static      {median['proofline'] / best_static:10.2f}")
    write_result(
        "sampling" if options.model == BUNDLED else f"sampling_{options.model.name}",
        {"problems": options.problems, "questions": options.questions and options.questions.name,
         "num_samples": NUM_SAMPLES, "rows": options.rows, "threads": options.threads,
         "instructions": environment.instructions, **decoding.model_dump()},
        ["torch", "transformers"], tokens_per_second=rates,
        ratio_to_best_static=median["proofline"] / best_static,
    )  # fmt: skip


if __name__ == "__main__":
    main()
