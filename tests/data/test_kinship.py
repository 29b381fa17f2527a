"""What is kin to a test problem is dropped, whatever its form; what only looks like it is kept."""

from __future__ import annotations

import pytest
from test_curation import make_section

from proofline.data.curation import curate
from proofline.data.kinship import Kin, grouped
from proofline.data.published import BENCHMARKS
from proofline.data.synthetic import generate_problems
from proofline.records import Problem, Split

STORY = (
    "Natalia sold clips to 48 of her friends in April, and then she sold half as many clips in May. "
    "How many clips did Natalia sell altogether in April and May?"
)
FIGURE = "[asy] size(100); pair A=(0,0), B=(1,0), C=(1,1); draw(A--B--C--cycle); label(A, SW); label(C, NE); [/asy]"
WORK = (
    "First we note that the tank holds 40 litres, so after 3 hours it has lost 3*4=12 litres through the hole.\n"
    "The pump brings back 2 litres an hour, which is 3*2=6 litres, so that 40-12+6=34 litres are left."
)


def problem(question: str, split: Split = "train", solution: str = "So it is") -> Problem:
    row = {"question": question, "answer": f"{solution}\n#### 1"}
    return BENCHMARKS["gsm8k"].to_problem((f"t:{question}", row), split)


def reason(test: str, train: str, n: int = 13) -> str | None:
    return Kin([problem(test, "test")], n).reason(problem(train))


@pytest.mark.parametrize(
    "leak",
    [
        STORY.replace("48", "120"),
        f"Here is an exam question. {STORY} Show all your work.",
        STORY.replace("Natalia", "Chidi").replace("clips", "pins"),
        STORY.replace("How many", "What number of").replace("friends", "mates").replace("altogether", "in total"),
        "How many clips did Ayu sell altogether in April and May? Ayu sold clips to 30 of her friends in April, and "
        "then she sold half as many clips in May.",
        STORY.upper(),
        STORY.replace("Natalia", "Bartek").replace("April", "June").replace("May", "July").replace("48", "9"),
        STORY.replace(" ", "  ").replace("'", "’"),
        STORY.replace("sold", "handed out").replace("48", "52"),
        STORY.replace("her friends", "the neighbours").replace("48", "fifty"),
        STORY.replace("and then she", "then she also").replace("altogether ", ""),
    ],
)
def test_a_copy_is_found_verbatim_renumbered_or_reworded(leak: str) -> None:
    assert reason(STORY, leak) is not None


@pytest.mark.parametrize(
    ("test", "leak"),
    [
        (r"Compute $\sin 60^\circ$.", r"What is the value of $\sin 60^\circ$?"),
        (r"Compute $\sin 60^\circ$.", r"Question: compute $\sin 60^\circ$"),
        (r"Compute $\sin 60^\circ + 1$.", r"Solve this step by step. Compute $\sin 60^\circ + 1$. Explain."),
        (r"Evaluate $\frac{7}{2}+6!$.", r"Find $\dfrac{7}{2} + 6!$"),
        ("What is $5^2-3$?", "Compute 5² − 3."),
        ("Solve $3x+5=26$.", "solve  3x + 5 = 26"),
        ("Find the units digit of $7^{100}$.", "[Exercise 4] Find the units digit of $7^{100}$. (3 points)"),
        ("How many primes are less than 30?", "Please: how many primes are less than 30?"),
        (f"What is the area? {FIGURE}", f"What is the area?  {FIGURE}".replace("What is", "Find")),
        (r"What is $\gcd(12, 18)$?", r"Calculate $\gcd(12,18)$"),
        (r"Evaluate $\sqrt{5625}$.", r"Solve this problem step by step. Compute $\sqrt{5625}$. Show your work."),
        ("What is the sum of 1/2 and 1/3? Express your answer as a common fraction.", "Find the sum of 1/2 and 1/3."),
        ("Find the sum of 1/2 and 1/3.", "The sum of 1/2 and 1/3 is asked. Round your answer to the nearest tenth."),
    ],
)
def test_short_questions_are_compared(test: str, leak: str) -> None:
    assert reason(test, leak) is not None


@pytest.mark.parametrize(
    ("test", "train"),
    [
        (r"Compute $\sin 60^\circ$.", r"Compute $\cos 60^\circ$."),
        ("Compute $6!$.", "Compute $6$."),
        ("Compute 5² + 1.", "Compute 52 + 1."),
        ("Compute $3+4$.", "Compute $3-4$."),
        (f"What is the area? {FIGURE}", f"What is the area? {FIGURE.replace('B=(1,0)', 'B=(1,0), D=(2,5)')} of ABD"),
        (
            f"Ann walks from A to B in 3 hours. How fast is she? {FIGURE}",
            f"Is the shaded triangle a right one? {FIGURE}",
        ),
        ("A cat eats 3 fish a day. How long do 12 fish last?", STORY),
        (
            "A die is rolled twice. The chance of two sixes is $m/n$, where $m$ and $n$ are relatively prime positive "
            "integers. Find $m+n$.",
            "A square has side 3 and a circle in it. Their areas are as $m/n$, where $m$ and $n$ are relatively prime "
            "positive integers. Find $m+n$.",
        ),
        (r"What is $\frac{1}{2}+\frac{1}{3}$?", r"Compute $H = 1+\frac{1}{2}+\frac{1}{3}+\dots+\frac{1}{90}$."),
        (r"Compute $\cos 36^\circ.$", r"Simplify $\cos 36^\circ - \cos 72^\circ.$"),
        (r"Compute $6!$.", r"Compute $6! + 3!$"),
        ("Find $x$.", "Find $x$ if $3x+5=26$ and x is the smallest of the numbers."),
        ("What is 5% of 60?", "A shop takes 5% of 60 dollars off, and then 3 dollars more. What is left to pay?"),
    ],
)
def test_what_only_looks_alike_is_kept(test: str, train: str) -> None:
    assert reason(test, train) is None


def test_solutions_are_compared() -> None:
    kin = Kin([problem(STORY, "test", WORK)], 13)
    other = "A tank with a hole is filled by a pump. What does it hold in the end?"
    assert kin.reason(problem(other, solution=WORK.replace("First we", "We"))) == "solution"
    assert kin.reason(problem(other, solution="So the tank holds 34 litres.")) is None
    # A solution of few words says nothing.
    few = Kin([problem(STORY, "test", "So 2+2=4")], 13)
    assert few.reason(problem(other, solution="So 2+2=4")) is None


def test_curation_counts_them() -> None:
    story = STORY.replace("Natalia", "Chidi").replace("clips", "pins").replace("48", "52")
    leaks = [problem(story), problem("Calculate: 5² + 6 × 7")]
    rows = [problem(STORY, "test"), problem("What is $5^2+6×7$?", "test"), *leaks, problem("A cat eats fish.")]
    curated = curate(rows, make_section(dev_fraction=0.0, ngram=13))
    assert {reason: n for (_, _, reason), n in curated.dropped.items()} == {
        "near_duplicate_in_test": 1, "short_in_test": 1,
    }  # fmt: skip
    assert [row.question for row in curated.splits["train"]] == ["A cat eats fish."]


def test_near_duplicates_share_a_cluster_and_others_do_not() -> None:
    renamed = STORY.replace("Natalia", "Chidi").replace("clips", "pins")
    rows = [problem(q, "test") for q in (STORY, STORY.replace("48", "12"), renamed, "Compute $6!$.", "Compute $6$.")]
    first, renumbered, reworded, factorial, number = grouped(rows)
    assert first.cluster == renumbered.cluster == reworded.cluster
    assert len({first.cluster, factorial.cluster, number.cluster}) == 3
    assert factorial.cluster == factorial.skeleton, "without kin, its own"
    assert [row.cluster for row in grouped(rows[::-1])][::-1] == [row.cluster for row in grouped(rows)]
    assert curate(rows, make_section()).splits["test"] == grouped(rows)


def test_a_generated_problem_belongs_to_its_template() -> None:
    rows = list(generate_problems("train", 200, 0))
    assert grouped(rows) == rows
    assert all(row.cluster == row.skeleton for row in rows)
    # Between two of them only templates and runs count: phrasings are many, templates few.
    asked = rows[0].model_copy(update={"skeleton": "another", "id": "synthetic-other"})
    assert Kin([rows[0]], 50).reason(asked) is None
    assert Kin([rows[0]], 50).reason(asked.model_copy(update={"source": "gsm8k"})) is not None


def test_a_problem_written_before_there_were_clusters_is_its_own() -> None:
    row = problem(STORY)
    assert Problem.model_validate(row.model_dump(exclude={"cluster"})) == row
