"""The study as Markdown: `reports/results.md`, which the README shows as it is.

In: `Study`. Out: text; pictures are named relative to the file, under `plots/`. Shares are in percent.
"""

from __future__ import annotations

from collections.abc import Sequence

from proofline.config.schema import ABLATION
from proofline.evaluation.claims import DASH, confidence_words, is_shown, p_words, percent, points, training_claims
from proofline.evaluation.judge_tables import judge_section, judge_words
from proofline.evaluation.markdown import share, table
from proofline.evaluation.metrics import Metrics, estimate
from proofline.evaluation.protocol_tables import protocol_section
from proofline.evaluation.published import PublishedResult
from proofline.evaluation.statistics import Paired
from proofline.evaluation.study import KINDS, OVERALL, TITLES, Study
from proofline.evaluation.tally import benchmark_title
from proofline.evaluation.verifier_claims import choices, verifier_claims
from proofline.evaluation.verifier_tables import baselines_table, compute_table, samples_table, verifier_table

NOTES = """\
- Brackets are {level}s. Problems of one template, or that are near-duplicates, are one cluster: they are right and
  wrong together, and each tells less than a problem on its own. An interval is Wilson's, of a difference Tango's, for
  as many independent problems as the {clusters} clusters are worth by how alike their members are. It speaks of further
  problems like these and of these very weights, not of what another training seed would give.
- p is the exact sign-flip test of clusters, adjusted by Holm's method: for {comparisons} comparisons of steps over all
  problems, and for {choices} of GenRM's choices. The intervals are not adjusted, and benchmarks alone are not tested.
  What "would have been shown with 80% power" is said of this test at the {error} level, before adjustment.
- {ablation} is GenRM's ablation: the same steps over the same rows, but no loss on the traces.
  What right solutions do to the policy and what traces do add up to what the GenRM stage does.
- Won / lost / tied: greedy answers against {opponent}'s on the same problem, judged by {judge}. By the reference answer
  the win rate, (won + tied / 2) / n, is one half plus half the difference of accuracies: it has no column, and stands
  in `metrics.json`.
- avg@k is the mean accuracy of the k samples, an estimate of pass@1; maj@k the majority vote, pass@k the chance that
  any of k is right, all over every subset of the samples; ties are shared. "Unparsed": no answer could be read.
  "Cut off": the token limit.
- The oracle picks a right sample wherever there is one. A candidate without a verdict ranks last.
- Layout: how many equations, whether one of them holds several operations, and the length to within 20%. AUROC within
  problems and layout is over the right and wrong samples of one problem that share it, so what depends on the layout
  alone has 0.5. "Layout alone" ranks by the number of equations, "length alone" by characters; the log-probability is
  the whole sample's, or a token's on average, under the policy that drew it; agreement is how many of the problem's
  samples have the same answer, so that its best of all samples is their majority vote's. Each ranks in the direction
  that ranks better here. The program's check recomputes each equation and is no cheap ranking.
- Equal compute (Singhi et al. 2025) counts generated tokens, not prompts. "Votes": as many samples as the tokens of N
  verified ones buy, rounded down; "8 of 31": they buy 31, there are 8, and the vote has spent less."""


def results_markdown(study: Study, published: Sequence[PublishedResult] = ()) -> str:
    """The whole document. `published`: results to stand beside base's."""
    sections = [
        "# Results",
        "\n".join(f"- {claim}" for claim in (*training_claims(study), *verifier_claims(study))),
        "## Policies",
        _accuracy_table(study),
        "![Accuracy of each policy](plots/accuracy.png)",
        *judge_section(study),
        "How much of that is the way of writing? Greedy solutions that show their steps (more than one equation):",
        _steps_table(study),
        f"What each step changed, in percentage points on the same problems. {study.comparisons} comparisons over all "
        "problems are tested, p adjusted for their number; bold where an effect is shown:",
        _changes_table(study),
        *protocol_section(study, published),
        "## Samples",
        _samples_table(study),
        "![pass@k and maj@k](plots/pass_at_k.png)",
        "## GenRM as a verifier",
        f"It scored {study.verifier[OVERALL]['candidates']:,} samples of {TITLES[study.verified_policy]}; "
        f"chains of thought for each: {study.verifier['num_chains']}.",
        baselines_table(study),
        verifier_table(study),
        samples_table(study),
        "![Best of N](plots/best_of_n.png)",
        "GenRM's choices beside the vote that the same generated tokens buy, verification included:",
        compute_table(study),
        "![Equal compute](plots/equal_compute.png)",
        "![Calibration and scores](plots/calibration.png)",
        "## How to read this",
        NOTES.format(
            level=confidence_words(study.confidence),
            opponent=TITLES[study.opponent],
            judge=judge_words(study),
            ablation=TITLES[ABLATION],
            clusters=study.part("base")["clusters"],
            comparisons=study.comparisons,
            choices=len(choices(study.verifier)),
            error=f"{100 * (1 - study.confidence):g}%",
        ),
    ]
    return "\n\n".join(sections) + "\n"


def column_titles(study: Study) -> list[str]:
    """`Synthetic word (n=300)`, …, `all (n=600)`."""
    first = next(iter(study.policies))
    titles = [(benchmark_title(name), study.part(first, name)) for name in study.benchmarks]
    return [f"{title} (n={part['problems']})" for title, part in [*titles, ("all", study.part(first))]]


def _accuracy_table(study: Study) -> str:
    parts = [*study.benchmarks, OVERALL]
    rows = []
    for name in study.policies:
        cells = [percent(estimate(study.part(name, one)["greedy_accuracy"])) for one in parts]
        rows.append([TITLES[name], *cells, record(study.win_rates.get(name, {}).get(OVERALL))])
    best = [percent(estimate(value)) if (value := study.reranked(one)) else DASH for one in parts]
    title = f"{TITLES[study.verified_policy]}, best of {study.verifier['num_samples']} samples by GenRM"
    rows.append([title, *best, DASH])
    against = f"won / lost / tied against {TITLES[study.opponent]}"
    return table(["accuracy, % [interval]", *column_titles(study), against], rows)


def record(rates: Metrics | None) -> str:
    """`128 / 4 / 388`: what a win rate is made of."""
    return " / ".join(str(rates[one]) for one in ("wins", "losses", "ties")) if rates else DASH


def _steps_table(study: Study) -> str:
    rows = [[TITLES[name], *map(percent, steps)] for name, steps in study.steps.items()]
    return table(["%", "show their steps", "right among these", "right among the others"], rows)


def _changes_table(study: Study) -> str:
    rows = []
    for change in (*study.changes, *study.parts):
        for kind, how in zip(KINDS, ("greedy", "samples"), strict=True):
            claim, measured = change.claim(kind), getattr(change, kind)
            cells = [_difference(measured[name]) for name in study.benchmarks]
            cells.append(_difference(claim, "**" if is_shown(claim, study.confidence) else ""))
            rows.append([f"{TITLES[change.before]} → {TITLES[change.policy]}, {how}", *cells, p_words(claim.p_value)])
    titles = [*map(benchmark_title, study.benchmarks), "all"]
    return table(["step", *titles, f"p (all), of {study.comparisons}"], rows)


def _difference(paired: Paired, mark: str = "") -> str:
    value, low, high = map(points, paired.difference)
    return f"{mark}{value}{mark} [{low}, {high}]"


def _samples_table(study: Study) -> str:
    most = study.num_samples
    rows = []
    for name in study.policies:
        part, metrics = study.part(name), study.policies[name]
        rows.append(
            [
                TITLES[name],
                percent(estimate(part["sampled_accuracy"])),
                percent(estimate(part["majority_at_k"][str(most)])),
                percent(estimate(part["pass_at_k"][str(most)])),
                share(part["sampled_unparsed"]),
                share(metrics["cut_off"]["sampled"]),
            ]
        )
    measures = [f"{name}@{most}" for name in ("avg", "maj", "pass")]
    return table([f"{most} samples a problem, %", *measures, "unparsed", "cut off"], rows)
