"""Rows that stay on the disk: what they give is what is in the file, whole, in parts, in other processes."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest

from proofline.records import Demonstration
from proofline.storage.records import RecordError, write_records
from proofline.storage.rows import Aside, ById, Each, Rows, write_rows


def row(number: int) -> Demonstration:
    text = "é\u2028\r\n" * number
    return Demonstration(id=f"d{number}", problem_id=f"p{number}", question="?", solution=text, style="worked")


MANY = [row(number) for number in range(7)]


@pytest.fixture
def rows(tmp_path: Path) -> Rows[Demonstration]:
    return write_rows(tmp_path / "rows.jsonl", iter(MANY), Demonstration)


def test_a_file_is_the_sequence_of_its_rows(rows: Rows[Demonstration]) -> None:
    assert (list(rows), len(rows), rows[3], rows[-1]) == (MANY, 7, MANY[3], MANY[-1])
    assert list(rows[2:5]) == MANY[2:5]
    assert list(rows[2:5][1:]) == MANY[3:5]
    assert rows[1:][0] == MANY[1]
    with pytest.raises(IndexError):
        rows[7]


def test_what_travels_are_the_rows(rows: Rows[Demonstration]) -> None:
    pairs = Each(lambda one, number: (one.id, number), rows, range(7))
    assert pickle.loads(pickle.dumps(rows[2:4])) == MANY[2:4]
    assert pickle.loads(pickle.dumps(pairs[5:])) == [("d5", 5), ("d6", 6)]
    assert pickle.loads(pickle.dumps(ById(rows))) == {one.id: one for one in MANY}


def test_rows_by_another_field(rows: Rows[Demonstration]) -> None:
    found = ById(rows, "problem_id")
    assert (found["p4"], len(found), list(found)) == (MANY[4], 7, [one.problem_id for one in MANY])
    assert "p9" not in found


def test_what_has_to_be_as_long_is_as_long(rows: Rows[Demonstration]) -> None:
    with pytest.raises(RecordError, match="7 and 6 rows where there is one to each"):
        Each(lambda one, other: one, rows, MANY[1:])


def test_a_bad_row_and_a_missing_file_are_named(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="no such file"):
        Rows(tmp_path / "none.jsonl", Demonstration)
    path = tmp_path / "rows.jsonl"
    write_records(path, MANY[:2])
    path.write_text(path.read_text() + "{}\n")
    rows = Rows(path, Demonstration)
    with pytest.raises(RecordError, match=r"rows.jsonl:3: not a Demonstration"):
        list(rows[1:])


def test_what_is_put_aside_comes_back_in_any_order_and_leaves_nothing(tmp_path: Path) -> None:
    with Aside(tmp_path, Demonstration) as aside:
        places = [aside.put(one) for one in MANY]
        assert [aside[place] for place in reversed(places)] == MANY[::-1]
        late = aside.put(MANY[0])
        assert (aside[late], aside[places[6]]) == (MANY[0], MANY[6])
        assert not list(tmp_path.iterdir()), "a crash leaves nothing behind"
