"""What a paired comparison would have seen: the smallest difference that its test finds with a given chance.

Said next to every "no difference shown", so that little evidence does not read as evidence of little. It is a property
of the design (how many trials, how often the two disagree), not of the difference that was found: power at the found
difference only restates the p-value (Hoenig and Heisey 2001).
"""

from __future__ import annotations

import math

from scipy.special import stdtrit

POWER = 0.8


def smallest_difference(
    discordant: float, trials: float, degrees: float, level: float = 0.05, power: float = POWER
) -> float:
    """Difference of shares that a two-sided test at `level` shows with chance `power`; NaN where none is large enough.

    `discordant`: share of trials in which the two differ, `trials`: independent ones that these are worth,
    `degrees` of freedom of their variance. Connor (1987), solved for the difference, with Student's quantiles for the
    normal ones. The better one wins so much more often, and loses as often as without a difference.
    """
    if not (trials > 0 and degrees > 0):
        return math.nan
    test, chance = float(stdtrit(degrees, 1 - level / 2)), float(stdtrit(degrees, power))

    def seen(difference: float) -> bool:
        spread = min(1.0, discordant + difference)
        needed = test * math.sqrt(spread) + chance * math.sqrt(max(spread - difference**2, 0.0))
        return difference * math.sqrt(trials) >= needed

    if not seen(1.0):
        return math.nan
    low, high = 0.0, 1.0
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (low, middle) if seen(middle) else (middle, high)
    return high
