"""sample: a policy's solutions of training problems -> data/samples/<policy>.jsonl."""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

from proofline.config import load_environment, load_params
from proofline.data.subset import subset
from proofline.launch import spread
from proofline.records import Decoding, Problem
from proofline.storage.records import read_records, write_records
from proofline.tracking import track


def main(policy: str) -> None:
    params, environment = load_params(), load_environment()
    section = params.sampling
    sections = {"sampling": section, "prompts": params.prompts, "seed": params.seed}
    with track("sample", sections=sections, policy=policy) as run:
        from proofline.sampling.policy import sample_solutions, shard_size

        problems = subset(read_records("data/problems/train.jsonl", Problem), section.problems)
        decoding = Decoding(temperature=section.temperature, top_p=section.top_p, max_new_tokens=section.max_new_tokens)
        sample = partial(
            sample_solutions, Path("models", policy).absolute(), policy,
            prompts=params.prompts, decoding=decoding, num_samples=section.num_samples, run_seed=params.seed,
            rows=environment.sampling_rows,
        )  # fmt: skip
        solutions = list(spread(sample, problems, environment, shard_size=shard_size(section.num_samples)))
        write_records(f"data/samples/{policy}.jsonl", solutions)
        run.log_metrics(
            {
                "solutions": len(solutions),
                "tokens": sum(solution.num_tokens for solution in solutions),
                "finished_share": sum(solution.finished for solution in solutions) / max(1, len(solutions)),
            }
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--policy", required=True, choices=("sft", "dpo"))
    main(parser.parse_args().policy)
