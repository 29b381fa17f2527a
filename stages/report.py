"""report: all results -> reports/{results.md,metrics.json,headline.json,plots,cards}."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import _checkout  # noqa: F401 - before the package

from proofline.config import load_params
from proofline.config.schema import EVALUATED, POLICIES
from proofline.data.equations import find_equations
from proofline.data.subset import subset
from proofline.evaluation.cards import Dataset, Provenance, cards
from proofline.evaluation.metrics import scalars
from proofline.evaluation.pictures import draw_all
from proofline.evaluation.results import results_markdown
from proofline.evaluation.scored import shows_steps
from proofline.evaluation.study import PolicyResults, all_metrics, compose, headline
from proofline.records import Grade, Problem, Solution
from proofline.registry.describe import describe_versions
from proofline.storage.artifacts import write_json, write_text
from proofline.storage.records import iter_records, read_records
from proofline.tracking import track

REPORTS = Path("reports")
DATASETS = ("data/demonstrations.jsonl", "data/pairs.jsonl", "data/traces.jsonl", "data/right_solutions.jsonl")


def main() -> None:
    params = load_params()
    section, seed, verified = params.evaluation, params.seed, params.verification.policy
    sections: dict[str, Any] = {
        "base": params.base, "sft": params.sft, "dpo": params.dpo, "genrm": params.genrm,
        "evaluation": section, "verification": params.verification, "seed": seed,
    }  # fmt: skip
    with track("report", sections=sections) as run:
        problems = subset(read_records("data/problems/test.jsonl", Problem), section.problems)
        judged = read_json(REPORTS / "judge/metrics.json")
        results = {policy: read_policy(policy, judged["policies"]) for policy in EVALUATED}
        verifier = read_json(REPORTS / "verify/metrics.json")
        study = compose(problems, results, verifier, verified, judged["opponent"], section, seed)
        provenance = Provenance(
            sections={policy: sections[policy].model_dump() for policy in POLICIES},
            datasets={path: Dataset.of(path) for path in DATASETS},
            ledgers={
                "demonstrations": read_json(Path("data/curation.json"))["demonstrations"],
                "pairs": read_json(Path("data/pairs.json")),
                # What they look like, one by one, stays in the ledger: a card has no room for it.
                "traces": {k: v for k, v in read_json(Path("data/traces.json")).items() if k != "layouts"},
            },
        )
        metrics = all_metrics(study)
        write_text(REPORTS / "results.md", results_markdown(study))
        write_json(REPORTS / "metrics.json", metrics)
        write_json(REPORTS / "headline.json", headline(study))
        for policy, text in cards(study, provenance).items():
            write_text(REPORTS / "cards" / f"{policy}.md", text)
        draw_all(study, REPORTS / "plots")
        run.log_metrics(scalars(metrics))
        run.log_artifact(REPORTS / "results.md")
        for folder in ("plots", "cards"):
            run.log_artifact(REPORTS / folder, folder)
        describe_versions(REPORTS)


def read_policy(policy: str, win_rates: dict[str, Any]) -> PolicyResults:
    """What `evaluate` and `judge` wrote about a policy."""
    folder = REPORTS / "evaluate" / policy
    return PolicyResults(
        metrics=read_json(folder / "metrics.json"),
        greedy_grades=read_records(folder / "greedy_grades.jsonl", Grade),
        worked={
            row.id: shows_steps(len(find_equations(row.text)))
            for row in iter_records(folder / "greedy.jsonl", Solution)
        },
        sample_grades=read_records(folder / "sample_grades.jsonl", Grade),
        win_rates=win_rates.get(policy),
    )


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
