"""prepare: problem sources -> data/problems/, references, published candidates and the curation report."""

from __future__ import annotations

from functools import partial

import _checkout  # noqa: F401 - before the package

from proofline.config import load_environment, load_params
from proofline.data.prepare import prepare
from proofline.storage.artifacts import write_json
from proofline.storage.records import write_records
from proofline.storage.tables import located, read_table
from proofline.tracking import track


def main() -> None:
    params, environment = load_params(), load_environment()
    with track("prepare", sections={"prepare": params.prepare, "seed": params.seed}) as run:
        root = environment.data_root
        prepared = prepare(params.prepare, params.seed, partial(read_table, root), partial(located, root))
        for split, problems in prepared.splits.items():
            write_records(f"data/problems/{split}.jsonl", problems)
        write_records("data/references.jsonl", prepared.demonstrations)
        write_records("data/published.jsonl", prepared.published.solutions)
        write_records("data/critiques.jsonl", prepared.published.critiques)
        write_json("data/curation.json", prepared.report)
        run.log_metrics(prepared.report)


if __name__ == "__main__":
    main()
