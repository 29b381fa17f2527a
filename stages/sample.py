"""sample: a policy's solutions of training problems -> data/samples/<policy>.jsonl."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import _checkout  # noqa: F401 - before the package

from proofline.config import Environment, load_environment, load_params
from proofline.config.schema import Prompts, Sampling
from proofline.data.subset import subset
from proofline.launch import keeping, spread
from proofline.launch.kept import Parts
from proofline.records import Decoding, Problem, Solution
from proofline.storage.records import read_records, write_records
from proofline.tracking import track


def main(policy: str) -> None:
    params, environment = load_params(), load_environment()
    section = params.sampling
    sections = {"sampling": section, "prompts": params.prompts, "seed": params.seed}
    inputs = (f"models/{policy}", "data/problems/train.jsonl")
    with (
        track("sample", sections=sections, policy=policy) as run,
        keeping("sample", sections, inputs, environment, run, policy) as kept,
    ):
        limit = section.base_problems if policy == "base" else section.problems
        problems = subset(read_records(inputs[1], Problem), limit)
        solutions = drawn(problems, policy, section, params.prompts, params.seed, environment, kept)
        totals: Counter[str] = Counter()
        # Written as they come: no more than a few shards are ever held.
        write_records(f"data/samples/{policy}.jsonl", counted(solutions, totals))
        run.log_metrics(
            {
                "solutions": totals["solutions"],
                "tokens": totals["tokens"],
                "finished_share": totals["finished"] / max(1, totals["solutions"]),
            }
        )


def drawn(
    problems: Sequence[Problem],
    policy: str,
    section: Sampling,
    prompts: Prompts,
    seed: int,
    environment: Environment,
    kept: Parts,
) -> Iterator[Solution]:
    """The policy's solutions; of no problems none, and neither its weights nor a server are asked for."""
    if not problems:
        return
    from proofline.sampling.served import drawing_by

    decoding = Decoding(temperature=section.temperature, top_p=section.top_p, max_new_tokens=section.max_new_tokens)
    by = drawing_by(
        environment, Path("models", policy).absolute(), policy,
        prompts=prompts, decoding=decoding, num_samples=section.num_samples, run_seed=seed,
    )  # fmt: skip
    yield from spread(
        by.function, problems, environment, shard_size=by.shard_size, each=by.each, draws=section.num_samples,
        kept=kept(Solution),
    )  # fmt: skip


def counted(solutions: Iterable[Solution], totals: Counter[str]) -> Iterator[Solution]:
    """The solutions, counted in passing."""
    for solution in solutions:
        totals.update(solutions=1, tokens=solution.num_tokens, finished=int(solution.finished))
        yield solution


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policy", required=True, choices=("base", "sft", "dpo"))
    main(parser.parse_args().policy)
