"""GenRM as a verifier, in tables: beside its baselines, by benchmark, and choosing for equal samples and compute.

In: `Study`. Out: Markdown.
"""

from __future__ import annotations

from proofline.evaluation.claims import DASH, percent, points
from proofline.evaluation.markdown import score, share, table
from proofline.evaluation.metrics import Metrics, estimate
from proofline.evaluation.study import BASELINE_TITLES, OVERALL, Study
from proofline.evaluation.tally import benchmark_title

RULES = {"best_of": "best by GenRM", "weighted": "vote weighted by GenRM", "majority": "majority vote"}


def baselines_table(study: Study) -> str:
    """GenRM's ranking of a problem's samples beside those that look at no arithmetic, and the program's."""
    part, most = study.verifier[OVERALL], study.verifier["num_samples"]
    best = part["best_of_n"][-1]["best_of"] if part["best_of_n"] else None
    rows = [["GenRM", *_ranked({**part, "best_of": best}), DASH]]
    for name, title in BASELINE_TITLES.items():
        baseline = part["baselines"][name]
        over = baseline["genrm_over"]["auroc_within_layout"]["difference"]
        rows.append([title, *_ranked(baseline), score(over, "+")])
    titles = ("AUROC within problems and layout", "AUROC within problems", f"best of {most}, %")
    return table(["ranking by", *titles, "GenRM's difference within layout"], rows)


def _ranked(measured: Metrics) -> list[str]:
    best = measured["best_of"]
    aurocs = [score(measured[name]) for name in ("auroc_within_layout", "auroc_within")]
    return [*aurocs, percent(estimate(best)) if best else DASH]


def verifier_table(study: Study) -> str:
    """Every measure of GenRM alone, by benchmark."""
    columns = {benchmark_title(name): part for name, part in study.verifier["benchmarks"].items()}
    columns["all"] = study.verifier[OVERALL]
    parts = columns.values()
    rows = [
        ["AUROC within problems and layout", *(score(part["auroc_within_layout"]) for part in parts)],
        ["AUROC within problems", *(score(part["auroc_within"]) for part in parts)],
        ["AUROC pooled", *(score(part["auroc_pooled"]) for part in parts)],
        ["accuracy at P(Yes) > 0.5, %", *(percent(estimate(part["accuracy"])) for part in parts)],
    ]
    for error, of in (("accept", "wrong"), ("reject", "right")):
        rates = [(part[f"false_{error}_rate"], part["worked"][f"false_{error}_rate"]) for part in parts]
        rows.append([f"false {error}s, % of {of} candidates", *(percent(estimate(all_)) for all_, _ in rates)])
        rows.append(["… of those that show their steps", *(percent(estimate(worked)) for _, worked in rates)])
    rows += [
        ["without a verdict, %", *(share(part["without_verdict"]) for part in parts)],
        ["calibration error (ECE), %", *(share(part["calibration"]["ece"]) for part in parts)],
        ["problems with right and wrong samples", *(str(part["mixed_problems"]) for part in parts)],
        ["… of one layout", *(str(part["matched_problems"]) for part in parts)],
    ]
    return table(["verifier", *columns], rows)


def samples_table(study: Study) -> str:
    """Rules of choice at equal samples."""
    rules = {**RULES, "oracle": "oracle"}
    rows = [
        [str(point["n"]), *(percent(estimate(point[rule])) for rule in rules)]
        for point in study.verifier[OVERALL]["best_of_n"]
    ]
    return table(["accuracy, %, with N samples", *rules.values()], rows)


def compute_table(study: Study) -> str:
    """Rules of choice at equal compute: what GenRM chooses, beside the vote that the same tokens buy."""
    rows = []
    for point in study.verifier[OVERALL]["equal_compute"]:
        votes, buys = point["majority_n"], point["majority_affordable"]
        value, low, high = estimate(point["best_of_over_majority"]["difference"])
        rows.append(
            [
                f"{point['tokens']:,.0f}",
                str(point["n"]),
                str(point["chains"]),
                *(percent(estimate(point[rule])) for rule in RULES),
                f"{votes}" if votes == buys else f"{votes} of {buys:,}",
                f"{points(value)} [{points(low)}, {points(high)}]",
            ]
        )
    titles = ("N", "chains each", *RULES.values(), "votes", "best − vote, points")
    return table(["tokens a problem", *titles], rows)
