"""Model cards: what each policy is, what trained it, what was measured, what it is not good for.

In: `Study`, the recipe's sections, the data sets the policies were trained on, and the ledgers of how those were made.
Out: one Markdown text per policy, with the front matter of the Hugging Face hub (Mitchell et al. 2019, "Model Cards").
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from proofline.config.schema import POLICIES, TRAINED
from proofline.evaluation.claims import attribution, effect, percent
from proofline.evaluation.evidence import Evidence, evidence
from proofline.evaluation.markdown import share, table
from proofline.evaluation.metrics import estimate
from proofline.evaluation.results import column_titles, record
from proofline.evaluation.study import OVERALL, TITLES, Study
from proofline.evaluation.verifier_tables import baselines_table, verifier_table

FRONT_MATTER = """\
---
license: apache-2.0
language: en
library_name: transformers
tags: [mathematics, proofline, {policy}]
---"""


@dataclass(frozen=True)
class Dataset:
    """A file of rows, and the md5 under which DVC keeps it."""

    path: str
    rows: int
    md5: str

    @classmethod
    def of(cls, path: str) -> Dataset:
        rows, digest = 0, hashlib.md5(usedforsecurity=False)
        with open(path, "rb") as file:
            for line in file:
                rows += line.endswith(b"\n")
                digest.update(line)
        return cls(path, rows, digest.hexdigest())


@dataclass(frozen=True)
class Training:
    """How a policy came to be; the same in every recipe."""

    summary: str
    start: str | None
    datasets: tuple[str, ...] = ()
    ledgers: tuple[str, ...] = ()
    """Which counts belong on the card: `demonstrations`, `pairs`, `traces`."""


TRAININGS = {
    "base": Training("the starting policy, before any training of this study", None),
    "sft": Training(
        "supervised fine-tuning on worked solutions, loss on the solution alone",
        "base", ("data/demonstrations.jsonl",), ("demonstrations",),
    ),
    "dpo": Training(
        "direct preference optimisation (Rafailov et al. 2023) on right and wrong solutions sampled from +SFT",
        "sft", ("data/pairs.jsonl",), ("pairs",),
    ),
    "genrm": Training(
        "generative verifier with chain of thought (GenRM-CoT, Zhang et al. 2024), "
        "trained on verification traces mixed with solutions; it verifies, and still solves",
        "dpo", ("data/traces.jsonl", "data/right_solutions.jsonl"), ("traces",),
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Provenance:
    """What the cards say beyond the study's results."""

    sections: Mapping[str, Mapping[str, Any]]
    """Parts of the recipe, by the policy they made."""
    datasets: Mapping[str, Dataset]
    """By path."""
    ledgers: Mapping[str, Mapping[str, Any]]
    """Counts of how the data sets were made, by name."""


def cards(study: Study, provenance: Provenance) -> dict[str, str]:
    """A card for each policy of the study; the ablation is no model to use."""
    return {policy: card(policy, study, provenance) for policy in POLICIES}


def card(policy: str, study: Study, provenance: Provenance) -> str:
    training = TRAININGS[policy]
    sections = [
        FRONT_MATTER.format(policy=policy),
        f"# proofline-{policy}",
        f"`{TITLES[policy]}`: {training.summary}. Written by the report stage of one run; every number is that run's.",
        "## Lineage",
        _lineage(policy, training, study, provenance),
    ]
    ledger = {name: provenance.ledgers[name] for name in training.ledgers}
    if ledger:
        sections += ["How its data were made, in counts:", table(["count", "value"], _flat(ledger))]
    if policy in provenance.sections:
        sections += ["## Recipe", table(["knob", "value"], _flat(provenance.sections[policy]))]
    sections += ["## Results", "Accuracy in percent with its interval.", _results(policy, study)]
    for change in study.changes:
        if change.policy == policy and change.before != "base":  # that one is the evidence
            names = TITLES[policy], TITLES[change.before]
            sections.append(effect(*names, "greedy accuracy", change.claim("greedy"), study.confidence))
    if policy == "genrm":
        sections.append(attribution(study, "greedy"))
        scored = (
            f"As a verifier of {study.verifier[OVERALL]['candidates']:,} samples of {TITLES[study.verified_policy]}:"
        )
        sections += [scored, baselines_table(study), verifier_table(study)]
    if policy in TRAINED:
        sections += ["## Promotion", _promotion(evidence(policy, study))]
    sections += ["## Limits", _limits(policy, study), "## Licence", _licence(study)]
    return "\n\n".join(sections) + "\n"


def _promotion(found: Evidence) -> str:
    shown = "It is shown to" if found.shown else "It is not shown to"
    return f"To become champion of the registry, {found.asked}. {shown}: {found.said}"


def _lineage(policy: str, training: Training, study: Study, provenance: Provenance) -> str:
    rows = [("weights (SHA-256, first 16 digits)", f"`{study.policies[policy]['weights']}`")]
    if training.start:
        rows.append(("trained from", f"{TITLES[training.start]}, `{study.policies[training.start]['weights']}`"))
    for path in training.datasets:
        dataset = provenance.datasets[path]
        rows.append((f"`{path}`", f"{dataset.rows:,} rows, md5 `{dataset.md5}`"))
    return table(["what", "identity"], rows)


def _results(policy: str, study: Study) -> str:
    most = study.num_samples
    parts = [study.part(policy, name) for name in (*study.benchmarks, OVERALL)]
    rows = [
        ["greedy", *(percent(estimate(part["greedy_accuracy"])) for part in parts)],
        ["single samples", *(percent(estimate(part["sampled_accuracy"])) for part in parts)],
        [f"majority of {most}", *(percent(estimate(part["majority_at_k"][str(most)])) for part in parts)],
        [f"any of {most}", *(percent(estimate(part["pass_at_k"][str(most)])) for part in parts)],
        ["greedy answers that could not be read", *(share(part["greedy_unparsed"]) for part in parts)],
    ]
    if policy in study.win_rates:
        rates = study.win_rates[policy]
        of = [rates["benchmarks"].get(name) for name in study.benchmarks] + [rates[OVERALL]]
        rows.append([f"won / lost / tied against {TITLES[study.opponent]}", *map(record, of)])
    return table(["accuracy", *column_titles(study)], rows)


def _limits(policy: str, study: Study) -> str:
    accuracy = estimate(study.part(policy)["greedy_accuracy"]).value
    limits = [
        f"It is wrong on {100 * (1 - accuracy):.0f} of 100 of these test problems and does not say when it is unsure.",
        "It was measured on the benchmarks above, in English, and on nothing else: no other mathematics, no dialogue.",
        "One training seed: the intervals cover the choice of problems, not what another seed would have given.",
    ]
    if any(name.startswith("synthetic/") for name in study.benchmarks):
        limits.append("The synthetic problems come from templates: these numbers say nothing about GSM8K or MATH.")
    if policy == "genrm":
        part = study.verifier[OVERALL]
        limits.append(
            f"As a verifier it accepts {share(part['false_accept_rate']['value'])}% of wrong candidates and rejects "
            f"{share(part['false_reject_rate']['value'])}% of right ones, measured on one policy's samples only."
        )
    return "\n".join(f"- {limit}" for limit in limits)


def _licence(study: Study) -> str:
    sources = [name.split("/")[0] for name in study.benchmarks]
    published = [{"gsm8k": "GSM8K (Cobbe et al. 2021)", "math": "MATH (Hendrycks et al. 2021)"}.get(s) for s in sources]
    named = " and ".join(name for name in published if name)
    return "Apache-2.0." + (f" {named}: MIT licence." if named else "")


def _flat(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", f"{value:,}" if type(value) is int else str(value)
