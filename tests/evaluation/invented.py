"""An invented study: plausible grades and verifications whose true effects are known."""

from __future__ import annotations

import json
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from proofline.config.schema import ABLATION, Evaluation
from proofline.evaluation.judge import judge, win_rates
from proofline.evaluation.metrics import Metrics, evaluate_policy
from proofline.evaluation.readings import read_all
from proofline.evaluation.scored import Appearance
from proofline.evaluation.study import PolicyResults, Study, compose
from proofline.evaluation.verifier import evaluate_verifier
from proofline.records import Decoding, Demonstration, Grade, Problem, Readings, Solution, Verification
from proofline.storage.artifacts import write_json
from proofline.storage.records import write_records

ABILITY = {"base": 0.0, "sft": 0.8, "dpo": 0.85, "genrm": 0.75, ABLATION: 0.8}
"""Log-odds of being right on a problem of middle difficulty, above the base's."""

SLIPS = ("2", "2.0", "2.00", "$2$", "4/2")
"""The wrong answer to every problem: samples agree on what is wrong as they do on what is right."""
EXAMPLE = Demonstration(id="example", problem_id="p", question="1?", solution="#### 1", style="worked")


@dataclass(frozen=True)
class Invented:
    problems: list[Problem]
    greedy: dict[str, list[Solution]]
    greedy_grades: dict[str, list[Grade]]
    samples: dict[str, list[Solution]]
    sample_grades: dict[str, list[Grade]]
    verifications: list[Verification]
    """Of the DPO policy's samples."""
    appearances: dict[str, Appearance]
    """Of the same; right ones show their steps more often than wrong ones do."""
    section: Evaluation

    def worked(self, policy: str) -> dict[str, bool]:
        """Right greedy solutions all show their steps here, and every third wrong one."""
        grades = enumerate(self.greedy_grades[policy])
        return {grade.solution_id: grade.verdict == "correct" or number % 3 == 0 for number, grade in grades}

    def verifier(self, verifications: list[Verification] | None = None) -> Metrics:
        """The verifier's metrics, of these verifications or of others of the same candidates."""
        rows = self.verifications if verifications is None else verifications
        grades = self.sample_grades["dpo"]
        return evaluate_verifier(self.problems, rows, grades, self.appearances.items(), self.section, seed=0)


def problem(number: int, source: str, family: str) -> Problem:
    question = f"Question {number}?"
    return Problem(
        id=Problem.make_id(source, question), source=source, family=family, split="test", question=question,
        solution="#### 1", answer="1", skeleton=str(number),
    )  # fmt: skip


def graded(problem: Problem, policy: str, index: int, answer: str | None) -> tuple[Solution, Grade]:
    """A solution and its grade; the right answer is `1`, None is unreadable."""
    solution_id = f"{policy}-{problem.id}-{index}"
    solution = Solution(
        id=solution_id, problem_id=problem.id, policy=policy, weights=f"{policy:0<16}",
        decoding=Decoding(temperature=0.7, top_p=1.0, max_new_tokens=160), sample_index=index, seed=index,
        text=f"#### {answer}", num_tokens=40, logprob=-9.0, finished=answer is not None,
    )  # fmt: skip
    verdict = "unparsed" if answer is None else "correct" if answer == "1" else "wrong"
    grade = Grade(
        solution_id=solution_id, problem_id=problem.id, verdict=verdict, extracted=answer, reason="invented", grader="x"
    )
    return solution, grade


def invent(num_problems: int = 120, num_samples: int = 8, sources: tuple[str, ...] = ("synthetic",)) -> Invented:
    rng, of_sampler = np.random.default_rng(7), np.random.default_rng(8)
    families = [(s, f) for s in sources for f in (("word", "math") if s == "synthetic" else ())]
    families += [(s, {"gsm8k": "word", "math": "math"}[s]) for s in sources if s != "synthetic"]
    problems = [problem(i, *families[i % len(families)]) for i in range(num_problems)]
    ease = rng.normal(-0.2, 1.3, num_problems)
    study = Invented(problems, {}, {}, {}, {}, [], {}, evaluation_section(num_samples))
    for policy, ability in ABILITY.items():
        rows: list[list[tuple[Solution, Grade]]] = [[], []]
        for one, easy in zip(problems, ease, strict=True):
            for index in range(-1, num_samples):
                right = rng.random() < 1 / (1 + np.exp(-(easy + ability + (0.3 if index < 0 else 0.0))))
                wrong = None if rng.random() < 0.08 else SLIPS[rng.integers(5)]
                rows[index >= 0].append(graded(one, policy, index, "1" if right else wrong))
        for (solutions, grades), part in zip(
            [(study.greedy, study.greedy_grades), (study.samples, study.sample_grades)], rows, strict=True
        ):
            solutions[policy], grades[policy] = [s for s, _ in part], [g for _, g in part]
    for at, grade in enumerate(study.sample_grades["dpo"]):
        logits = (1.2 if grade.verdict == "correct" else -0.8) + rng.normal(0, 1.4) + rng.normal(0, 1.5, 4)
        chains = np.full(4, np.nan) if rng.random() < 0.01 else 1 / (1 + np.exp(-2 * logits))
        study.verifications.append(
            Verification(
                solution_id=grade.solution_id, problem_id=grade.problem_id, label=grade.verdict,
                p_yes=float(np.mean(chains)), p_yes_per_chain=tuple(chains), chains=("",) * 4,
                tokens_per_chain=(60, 50, 70, 60),
            )
        )  # fmt: skip
        looks = study.appearances[grade.solution_id] = appearance(grade, rng, -40 * of_sampler.random())
        sample = study.samples["dpo"][at]
        study.samples["dpo"][at] = sample.model_copy(update={"text": "1+1=2\n" * looks.equations + sample.text})
    return study


def layout_reader(study: Invented) -> Invented:
    """The same study, whose verifier looks at the number of equations and at nothing else."""
    rng = np.random.default_rng(0)
    rows = [
        row.model_copy(update={"p_yes": score, "p_yes_per_chain": (score,) * 4})
        for row in study.verifications
        for score in [0.2 * study.appearances[row.solution_id].equations + 0.1 * rng.random()]
    ]
    return replace(study, verifications=rows)


def appearance(grade: Grade, rng: np.random.Generator, logprob: float) -> Appearance:
    right = grade.verdict == "correct"
    equations = int(rng.choice([1, 3], p=(0.2, 0.8) if right else (0.5, 0.5)))
    program = None if rng.random() < 0.05 else right == (rng.random() < 0.95)
    characters = 20 * equations + int(rng.integers(0, 10))
    return Appearance(f"{equations} steps", equations, characters, program, grade.extracted, 40, logprob)


def evaluation_section(num_samples: int) -> Evaluation:
    return Evaluation(
        problems=None, num_samples=num_samples, shots=(0, 4), temperature=0.7, top_p=1.0, max_new_tokens=160,
        confidence=0.95, bootstrap_resamples=400,
    )  # fmt: skip


def composed(study: Invented) -> Study:
    """The study as the report stage composes it, through JSON as between stages."""
    results = {policy: policy_results(study, policy) for policy in ABILITY}
    return compose(study.problems, results, through_json(study.verifier()), "dpo", "base", study.section, 0)


def policy_results(study: Invented, policy: str) -> PolicyResults:
    metrics = evaluate_policy(
        study.problems, study.greedy[policy], study.greedy_grades[policy], study.samples[policy],
        study.sample_grades[policy], study.section, 0,
    )  # fmt: skip
    rows = judge(study.problems, policy, "base", study.greedy_grades[policy], study.greedy_grades["base"])
    rates = None if policy in ("base", ABLATION) else win_rates(study.problems, rows, study.section, seed=0)
    return PolicyResults(
        through_json(metrics),
        study.greedy_grades[policy],
        study.worked(policy),
        study.sample_grades[policy],
        through_json(rates),
        readings(study, policy),
    )


def readings(study: Invented, policy: str) -> list[Readings]:
    """Of its greedy solutions; with four examples a policy says the same as with none."""
    solutions, grades = study.greedy[policy], study.greedy_grades[policy]
    by_id = {problem.id: problem for problem in study.problems}
    few = [solution.model_copy(update={"examples": (EXAMPLE.id,) * 4}) for solution in solutions]
    shown = {EXAMPLE.id: EXAMPLE}
    return [row for rows in (solutions, few) for row in read_all(rows, grades, by_id, "{question}", shown)]


def through_json(value: Any) -> Any:
    """What a later stage reads: NaN has become null."""
    with tempfile.TemporaryDirectory() as folder:
        write_json(f"{folder}/value.json", value)
        return json.loads(Path(folder, "value.json").read_text())


def write_study(study: Invented, root: Path, params: Path) -> None:
    """The files that the stages before `judge` and `report` leave behind."""
    shutil.copy(params, root / "params.yaml")
    write_records(root / "data/problems/test.jsonl", study.problems)
    for name in ("demonstrations", "pairs", "traces", "right_solutions"):
        (root / f"data/{name}.jsonl").write_text('{"row": 1}\n{"row": 2}\n')
    write_json(root / "data/curation.json", {"splits": {"train": {"problems": 2}}})
    write_json(root / "data/demonstrations.json", {"demonstrations": 2, "worked": 2})
    write_json(root / "data/pairs.json", {"pairs": 2, "problems_mixed": 1})
    write_json(root / "data/traces.json", {"traces": 2, "program_yes": 1})
    for policy in ABILITY:
        folder = root / "reports/evaluate" / policy
        results = study.greedy[policy], study.greedy_grades[policy], study.samples[policy], study.sample_grades[policy]
        for name, rows in zip(("greedy", "greedy_grades", "samples", "sample_grades"), results, strict=True):
            write_records(folder / f"{name}.jsonl", rows)
        write_records(folder / "readings.jsonl", readings(study, policy))
        write_json(folder / "metrics.json", evaluate_policy(study.problems, *results, study.section, 0))
    write_records(root / "reports/verify/verifications.jsonl", study.verifications)
    write_json(root / "reports/verify/metrics.json", study.verifier())
