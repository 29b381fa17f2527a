"""The mathematics of a comparison: what does not depend on sides, order or units, and what is refused."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from invented_results import results

from proofline.comparison.compare import Comparison, Measured, compare
from proofline.comparison.pairing import ItemsDifferError, pair
from proofline.comparison.results import ComparisonError, Item, Results
from proofline.comparison.show import as_json, as_text

shares = st.sampled_from([0.0, 1.0, 0.5, 0.25, math.nan])
rows = st.lists(st.tuples(shares, shares, st.sampled_from("abcdefgh")), min_size=2, max_size=40)


def measured(a: Results, b: Results) -> Measured:
    (one,) = compare(pair([a], [b])).measured
    return one


def same(one: float, other: float) -> bool:
    return one == pytest.approx(other, nan_ok=True, abs=1e-9)


@given(rows)
def test_swapping_the_sides_turns_the_difference_round_and_keeps_p(rows: list[tuple[float, float, str]]) -> None:
    first, second, clusters = zip(*rows, strict=True)
    a, b = results("a", {"m": first}, clusters), results("b", {"m": second}, clusters)
    if not any(math.isfinite(x) for x in (*first, *second)):
        return
    there, back = measured(a, b), measured(b, a)
    assert same(there.difference.value, -back.difference.value)
    assert same(there.difference.low, -back.difference.high)
    assert same(there.difference.high, -back.difference.low)
    assert same(there.p_value, back.p_value)
    assert same(there.smallest_shown, back.smallest_shown)
    assert same(there.excluded_a, back.excluded_b)
    assert (there.a_better, there.b_better, there.ties) == (back.b_better, back.a_better, back.ties)


@given(rows, st.randoms(use_true_random=False))
def test_the_order_of_items_does_not_matter(rows: list[tuple[float, float, str]], random: object) -> None:
    first, second, clusters = zip(*rows, strict=True)
    a, b = results("a", {"m": first}, clusters), results("b", {"m": second}, clusters)
    keys = list(a.items)
    random.shuffle(keys)  # type: ignore[attr-defined]
    shuffled = dataclasses.replace(
        a,
        items={key: a.items[key] for key in keys},
        metrics={"m": {key: a.metrics["m"][key] for key in reversed(keys)}},
    )
    before, after = compare(pair([a], [b])), compare(pair([shuffled], [b]))
    assert repr(before.measured) == repr(after.measured)
    assert before.clusters == after.clusters


@given(rows, st.data())
def test_an_item_that_one_side_lacks_is_refused_by_its_text(
    rows: list[tuple[float, float, str]], data: st.DataObject
) -> None:
    first, second, clusters = zip(*rows, strict=True)
    a, b = results("ours", {"m": first}, clusters), results("theirs", {"m": second}, clusters)
    gone = data.draw(st.sampled_from(sorted(b.items)))
    fewer = dataclasses.replace(b, items={key: item for key, item in b.items.items() if key != gone})
    with pytest.raises(ItemsDifferError) as refused:
        pair([a], [fewer])
    assert f"1 only in ours:\n      question {gone}" in str(refused.value)
    assert "0 only in theirs" in str(refused.value)
    with pytest.raises(ItemsDifferError):
        pair([fewer], [a])


def test_a_refusal_counts_all_that_differs_and_shows_the_first() -> None:
    a, b = results("a", {"m": [1.0] * 9}), results("b", {"m": [1.0] * 4})
    with pytest.raises(ItemsDifferError, match=r"4 in both\n  5 only in a:(\n .*){3}\n .*… and 2 more\n  0 only in b"):
        pair([a], [b])


def test_seeds_of_one_side_are_about_the_same_items_too() -> None:
    with pytest.raises(ItemsDifferError, match="seed 1 and seed 2"):
        pair([results("seed 1", {"m": [1.0, 0.0]}), results("seed 2", {"m": [1.0]})], [results("b", {"m": [1.0, 0.0]})])


def test_no_metric_in_common_is_refused_with_those_there_are() -> None:
    with pytest.raises(ComparisonError, match="a has acc; b has exact_match"):
        pair([results("a", {"acc": [1.0]})], [results("b", {"exact_match": [1.0]})])


def test_a_metric_of_one_side_and_one_without_numbers_are_said() -> None:
    a = results("a", {"m": [1.0, 0.0], "only": [1.0, 1.0], "empty": [math.nan] * 2})
    found = pair([a], [results("b", {"m": [0.0, 0.0], "empty": [math.nan] * 2})])
    assert found.metrics == ("m",)
    assert "only is on one side only, and is not compared" in found.notes
    assert "empty has no number for any item, and is not compared" in found.notes


def test_items_without_a_value_are_left_out_and_counted() -> None:
    one = measured(
        results("a", {"m": [1.0, math.nan, 0.0, 1.0, 1.0]}), results("b", {"m": [0.0, 1.0, 0.0, math.nan, 1.0]})
    )
    assert one.left_out == 2
    assert (one.a, one.b) == (pytest.approx(2 / 3), pytest.approx(1 / 3))
    assert one.a_better + one.b_better + one.ties == 3


def test_several_metrics_are_corrected_by_holm() -> None:
    better, worse = [1.0] * 12, [0.0] * 12
    a = results("a", {"one": better, "two": [1.0] * 6 + [0.0] * 6, "three": worse})
    b = results("b", {"one": worse, "two": worse, "three": worse})
    found = {one.metric: one for one in compare(pair([a], [b])).measured}
    assert found["one"].p_holm == pytest.approx(3 * found["one"].p_value)
    assert found["two"].p_holm == pytest.approx(2 * found["two"].p_value)
    assert found["three"].p_holm == 1.0
    assert as_json(compare(pair([a], [b])))["tests"] == 3


def test_kin_tells_less_than_as_many_items_on_their_own() -> None:
    first, second = [1.0] * 12 + [0.0] * 12, [0.0] * 9 + [1.0] * 3 + [0.0] * 12
    alone = measured(results("a", {"m": first}), results("b", {"m": second}))
    kin = [str(number // 6) for number in range(24)]
    related = measured(results("a", {"m": first}, kin), results("b", {"m": second}, kin))
    assert related.difference.value == pytest.approx(alone.difference.value)
    assert related.p_value > alone.p_value
    assert related.difference.low < alone.difference.low


@given(rows, st.floats(2.0, 1000.0))
def test_what_is_no_share_is_told_in_its_own_unit(rows: list[tuple[float, float, str]], unit: float) -> None:
    first, second, clusters = zip(*rows, strict=True)
    values = [x for pair_ in zip(first, second, strict=True) for x in pair_ if math.isfinite(x)]
    if not values or max(values) < 1 or min(values) > 0:
        return
    both = [math.isfinite(x) and math.isfinite(y) for x, y in zip(first, second, strict=True)]
    if not any(both):
        return
    # Both ends of the span, so that the shares are divided by one.
    a, b = (
        results(n, {"m": [*column, 0.0, 1.0]}, [*clusters, "y", "z"]) for n, column in (("a", first), ("b", second))
    )
    larger = [
        dataclasses.replace(one, metrics={"m": {key: unit * value for key, value in one.metrics["m"].items()}})
        for one in (a, b)
    ]
    plain, scaled = measured(a, b), measured(*larger)
    assert not scaled.is_share
    assert scaled.difference.value == pytest.approx(unit * plain.difference.value, abs=1e-9, nan_ok=True)
    assert scaled.difference.low == pytest.approx(unit * plain.difference.low, abs=1e-6 * unit, nan_ok=True)
    assert scaled.p_value == pytest.approx(plain.p_value, nan_ok=True)


def seeded() -> Comparison:
    a = [results(f"a{n}", {"m": [1.0, 1.0, float(n == 0), 0.0]}) for n in range(3)]
    b = [results(f"b{n}", {"m": [0.0, 1.0, 0.0, float(n == 2)]}) for n in range(3)]
    return compare(pair(a, b))


def test_seeds_are_averaged_item_by_item_and_their_spread_is_told() -> None:
    (one,) = seeded().measured
    assert one.seeds_a == (0.75, 0.5, 0.5)
    assert one.seeds_b == (0.25, 0.25, 0.5)
    assert one.a == pytest.approx(7 / 12)
    assert one.difference.value == pytest.approx(one.over_seeds.value) == pytest.approx(1 / 4)
    # Welch by hand: s^2 / n = 1 / 144 on each side, 4 degrees of freedom.
    assert one.over_seeds.high - one.over_seeds.value == pytest.approx(2.7764 * math.sqrt(2 / 144), rel=1e-4)
    assert "m by seed: A 75.0%, 50.0%, 50.0%; B 25.0%, 25.0%, 50.0%" in as_text(seeded())


def test_one_seed_says_nothing_of_others() -> None:
    one = measured(results("a", {"m": [1.0, 0.0]}), results("b", {"m": [0.0, 0.0]}))
    assert math.isnan(one.over_seeds.low)


def test_a_shown_effect_and_one_that_is_not_are_worded_apart() -> None:
    text = as_text(compare(pair([results("a", {"m": [1.0] * 40})], [results("b", {"m": [0.0] * 30 + [1.0] * 10})])))
    assert "**m: A is higher** by 75.0 points" in text
    text = as_text(
        compare(pair([results("a", {"m": [1.0, 0.0] * 20})], [results("b", {"m": [1.0, 0.0] * 19 + [0.0, 0.0]})]))
    )
    assert "m: no difference shown" in text
    assert "an advantage of A above" in text
    assert "or more with 80% chance" in text


def test_prompts_that_differ_are_told_and_not_refused() -> None:
    a, b = results("a", {"m": [1.0, 0.0]}), results("b", {"m": [1.0, 1.0]})
    put = [
        dataclasses.replace(one, items={key: Item(item.text, item.cluster, prompt) for key, item in one.items.items()})
        for one, prompt in ((a, "chat"), (b, "plain"))
    ]
    assert any(
        note.startswith("2 items put to the sides in different prompts") for note in pair(put[:1], put[1:]).notes
    )
