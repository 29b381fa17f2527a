"""sample: a policy's solutions of training problems -> data/samples/<policy>.jsonl."""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import _checkout  # noqa: F401 - before the package

from proofline.config import load_environment, load_params
from proofline.data.subset import subset
from proofline.launch import keeping, spread
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
        from proofline.sampling.served import drawing_by

        problems = subset(read_records("data/problems/train.jsonl", Problem), section.problems)
        decoding = Decoding(temperature=section.temperature, top_p=section.top_p, max_new_tokens=section.max_new_tokens)
        draw = drawing_by(
            environment, Path("models", policy).absolute(), policy,
            prompts=params.prompts, decoding=decoding, num_samples=section.num_samples, run_seed=params.seed,
        )  # fmt: skip
        solutions = spread(
            draw.function, problems, environment, shard_size=draw.shard_size, each=draw.each,
            draws=section.num_samples, kept=kept(Solution),
        )  # fmt: skip
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


def counted(solutions: Iterable[Solution], totals: Counter[str]) -> Iterator[Solution]:
    """The solutions, counted in passing."""
    for solution in solutions:
        totals.update(solutions=1, tokens=solution.num_tokens, finished=int(solution.finished))
        yield solution


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policy", required=True, choices=("sft", "dpo"))
    main(parser.parse_args().policy)
