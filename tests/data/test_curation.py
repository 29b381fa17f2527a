"""Splits are disjoint by problem, skeleton and runs of words, stably; every dropped problem is counted."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proofline.config.schema import Prepare
from proofline.data.curation import curate, is_held_out
from proofline.data.demonstrations import write_demonstrations
from proofline.data.prepare import prepare
from proofline.data.published import BENCHMARKS
from proofline.data.subset import subset
from proofline.data.synthetic import generate_problems
from proofline.data.wording import ngrams, skeleton, wording
from proofline.records import Problem, Split

NGRAM = 5


def make_section(**changes: Any) -> Prepare:
    published = {"origin": "folder", "revision": "0" * 40, "train": None, "test": None, "test_list": None}
    values = {
        "sources": ["gsm8k"], "synthetic": {"train": 60, "dev": 10, "test": 20}, "gsm8k": published,
        "math": published, "own": {}, "dev_fraction": 0.3, "ngram": NGRAM, "demonstrations": 1000,
        "published_candidates": False,
    }  # fmt: skip
    return Prepare.model_validate(values | changes)


def problem(question: str, split: Split = "train", answer: str = "1") -> Problem:
    row = BENCHMARKS["gsm8k"].to_problem(("t:1", {"question": question, "answer": f"#### {answer}"}), split)
    return row if answer else row.model_copy(update={"answer": ""})


# Few words and numbers, so that copies, shared skeletons and shared runs are frequent.
questions = st.lists(
    st.sampled_from(["Ann", "has", "7", "12", "apples", "and", "Bob", "eats", "+"]), min_size=1, max_size=9
).map(" ".join)
rows = st.lists(st.builds(problem, questions, st.sampled_from(["train", "test"])), max_size=60)


@given(rows)
@settings(deadline=None)
def test_splits_are_disjoint_and_nothing_is_lost(problems: list[Problem]) -> None:
    curated = curate(problems, make_section())
    train, dev, test = (curated.splits[split] for split in ("train", "dev", "test"))
    for mine, theirs in ((train, dev), (train, test), (dev, test)):
        assert not {row.id for row in mine} & {row.id for row in theirs}
        assert not {row.skeleton for row in mine} & {row.skeleton for row in theirs}
    for mine, theirs in ((train, test), (train, dev), (dev, test)):
        runs = set().union(*(ngrams(row.question, NGRAM) for row in theirs))
        # Dev is apart from test by this rule too, and training problems from both.
        assert not any(ngrams(row.question, NGRAM) & runs for row in mine)
    kept = [row for split in curated.splits.values() for row in split]
    assert len({row.id for row in kept}) == len(kept)
    assert len({wording(row.question) for row in kept}) == len(kept)
    assert len(kept) + curated.dropped.total() == curated.read.total() == len(problems)
    assert all(row.split == split for split, members in curated.splits.items() for row in members)
    assert {wording(row.question) for row in problems if row.split == "test"} == {wording(r.question) for r in test}


@given(rows, questions)
@settings(deadline=None)
def test_a_new_training_problem_moves_no_other(problems: list[Problem], question: str) -> None:
    """It may be dropped, or cost others their place by being near a dev problem, but nobody changes sides."""
    before, after = (curate([*problems, *extra], make_section()).splits for extra in ([], [problem(question, "train")]))
    sides = {row.id: split for split, members in before.items() for row in members}
    assert all(sides.get(row.id, split) == split for split, members in after.items() for row in members)


@given(rows, st.integers(0, 8), st.integers(0, 8))
@settings(deadline=None)
def test_a_limit_takes_a_stable_subset(problems: list[Problem], small: int, more: int) -> None:
    def ids(train: int | None, test: int | None) -> dict[str, set[str]]:
        limits = {"origin": "folder", "revision": "0" * 40, "train": train, "test": test, "test_list": None}
        splits = curate(problems, make_section(gsm8k=limits)).splits
        return {split: {row.id for row in members} for split, members in splits.items()}

    whole, large, little = ids(None, None), ids(small + more, small + more), ids(small, small)
    assert len(little["train"] | little["dev"]) == min(small, len(whole["train"] | whole["dev"]))
    assert len(little["test"]) == min(small, len(whole["test"]))
    for split in ("train", "dev", "test"):
        assert little[split] <= large[split] <= whole[split]


def test_what_a_later_limit_takes_is_mixed_as_the_problems_are() -> None:
    """Both limits by one order: the 100 of one source, first of their 2,000, would come before nearly all others."""
    both = [
        problem(f"{source} {number}a {number}b {number}c").model_copy(update={"source": source})
        for source, number in [*(("gsm8k", n) for n in range(2000)), *(("math", n) for n in range(2000, 2900))]
    ]
    limits = {"origin": "folder", "revision": "0" * 40, "train": 100, "test": None, "test_list": None}
    section = make_section(sources=["gsm8k", "math"], gsm8k=limits, dev_fraction=0.0)
    splits = curate(both, section).splits
    assert Counter(row.source for row in splits["train"]) == {"gsm8k": 100, "math": 900}
    taken = Counter(row.source for row in subset(splits["train"], 200))
    assert 5 <= taken["gsm8k"] <= 38  # 20 of 200 are its share, 4 standard deviations on either side


def test_reasons_are_told_apart() -> None:
    test = problem("Ann has 7 apples and eats 3 of them", "test")
    gone = {
        "duplicate": "  ann HAS 7 apples and eats 3 of them",
        "skeleton_in_test": "Ann has 12 apples, and eats 5 of them!",
        "ngram_in_test": "Bob, who has 7 apples and eats 9, is not hungry",
        "no_reference_answer": "What is the sound of one hand?",
    }
    problems = [problem(question, answer="" if "sound" in question else "1") for question in gone.values()]
    curated = curate([test, *problems, problem("An apple, please")], make_section(dev_fraction=0.0))
    assert curated.dropped == Counter({("gsm8k", "train", reason): 1 for reason in gone})
    assert [row.question for row in curated.splits["train"]] == ["An apple, please"]


def test_a_dev_problem_keeps_its_kin_out_of_train() -> None:
    split = {n: is_held_out(problem(f"{'word ' * n}end"), 0.5) for n in range(1, 9)}
    held, free = (next(n for n, out in split.items() if out is side) for side in (True, False))
    shared = "one two three four five"
    pair = [problem(f"{'word ' * n}end") for n in (held, free)]
    assert [len(curate(pair, make_section(dev_fraction=0.5)).splits[s]) for s in ("dev", "train")] == [1, 1]
    kin = [row for n in range(40) if (row := problem(f"{shared} {'x' * n}z"))]
    curated = curate(kin, make_section(dev_fraction=0.5))
    assert curated.dropped[("gsm8k", "train", "ngram_in_dev")] > 0
    assert not curated.splits["train"]


def test_problems_of_one_skeleton_go_to_dev_together() -> None:
    twins = [problem(f"Question {'x' * n} {number}") for n in range(40) for number in (7, 12)]
    curated = curate(twins, make_section(dev_fraction=0.5))
    assert not curated.dropped
    assert 20 < len(curated.splits["dev"]) < 60


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("Ann has 7 apples.", "Ann has 1,200 apples", True),
        ("Compute $x+7$.", "Compute $x + 12$.", True),
        ("Compute $x+7$.", "Compute $x-7$.", False),
        ("Ann has 7 apples.", "Bob has 7 apples.", False),
    ],
)
def test_skeletons(one: str, other: str, same: bool) -> None:
    assert (skeleton(one) == skeleton(other)) is same


def test_dev_holds_about_its_share() -> None:
    held = sum(is_held_out(problem(f"Question {'x' * n}"), 0.3) for n in range(2000))
    assert 540 < held < 660  # 3 standard deviations


def test_generated_problems_keep_their_split_and_their_writers() -> None:
    section = make_section(sources=["synthetic"], demonstrations=25, ngram=13)
    prepared = prepare(section, 0, lambda name: pytest.fail(f"read {name}"))
    arrived = {row.id: row.split for split in ("train", "dev", "test") for row in
               generate_problems(split, getattr(section.synthetic, split), 0)}  # fmt: skip
    assert all(arrived[row.id] == split for split, members in prepared.splits.items() for row in members)
    assert len(prepared.splits["test"]) == 20
    assert {row.style for row in prepared.demonstrations} == {"worked", "compact"}
    assert prepared.report["demonstrations"]["demonstrations"] == 25
    counts = prepared.report["sources"]["synthetic"]
    drops = sum(sum(reasons.values()) for reasons in counts["dropped"].values())
    assert sum(counts["kept"].values()) + drops == sum(counts["read"].values()) == 90


def test_demonstrations_are_a_stable_choice_in_the_problems_order() -> None:
    train = [problem(f"Question {'x' * n}") for n in range(30)]
    few, many = write_demonstrations(train, 5, 0), write_demonstrations(train[::-1], 20, 0)
    assert {row.id for row in few} < {row.id for row in many}
    order = [row.id for row in train]
    assert [row.problem_id for row in few] == sorted((row.problem_id for row in few), key=order.index)
    assert {row.style for row in few} == {"reference"}
    assert all(row.solution.endswith("#### 1") for row in few)
