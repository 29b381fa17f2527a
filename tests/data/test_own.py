"""A user's own problems: what a good file becomes; all that is wrong with a bad one is said at once, by line."""

from __future__ import annotations

import codecs
import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from own_files import own, section, write

from proofline.config.own import Own
from proofline.data.own import Brought, load_own
from proofline.data.own_answers import AnswerError, comparable
from proofline.data.own_lines import MAX_ROW_BYTES, Faults, read_rows
from proofline.data.own_rows import own_row
from proofline.data.prepare import Prepared, prepare
from proofline.data.published import SourceError
from proofline.grading import grade_text
from proofline.records import Problem
from proofline.storage.remote import ReadError
from proofline.storage.tables import TableError, located

STORIES = """
Ann has {a} apples and eats {b}. How many are left?
A train with {a} seats carries {b} people; who sits alone?
From {a} candles the wind blows out {b}. Count the burning ones.
Of {a} letters, the postman delivered {b}. What is still in his bag?
The river rose by {a} cm overnight and fell by {b} cm at noon. By how much is it higher?
Bob owes {a} dollars and pays back {b}. What does he owe now?
In a class of {a} pupils {b} are ill. How big is the class today?
A rope of {a} m loses {b} m. Its length?
It was {a} degrees at dawn, then it got {b} degrees colder. Tell the temperature.
Gus planted {a} tulips, of which mice took {b}. How many bloom?
A page has {a} lines, {b} of them blank. How many hold text?
Our choir of {a} voices misses {b}. How many sing?
The shelf held {a} jars until {b} broke. Whole jars?
Kay saved {a} coins, then spent {b} on a kite. What remains in her purse?
Out of {a} goals the keeper stopped {b}. What was the score?
Pam bakes {a} buns; her brother burns {b} more than none. How many can be sold?
""".strip().splitlines()
ROWS = [
    {"question": story.format(a=n + 3, b=n), "equation": f"{n + 3} - {n}", "answer": 3}
    for n, story in enumerate(STORIES)
]
TEMPLATE = "{equation} = {answer}\n#### {answer}"
ROW = {"question": "How many?", "answer": "7"}


def load(source: dict[str, Any]) -> Brought:
    return load_own("shop", Own.model_validate(source), str)


def faults_of(source: dict[str, Any]) -> str:
    with pytest.raises(SourceError) as caught:
        load(source)
    return str(caught.value)


def prepared(*sources: str, **changes: Any) -> Prepared:
    return prepare(section(list(sources), **changes), 0, lambda name: pytest.fail(f"read {name}"))


def test_everything_wrong_with_a_file_is_told_at_once_by_line(tmp_path: Path) -> None:
    bad: list[tuple[object, str]] = [
        ('{"question": "How many?", ', "not JSON: .* one object a line"),
        ("[1, 2]", "found list; one object a line"),
        ({"answer": "7"}, "no question; the row has answer"),
        ({"question": "How many?", "reply": "7"}, "no answer or solution; the row has question, reply"),
        ({"question": "  ", "answer": ""}, r"question: found '  '; text is expected"),
        ({"question": ["How many?"], "answer": "7"}, "question: found .*; text is expected"),
        (ROW | {"answer": True}, "answer: found true; text or a number"),
        (ROW | {"answer": "seven or so"}, "answer: found 'seven or so'; a number without"),
        (ROW | {"answer": "7 apples"}, "answer: found '7 apples'; a number without a unit"),
        ('{"question": "How many?", "answer": NaN}', "found NaN, which is not JSON"),
        ('{"question": "How many?", "answer": 1e999999}', r"answer: found 1E\+999999"),
        ('{"question": "a", "question": "b", "answer": 7}', "question: stands there twice"),
        (ROW | {"level": "Level 5"}, r"level: found 'Level 5'; a whole number .* level: null"),
        (ROW | {"id": "a b"}, "id: found 'a b'; at most 64"),
        (ROW | {"family": "so/so"}, "family: found 'so/so'"),
        (ROW | {"split": "eval"}, r"split: found 'eval'; train, dev \(or validation\) or test"),
        ('{"question": "How many\\ud800?", "answer": 7}', "question: holds half a character"),
        (b'{"question": "Gr\xf6sse?", "answer": 7}', "not UTF-8: byte 0xf6 at 17; save the file as UTF-8"),
        (ROW | {"question": "x" * MAX_ROW_BYTES}, "a row of more than 100,000 bytes"),
    ]  # fmt: skip
    path = write(tmp_path / "bad.jsonl", ROW, *(row for row, _ in bad), ROW)
    said = faults_of(own((path, None))).split("\n  ")
    assert said[0] == f"{path}: 20 faults; nothing was read"  # the fifth row has two
    for number, (row, expected) in enumerate(bad, 2):
        assert any(re.fullmatch(rf"{path}:{number}: {expected}.*", line) for line in said), (row, said)
    assert any(line.startswith(f"{path}:6: answer: found ''") for line in said)


def test_so_many_faults_are_told_and_the_others_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "bad.jsonl", *["{"] * 2000)
    said = faults_of(own((path, None))).split("\n  ")
    assert said[0] == f"{path}: 2000 faults; nothing was read"
    assert len(said) == 22
    assert said[-1] == "and 1980 more"


def test_what_editors_leave_in_a_file_changes_nothing(tmp_path: Path) -> None:
    plain = write(tmp_path / "plain.jsonl", *ROWS)
    lines = plain.read_bytes().split(b"\n")
    edited = tmp_path / "edited.jsonl"
    edited.write_bytes(codecs.BOM_UTF8 + b"\r\n" + b"\r\n \r\n".join(lines).rstrip())
    packed = tmp_path / "packed.jsonl.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    with_nulls = write(tmp_path / "nulls.jsonl", *[row | {"id": None, "solution": None, "level": None} for row in ROWS])
    assert (
        load(own((plain, None)))
        == load(own((edited, None)))
        == load(own((packed, None)))
        == load(own((with_nulls, None)))
    )


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "no rows; one JSON object a line"),
        (b"\n \r\n", "no rows"),
        (json.dumps([ROW]).encode(), "a JSON array; .* `jq -c"),
        (codecs.BOM_UTF8 + b"[\n", "a JSON array"),
        (json.dumps(ROW).encode("utf-16"), "UTF-16; save it as UTF-8"),
        (gzip.compress(b"{}", mtime=0), r"packed by gzip; let its name end in \.gz"),
        (b"PK\x03\x04 a workbook", "a zip archive"),
    ],
)
def test_a_file_of_another_kind_is_told_by_what_it_is(tmp_path: Path, content: bytes, says: str) -> None:
    (tmp_path / "t.jsonl").write_bytes(content)
    said = faults_of(own((tmp_path / "t.jsonl", None)))
    assert re.search(says, said)
    assert said.count("\n") == 1


def test_a_file_that_is_not_there_is_cut_or_is_another_one(tmp_path: Path) -> None:
    for path in ("t.jsonl", "/nowhere/t.jsonl"):
        with pytest.raises(TableError, match=r"no file .*t\.jsonl; correct the path .* PROOFLINE_DATA_ROOT"):
            located(str(tmp_path), path)
    write(tmp_path / "t.jsonl", ROW)
    assert located(str(tmp_path), "t.jsonl") == located("/elsewhere", f"{tmp_path}/t.jsonl")
    (tmp_path / "t.jsonl.gz").write_bytes(gzip.compress((tmp_path / "t.jsonl").read_bytes())[:-9])
    with pytest.raises(ReadError, match=r"t\.jsonl\.gz cannot be read: .* Is it whole"):
        load(own((tmp_path / "t.jsonl.gz", None)))
    source = own((tmp_path / "t.jsonl", None))
    write(tmp_path / "t.jsonl", ROW | {"answer": 8})
    assert re.search(r"sha256 is [0-9a-f]{64}, found .* set prepare\.own\.shop\.files\[0\]\.sha256", faults_of(source))


def test_rows_are_checked_against_each_other(tmp_path: Path) -> None:
    first = write(tmp_path / "first.jsonl", ROW | {"id": 7}, {"question": "b", "answer": 1, "id": "7"})
    second = write(tmp_path / "second.jsonl", {"question": "how  MANY?", "answer": 7}, ROW | {"split": "train"})
    said = faults_of(own((first, "train"), (second, "test")))
    assert f"{first}:2: id: shop-7 is that of {first}:1 too" in said
    assert f"{second}:2: split: found 'train' in a file of which the recipe says test" in said
    alone = faults_of(own((first, "train"), (write(second, {"question": "how  MANY?", "answer": 7}), "test")))
    assert f"{second}:1: question: in test, and at {first}:1 in train; keep it in one" in alone


def test_fields_may_have_other_names(tmp_path: Path) -> None:
    """A file like GSM8K's: its `answer` is our solution, and then is not our answer too."""
    row = {"Body": "How many?", "answer": "3 + 4 = 7.\n#### 7", "level": "easy", "split": "validation"}
    path = write(tmp_path / "t.jsonl", row)
    named = {"question": "Body", "solution": "answer", "level": None}
    (problem,) = load(own((path, None), fields=named)).problems
    assert (problem.answer, problem.solution, problem.split, problem.level) == ("7", row["answer"], "dev", 0)
    said = faults_of(own((path, None), fields=named | {"id": "number"}))
    assert "no row has 'number', which prepare.own.shop.fields.id names" in said
    assert "no reply or solution; the row has Body" in faults_of(own((path, None), fields={"answer": "reply"}))


@pytest.mark.parametrize(
    ("kind", "written", "answer"),
    [
        ("number", "1,234", "1234"), ("number", "504.0", "504"), ("number", "$5.25", "5.25"), 
        ("number", "-3/4", "-3/4"),
        ("number", "2 1/2", r"2\frac{1}{2}"), ("number", "50%", "50"), ("number", "0", "0"),
        ("number", "9" * 60, "9" * 60),
        ("number", "x", None), ("number", "1, 2", None), ("number", r"\sqrt{2}", None), ("number", "x = 5", None),
        ("number", "2:40", None), ("number", "1.234,5", None), ("number", "9" * 400, None), ("number", "3 dozen", None),
        ("number", "1/0", None), ("number", "24 or 25", None),
        ("expression", "x^2 + 1", "x^2 + 1"), ("expression", "2:40", "2:40"), ("expression", r"\{1, 2\}", r"\{1, 2\}"),
        ("expression", r"\text{Monday}", r"\text{Monday}"), ("expression", "24", "24"),
        ("expression", "(1, 2]", "(1, 2]"),
        ("expression", r"\frac{1}{", None), ("expression", "}x{", None), ("expression", "Monday", None),
    ],
)  # fmt: skip
def test_an_answer_is_of_the_kind_that_the_recipe_says(kind: Any, written: str, answer: str | None) -> None:
    if answer is None:
        with pytest.raises(AnswerError, match="found"):
            comparable(written, kind)
    else:
        assert comparable(written, kind) == answer


@pytest.mark.parametrize(
    ("kind", "row", "answer"),
    [
        ("number", {"answer": 7.0}, "7"),
        ("number", {"solution": "3 + 4 = 7\n#### 7"}, "7"),
        ("number", {"solution": "3 and 4", "answer": 7}, "7"),
        ("number", {"solution": r"So \boxed{7.0}.", "answer": "7"}, "7"),
        ("expression", {"answer": r"\frac12"}, r"\frac12"),
        ("expression", {"solution": "By halves.", "answer": "x/2"}, "x/2"),
        ("number", {"solution": "3 and 4"}, "solution: states no answer; end it in"),
        ("number", {"solution": "#### 7 or 8"}, "solution: '7 or 8' after '####' does not state one value; end it in"),
        ("number", {"solution": "#### 8", "answer": 7}, "solution: states '8', but the answer is '7'; correct one"),
        ("number", {"solution": r"\boxed{x}"}, "solution: found 'x'"),
    ],
)
def test_a_reference_states_its_answer_as_both_graders_read_it(kind: str, row: dict[str, Any], answer: str) -> None:
    faults = Faults("t")
    source = Own.model_validate(own(answers=kind) | {"files": [{"path": "t", "sha256": "", "split": None}]})
    read = own_row(("t:1", {"question": "How many?", **row}), "shop", source, None, faults)
    if read is None:
        assert answer in str(faults)
        return
    assert read.problem.answer == answer
    judged = grade_text(read.problem.solution, read.problem.answer)
    assert judged.verdict == judged.second_verdict == "correct"
    assert read.problem.family == {"number": "word", "expression": "math"}[kind]


def test_equations_become_demonstrations_by_the_template(tmp_path: Path) -> None:
    false = {"question": "A false one: what is it?", "equation": "2 + 2", "answer": 5}
    path = write(tmp_path / "train.jsonl", *ROWS[:4], false, ROW | {"equation": None, "solution": "By eye.\n#### 7"})
    test = write(tmp_path / "test.jsonl", *[row | {"equation": None} for row in ROWS[8:10]])
    source = own((path, "train"), (test, "test"), demonstration=TEMPLATE)
    made = prepared("shop", own={"shop": source})
    texts = {row.question: (row.solution, row.style) for row in made.demonstrations}
    assert texts[ROWS[2]["question"]] == ("5 - 2 = 3\n#### 3", "template")
    assert texts["How many?"] == ("By eye.\n#### 7", "reference")
    assert false["question"] in {row.question for row in made.splits["train"]} - texts.keys()
    counts: Any = made.report["sources"]["shop"]
    assert counts["without_demonstration"] == 1
    assert {row.solution for row in made.splits["test"]} == {"#### 3"}, "no steps are known of these"
    boxed = prepared("shop", own={"shop": source | {"demonstration": r"It is \boxed{{answer}}."}})
    assert {row.solution for row in boxed.demonstrations} >= {r"It is \boxed{3}."}
    for template, says in (
        ("{equation} = {answer}", "5: demonstration: .* is read as None .* end the template in"),
        ("{eqn}\n#### {answer}", r"\d: eqn, which the recipe's demonstration names: no such field"),
        (r"#### \boxed{answer}", "demonstration: .* is read as 'answer'"),
    ):
        assert re.search(says, faults_of(source | {"demonstration": template}))


def test_without_a_template_or_a_split_there_is_nothing_to_train_or_evaluate_on(tmp_path: Path) -> None:
    path = write(tmp_path / "t.jsonl", *ROWS)
    for changes, says in (
        ({"test_fraction": 0.0}, "no test problem is left: 0 came"),
        ({"test_fraction": 1.0}, "no train problem is left: 0 came"),
        ({}, r"no training problem has a demonstration; .* prepare\.own\.NAME\.demonstration"),
    ):
        with pytest.raises(SourceError, match=says):
            prepared("shop", own={"shop": own((path, None), **changes)})


def test_a_long_template_makes_nothing_kin(tmp_path: Path) -> None:
    path = write(tmp_path / "t.jsonl", *ROWS)
    long = "We write down what the story says, compute it, and check that the result is what was asked for here: " * 2
    short, wordy = (
        prepared("shop", own={"shop": own((path, None), demonstration=text + TEMPLATE)}) for text in ("", long)
    )
    assert short.splits == wordy.splits


def test_a_question_with_two_answers_has_none(tmp_path: Path) -> None:
    twice = [ROWS[0], ROWS[0] | {"answer": "3.0"}, ROWS[1], ROWS[1] | {"answer": 4}]
    path = write(tmp_path / "t.jsonl", *twice, *ROWS[2:])
    report: Any = prepared("shop", own={"shop": own((path, None), demonstration="#### {answer}")}).report
    drops = report["sources"]["shop"]["dropped"]
    assert sum(reasons.get("no_reference_answer", 0) for reasons in drops.values()) == 2
    assert sum(reasons.get("duplicate", 0) for reasons in drops.values()) == 1


def test_made_splits_keep_kin_together_and_move_nobody(tmp_path: Path) -> None:
    renumbered = [row | {"question": re.sub(r"\d+", "99", row["question"])} for row in ROWS]
    rows = [*ROWS, *renumbered]

    def sides(*rows: object) -> dict[str, str]:
        return {row.question: row.split for row in load(own((write(tmp_path / "t.jsonl", *rows), None))).problems}

    both = sides(*rows)
    assert set(both.values()) == {"train", "test"}
    assert all(both[one["question"]] == both[other["question"]] for one, other in zip(ROWS, renumbered, strict=True))
    assert sides(*reversed(rows)) == both
    assert sides(*ROWS[:9]) == {row["question"]: both[row["question"]] for row in ROWS[:9]}


def test_a_dev_split_that_is_given_is_all_of_it(tmp_path: Path) -> None:
    files = [(write(tmp_path / f"{name}.jsonl", *rows), name) for name, rows in
             (("train", ROWS[:8]), ("dev", ROWS[8:12]), ("test", ROWS[12:]))]  # fmt: skip
    source = own(*files, demonstration="#### {answer}")
    given_dev = prepared("shop", own={"shop": source}, dev_fraction=0.9)
    assert {split: len(rows) for split, rows in given_dev.splits.items()} == {"train": 8, "dev": 4, "test": 4}
    without = source | {"files": [source["files"][0], source["files"][2]], "train": 5, "test": 2}
    held_out = prepared("shop", own={"shop": without}, dev_fraction=0.5)
    assert held_out.splits["dev"]
    assert len(held_out.splits["train"] + held_out.splits["dev"]) == 5
    assert len(held_out.splits["test"]) == 2


def test_own_problems_are_curated_with_the_other_sources(tmp_path: Path) -> None:
    """Own tests keep their kin out of others' training data, and others' tests out of the own."""
    few = {"synthetic": {"train": 20, "dev": 2, "test": 4}}
    questions, tests = (
        [row.question for row in prepared("synthetic", **few).splits[name]] for name in ("train", "test")
    )
    mine = write(tmp_path / "mine.jsonl", ROW, {"question": tests[0], "answer": 1})
    theirs = write(tmp_path / "theirs.jsonl", {"question": questions[0] + " ", "answer": 1})
    source = own((mine, "train"), (theirs, "test"), demonstration="#### {answer}")
    made = prepared("synthetic", "shop", own={"shop": source}, **few)
    assert questions[0] in {row.question for row in made.splits["test"] if row.source == "shop"}
    assert questions[0] not in {row.question for row in made.splits["train"]}
    assert [row.question for row in made.splits["train"] if row.source == "shop"] == ["How many?"]


@given(st.lists(st.one_of(st.binary(max_size=40), st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.dictionaries(st.sampled_from(["question", "answer", "solution", "id", "level", "x"]), inner),
).map(lambda value: json.dumps(value).encode())), max_size=5))  # fmt: skip
@settings(max_examples=40)
def test_no_bytes_raise_anything_but_faults(tmp_path_factory: pytest.TempPathFactory, lines: list[bytes]) -> None:
    path = write(tmp_path_factory.getbasetemp() / "any.jsonl", *lines)
    faults = Faults(str(path))
    source = Own.model_validate(own((path, None), demonstration="{x}\n#### {answer}"))
    for row in read_rows(str(path), faults):
        read = own_row(row, "shop", source, None, faults)
        assert read is None or isinstance(read.problem, Problem)
    assert isinstance(str(faults), str)
