"""report: all results -> reports/{results.md,report.html,metrics.json,headline.json,plots,cards}."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import _checkout  # noqa: F401 - before the package

from proofline.config import load_params
from proofline.config.schema import EVALUATED, POLICIES
from proofline.data.equations import find_equations
from proofline.data.subset import subset
from proofline.evaluation.cards import Dataset, Provenance, cards
from proofline.evaluation.items import Items, candidates, gather_items
from proofline.evaluation.metrics import scalars
from proofline.evaluation.page import Ledger, report_page
from proofline.evaluation.pictures import draw_all
from proofline.evaluation.published import published_for
from proofline.evaluation.results import results_markdown
from proofline.evaluation.scored import shows_steps
from proofline.evaluation.study import PolicyResults, compose
from proofline.evaluation.study_metrics import all_metrics, headline, protocol_metrics
from proofline.records import Grade, Problem, Readings, Solution, Verification
from proofline.registry.describe import describe_versions
from proofline.seeds.measures import weights
from proofline.seeds.table import Seeds
from proofline.seeds.table import section as section_of_seeds
from proofline.storage.artifacts import write_json, write_text
from proofline.storage.records import iter_records
from proofline.storage.rows import Rows
from proofline.tracking import track

REPORTS = Path("reports")
EVALUATIONS = REPORTS / "evaluate"
SEEDS = Path("docs/seeds.json")
DATASETS = ("data/demonstrations.jsonl", "data/pairs.jsonl", "data/traces.jsonl", "data/right_solutions.jsonl")
LEDGERS = {
    "Curation": "data/curation.json", "Demonstrations": "data/demonstrations.json",
    "Preference pairs": "data/pairs.json", "Verification traces": "data/traces.json",
}  # fmt: skip


def main() -> None:
    params = load_params()
    section, seed, verified = params.evaluation, params.seed, params.verification.policy
    sections: dict[str, Any] = {
        "base": params.base, "sft": params.sft, "dpo": params.dpo, "genrm": params.genrm,
        "evaluation": section, "verification": params.verification, "seed": seed,
    }  # fmt: skip
    with track("report", sections=sections) as run:
        problems = subset(Rows("data/problems/test.jsonl", Problem), section.problems)
        judged = read_json(REPORTS / "judge/metrics.json")
        greedy = {policy: Rows(EVALUATIONS / policy / "greedy.jsonl", Solution) for policy in EVALUATED}
        results = {policy: read_policy(policy, greedy[policy], judged["policies"]) for policy in EVALUATED}
        verifier = read_json(REPORTS / "verify/metrics.json")
        study = compose(problems, results, verifier, verified, judged["opponent"], section, seed)
        ledgers = [Ledger(title, path, read_json(Path(path))) for title, path in LEDGERS.items()]
        _, demonstrations, pairs, traces = (ledger.counts for ledger in ledgers)
        provenance = Provenance(
            sections={policy: sections[policy].model_dump() for policy in POLICIES},
            datasets={path: Dataset.of(path) for path in DATASETS},
            ledgers={
                "demonstrations": demonstrations,
                "pairs": pairs,
                # What they look like, one by one, stays in the ledger: a card has no room for it.
                "traces": {k: v for k, v in traces.items() if k != "layouts"},
            },
        )
        metrics = all_metrics(study)
        write_json(REPORTS / "metrics.json", {**metrics, "protocols": protocol_metrics(study)})
        other_seeds = section_of_seeds(Seeds.of_json(read_json(SEEDS)), weights(REPORTS), seed)
        markdown = f"{results_markdown(study, published_for(params.base))}\n{other_seeds}"
        write_text(REPORTS / "results.md", markdown)
        write_json(REPORTS / "headline.json", headline(study))
        for policy, text in cards(study, provenance).items():
            write_text(REPORTS / "cards" / f"{policy}.md", text)
        drawn = {f"plots/{path.name}": path.read_bytes() for path in draw_all(study, REPORTS / "plots")}
        items = read_items(problems, results, greedy, verified)
        write_text(REPORTS / "report.html", report_page(markdown, drawn, items, study, provenance, ledgers))
        run.log_metrics(scalars(metrics))
        for page in ("results.md", "report.html"):
            run.log_artifact(REPORTS / page)
        for folder in ("plots", "cards"):
            run.log_artifact(REPORTS / folder, folder)
        describe_versions(REPORTS)


def read_policy(policy: str, greedy: Sequence[Solution], win_rates: dict[str, Any]) -> PolicyResults:
    """What `evaluate` and `judge` wrote about a policy."""
    folder = EVALUATIONS / policy
    return PolicyResults(
        metrics=read_json(folder / "metrics.json"),
        greedy_grades=Rows(folder / "greedy_grades.jsonl", Grade),
        worked=worked(greedy),
        sample_grades=Rows(folder / "sample_grades.jsonl", Grade),
        win_rates=win_rates.get(policy),
        readings=Rows(folder / "readings.jsonl", Readings),
    )


def read_items(
    problems: Sequence[Problem],
    results: Mapping[str, PolicyResults],
    greedy: Mapping[str, Sequence[Solution]],
    verified: str,
) -> Items:
    """The test problems with all that was tried on them, and what `verify` said of the verified policy's samples."""
    samples = Rows(EVALUATIONS / verified / "samples.jsonl", Solution)
    rows = iter_records(REPORTS / "verify/verifications.jsonl", Verification)
    scored = candidates(samples, results[verified].sample_grades, worked(samples), rows)
    return gather_items(problems, results, greedy, verified, scored)


def worked(solutions: Sequence[Solution]) -> dict[str, bool]:
    """By id: does it show its steps?"""
    return {row.id: text_shows_steps(row.text) for row in solutions}


@lru_cache(4096)
def text_shows_steps(text: str) -> bool:
    """Policies often write the same."""
    return shows_steps(len(find_equations(text)))


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
