"""In more than half of the folds the chosen value is in the outer 5 % of its range.

That is on the scale from which it was drawn.
"""

import math
from collections.abc import Iterator
from contextlib import suppress

from xval.answers.trials import fold_trials, value_text
from xval.answers.variants import Variants
from xval.base.errors import SettingsError
from xval.base.findings import Finding, Rule
from xval.results.instance import InstanceResults
from xval.settings.space import Interval, SearchPlan

_NEAR_EDGE = 0.05  # of a range: what is drawn evenly is there once in twenty times
FINDING = Finding.coded(
    __name__,
    "The best {where}{more:?; the same holds for {more} more}.",
    "Widen the range in search(), where the setting allows it, because a better value may be outside it.",
)


@Rule(22, FINDING)
def _find(variants: Variants) -> Iterator[Finding]:
    concerned = [(instance.number, text) for instance in variants.done for text in _at_edges(instance)]
    if concerned:
        yield FINDING.fill([number for number, _ in concerned], where=concerned[0][1], more=len(concerned) - 1)


def _at_edges(instance: InstanceResults) -> Iterator[str]:
    searches, plan = fold_trials(instance), instance.parameters.get("search")
    if not searches or not plan:
        return
    space = {}
    with suppress(SettingsError):  # of an edited settings.json: not known
        space = dict(SearchPlan.from_text(str(plan)).space)
    for name, drawn in space.items():
        if not isinstance(drawn, Interval):
            continue
        places = [_place(drawn, search.values[name]) for search in searches if name in search.values]
        for edge, word, n_there in (
            (drawn.low, "lowest", sum(place <= _NEAR_EDGE for place in places)),
            (drawn.high, "highest", sum(place >= 1 - _NEAR_EDGE for place in places)),
        ):
            if 2 * n_there > len(places):
                shown = value_text(int(edge) if drawn.whole else float(edge))
                where = f"is near the {word} value searched, {shown} ({n_there} of {len(places)} folds)"
                yield f"{name} of variant {instance.number} {where}"


def _place(drawn: Interval, value: float) -> float:
    """Return the position of a value in its range, 0 to 1, on the scale from which it was drawn."""
    low, high, value = (math.log(number) if drawn.log else float(number) for number in (drawn.low, drawn.high, value))
    return (value - low) / (high - low)
