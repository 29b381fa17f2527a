"""Does what the sampler itself knows rank its solutions as well as GenRM does? Beside the report's cheap baselines.

    python benchmarks/rivals.py

Reads the last reproduction, trains nothing. `log-probability`: of the whole solution under the policy that drew it.
`agreement`: how many of the problem's samples have the same answer, what a majority vote goes by. Measured as the
report measures its baselines: AUROC among right and wrong samples of one problem and one layout, and GenRM's
difference, over clusters. Writes results/rivals.json and a table.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from report import table, write_result

from proofline.config import load_params
from proofline.data.layout import layout
from proofline.data.subset import subset
from proofline.evaluation.clusters import Clusters
from proofline.evaluation.metrics import paired_json
from proofline.evaluation.ranking import within_problem
from proofline.evaluation.tally import tally
from proofline.records import Grade, Problem, Solution, Verification
from proofline.storage.records import read_records


def main() -> None:
    params = load_params()
    folder = Path("reports/evaluate", params.verification.policy)
    problems = subset(read_records("data/problems/test.jsonl", Problem), params.evaluation.problems)
    samples = {row.id: row for row in read_records(folder / "samples.jsonl", Solution)}
    scores = {row.solution_id: row.p_yes for row in read_records("reports/verify/verifications.jsonl", Verification)}
    found = tally(problems, read_records(folder / "sample_grades.jsonl", Grade))
    clusters = Clusters.of(problems, params.evaluation, params.seed)
    texts = [[samples[one] for one in row] for row in found.solution_ids]
    names = [[layout(one.text) for one in row] for row in texts]
    layouts = np.unique(names, return_inverse=True)[1].reshape(found.answers.shape)
    rankings = {
        "GenRM": np.array([[scores[one] for one in row] for row in found.solution_ids]),
        "log-probability": np.array([[one.logprob for one in row] for row in texts]),
        "agreement": np.array([[float((row == answer).sum()) for answer in row] for row in found.answers]),
    }
    within = {name: within_problem(found.right, ranking, layouts) for name, ranking in rankings.items()}
    measured = {
        name: {"auroc_within_layout": clusters.mean(values)._asdict(),
               "genrm_over": paired_json(clusters.compare(within["GenRM"], values))}
        for name, values in within.items()
    }  # fmt: skip
    write_result("rivals", {"policy": params.verification.policy}, ["numpy", "scipy"], rankings=measured)
    rows = []
    for name, one in measured.items():
        spelled = ["{value:.3f} [{low:.3f}, {high:.3f}]".format(**part)
                   for part in (one["auroc_within_layout"], one["genrm_over"]["difference"])]  # fmt: skip
        rows.append([name, *spelled, f"{one['genrm_over']['p_value']:.4f}"])
    print(table(["ranking by", "AUROC within problems and layout", "GenRM over it", "p"], rows))


if __name__ == "__main__":
    main()
