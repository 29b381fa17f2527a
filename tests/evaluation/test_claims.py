"""Words follow the statistics: an effect is named only where interval and test both show it."""

from math import nan
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proofline.config.schema import ABLATION
from proofline.evaluation.claims import attribution, effect, is_shown, p_words, percent, points
from proofline.evaluation.statistics import Estimate, Paired, sign_flip, tango
from proofline.evaluation.study import KINDS, OVERALL, Change, adjusted

cases = st.tuples(st.integers(0, 80), st.integers(0, 80), st.integers(0, 500)).filter(lambda c: sum(c) > 0)


def result(value: float, low: float, high: float, p_value: float, detectable: float = 0.0421) -> Paired:
    return Paired(Estimate(value, low, high), p_value, 0, 0, 0, detectable)


def test_an_effect() -> None:
    better = effect("+SFT", "base", "greedy accuracy", result(0.081, 0.042, 0.12, 1e-5), 0.95)
    assert better == "**+SFT beats base** in greedy accuracy: +8.1 points (95% CI +4.2 to +12.0, p < 0.001)."
    worse = effect("+SFT", "base", "greedy accuracy", result(-0.081, -0.12, -0.042, 0.0123), 0.9)
    assert worse == "**+SFT loses to base** in greedy accuracy: −8.1 points (90% CI −12.0 to −4.2, p = 0.012)."


def test_noise_is_not_an_effect() -> None:
    words = effect("+SFT+DPO", "+SFT", "greedy accuracy", result(-0.005, -0.031, 0.02, 0.7), 0.95)
    assert words == (
        "No difference shown between +SFT+DPO and +SFT in greedy accuracy: −0.5 points (95% CI −3.1 to +2.0, "
        "p = 0.70); a loss of more than 3.1 points is excluded; one of 4.2 points would have been shown with 80% power."
    )
    words = effect("a", "b", "c", result(0.5, nan, nan, 1.0, detectable=nan), 0.95)
    assert words.endswith("p = 1.00); too few clusters to show any.")


@pytest.mark.parametrize(
    "doubtful",
    [
        result(0.03, 0.001, 0.06, 0.07),  # the interval says yes, the test no
        result(0.03, -0.001, 0.06, 0.04),  # the other way round
        result(0.0, nan, nan, 1.0),
        result(nan, nan, nan, nan),
    ],
)
def test_what_is_doubtful_or_undefined_is_not_shown(doubtful: Paired) -> None:
    assert not is_shown(doubtful, 0.95)
    assert effect("a", "b", "c", doubtful, 0.95).startswith("No difference shown")


@given(cases)
def test_a_claim_has_the_sign_of_its_difference(cells: tuple[int, int, int]) -> None:
    wins, losses, ties = cells
    p_value = sign_flip([1] * wins + [-1] * losses + [0] * ties)
    paired = Paired(tango(wins, losses, wins + losses + ties, 0.95), p_value, wins, losses, ties)
    words = effect("a", "b", "c", paired, 0.95)
    assert ("beats" in words) == (is_shown(paired, 0.95) and wins > losses)
    assert ("loses to" in words) == (is_shown(paired, 0.95) and wins < losses)


@pytest.mark.parametrize(("alone", "beside"), [(0.031, 0.013), (0.05, -0.02), (nan, nan)])
def test_what_the_genrm_stage_does_is_split_into_solutions_and_traces(alone: float, beside: float) -> None:
    """Bold where an effect is shown; the parts may have opposite signs."""
    parts = [
        change("dpo", ABLATION, result(alone, alone - 0.01, alone + 0.01, 1e-5)),
        change(ABLATION, "genrm", result(beside, beside - 0.03, beside + 0.03, 0.4)),
    ]
    whole = change("dpo", "genrm", result(alone + beside, -0.1, 0.1, 0.5))
    words = attribution(SimpleNamespace(changes=(whole,), parts=tuple(parts), confidence=0.95), "sampled")  # type: ignore[arg-type]
    assert words.startswith(f"The GenRM stage's {points(alone + beside)} points in accuracy of single samples are ")
    assert ("**" in words) == ("p < 0.001; not shown" not in words) == (alone == alone)
    if alone == 0.031:
        assert words.endswith(
            "**+3.1 by its right solutions alone** (95% CI +2.1 to +4.1, p < 0.001) and "
            "+1.3 by its traces beside them (95% CI −1.7 to +4.3, p = 0.40; not shown; "
            "one of 4.2 points would have been shown with 80% power)."
        )


def change(before: str, policy: str, overall: Paired) -> Change:
    p_values = dict.fromkeys(KINDS, overall.p_value)
    return Change(policy, before, {OVERALL: overall}, {OVERALL: overall}, p_values)


def test_what_is_shown_alone_may_not_be_among_others() -> None:
    """0.01 among nine that are larger is worth 0.09; the smallest of ten is worth ten times as much."""
    weak = Change("sft", "base", *({OVERALL: result(0.03, 0.01, 0.05, p_value)} for p_value in (0.01, 1e-6)))
    others = [Change("dpo", "sft", *[{OVERALL: result(0.0, -0.1, 0.1, 0.7)}] * 2) for _ in range(4)]
    first, *rest = adjusted([weak, *others])
    assert is_shown(weak.greedy[OVERALL], 0.95)
    assert first.claim("greedy").p_value == pytest.approx(0.09)
    assert not is_shown(first.claim("greedy"), 0.95)
    assert is_shown(first.claim("sampled"), 0.95)
    assert first.claim("sampled").p_value == pytest.approx(1e-5)
    assert all(change.claim(kind).p_value == 1 for change in rest for kind in KINDS)
    assert first.claim("greedy").difference == weak.greedy[OVERALL].difference


def test_a_caveat_takes_the_headline_away_and_nothing_else() -> None:
    better, worse = result(0.081, 0.042, 0.12, 1e-5), result(-0.081, -0.12, -0.042, 1e-5)
    words = effect("a", "b", "c", better, 0.95, "for no good reason")
    assert words == "a beats b in c: +8.1 points (95% CI +4.2 to +12.0, p < 0.001); for no good reason."
    assert effect("a", "b", "c", worse, 0.95, "for no good reason") == effect("a", "b", "c", worse, 0.95)


def test_numbers() -> None:
    assert [points(x) for x in (0.081, -0.005, -0.0001, 0.0, nan)] == ["+8.1", "−0.5", "0.0", "0.0", "—"]
    assert [p_words(p) for p in (0.0004, 0.0123, 0.5, nan)] == ["p < 0.001", "p = 0.012", "p = 0.50", "p undefined"]
    assert percent(Estimate(0.4821, 0.4411, 0.5224)) == "48.2 [44.1, 52.2]"
    assert percent(Estimate(1.0, nan, nan)) == "100.0 [—, —]"
    assert percent(Estimate(nan, nan, nan)) == "—"
