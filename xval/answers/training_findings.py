"""What was given too little: epochs, the range of a search, or the network beside an estimator.

Comes in: instances with finished folds. Goes out: `Finding`s, with the setting to change.
"""

import math
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress

from xval.answers.figure_text import rounded
from xval.answers.finding import Finding, make_finding
from xval.answers.names import name_instances
from xval.answers.summary import direction, has_windows, metric_words, side_name
from xval.answers.trials import fold_trials, value_text
from xval.base.errors import SettingsError, first_of
from xval.base.numbers import finite_or_nan
from xval.results.instance import InstanceResults
from xval.settings.architectures import ENSEMBLE, trains_network
from xval.settings.classical import CLASSICAL
from xval.settings.finding_codes import Code
from xval.settings.space import Interval, SearchPlan

_MOST_NAMED = 3
_NEAR_EDGE = 0.05  # of a range: what is drawn evenly lies there once in twenty times


def last_epoch(done: Sequence[InstanceResults]) -> Finding | None:
    """Say of which networks the best epoch is the last one in at least half of the jobs.

    Not known of those that keep the last epoch whatever it is (``restore_best_weights = false``), nor of those that diverged.
    """
    concerned: dict[int, str] = {}
    for instance in done:
        if not (_is_network(instance) and instance.parameters.get("restore_best_weights", True)):
            continue
        whole = [record for record in instance.done.values() if not record.get("diverged")]
        ended = [(record.get("best_epoch"), record.get("epochs")) for record in whole]
        is_last = [best == epochs for best, epochs in ended if best and epochs]
        if is_last and 2 * sum(is_last) >= len(is_last):
            concerned[instance.number] = f"{instance.number} ({sum(is_last)}/{len(is_last)})"
    if not concerned:
        return None
    return make_finding(Code.LAST_EPOCH, "", concerned, listed=_list(concerned.values()))


def _list(texts: Collection[str]) -> str:
    """Return ``variant 2 (1/6)``, or ``variants 2 (1/6), 3 (2/6)``."""
    return f"variant{'s' * (len(texts) > 1)} {first_of(texts, _MOST_NAMED)}"


def diverged(done: Sequence[InstanceResults]) -> Finding | None:
    """Say which jobs ended because the loss or a weight was NaN or infinite; their models are those of an earlier epoch."""
    concerned = {
        instance.number: (sum(bool(record.get("diverged")) for record in instance.done.values()), len(instance.done))
        for instance in done
    }
    listed = {number: f"{number} ({n_jobs}/{n_done})" for number, (n_jobs, n_done) in concerned.items() if n_jobs}
    if not listed:
        return None
    return make_finding(Code.DIVERGED, "", listed, listed=_list(listed.values()))


def edge_of_search(done: Sequence[InstanceResults]) -> Finding | None:
    """Say which settings a search has chosen at one end of their range in more than half of the folds."""
    concerned = [(instance.number, text) for instance in done for text in _at_edges(instance)]
    if not concerned:
        return None
    more = len(concerned) - 1
    more_words = f"; the same holds for {more} more" * bool(more)
    numbers = dict.fromkeys(number for number, _ in concerned)
    return make_finding(Code.EDGE_OF_SEARCH, "", numbers, where=concerned[0][1], more=more_words)


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
    """Return where a value lies in its range, 0 to 1, on the scale that it was drawn from."""
    low, high, value = (math.log(number) if drawn.log else float(number) for number in (drawn.low, drawn.high, value))
    return (value - low) / (high - low)


def failed_parts(done: Sequence[InstanceResults]) -> Finding | None:
    """Say what jobs could do without and has failed."""
    concerned = {
        instance.number: parts
        for instance in done
        if (parts := [part for record in instance.done.values() for part in (record.get("failed_parts") or {}).items()])
    }
    if not concerned:
        return None
    part, _ = next(iter(concerned.values()))[0]
    more = f" and {n_more} more" if (n_more := sum(map(len, concerned.values())) - 1) else ""
    return make_finding(Code.FAILED_PARTS, "", concerned, who=name_instances(concerned, done), part=part, more=more)


def below_estimator(done: Sequence[InstanceResults]) -> Finding | None:
    """Say which networks have a worse main validation figure than the best estimator on the same folds.

    Not the loss, for estimators are calibrated; not test figures, which choose nothing.
    """
    side = "clip_validation" if has_windows(done) else "validation"
    metric = done[0].task.main_metrics[0]
    sign = 1 if direction(done, metric) else -1
    means = {instance.number: _signed_mean(instance, side, metric, sign) for instance in done}
    known = [instance for instance in done if math.isfinite(means[instance.number])]
    estimators = [instance for instance in known if instance.settings.architecture in CLASSICAL]
    best = max(estimators, key=lambda instance: (len(instance.folds), means[instance.number]), default=None)
    if best is None:
        return None
    worse = [
        instance.number
        for instance in known
        if _is_network(instance) and instance.folds.keys() == best.folds.keys() and means[instance.number] < means[best.number]
    ]
    if not worse:
        return None
    reached = sign * max(means[number] for number in worse)
    whose = (
        f"The network {name_instances(worse, done)} is"
        if len(worse) == 1
        else f"The networks of {name_instances(worse, done)} are"
    )
    value, of_best = rounded(reached, sign * means[best.number])
    values = f"{value}{' at best' if len(worse) > 1 else ''} against {of_best}"
    return make_finding(
        Code.BELOW_ESTIMATOR,
        "",
        worse,
        Networks=whose,
        best=name_instances([best.number], done),
        metric=f"{side_name(side, done)} {metric_words(metric)}",
        values=values,
    )


def _signed_mean(instance: InstanceResults, side: str, metric: str, sign: int) -> float:
    """Return a mean over folds, of which more is better; NaN: there is none."""
    return sign * finite_or_nan(instance.over_folds(side, metric)["mean"])


def _is_network(instance: InstanceResults) -> bool:
    name = instance.settings.architecture
    return trains_network(name) and name != ENSEMBLE
