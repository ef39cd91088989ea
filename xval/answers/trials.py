"""Describe the hyperparameter search of an instance: the tried and the chosen settings of each fold, from its records."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from xval.answers.item_words import items_word
from xval.answers.names import name_instances
from xval.answers.score_text import rounded
from xval.answers.summary import metric_words
from xval.base.errors import counted
from xval.results.instance import InstanceResults
from xval.settings.space import option_text


@dataclass(frozen=True)
class FoldTrials:
    """The search of one fold.

    Attributes:
        chosen: Number of the trial with whose settings the fold trains.
        values: The settings of that trial, by name.
        score: The validation score of that trial.
        score_name: The name of that score in texts: ``validation loss``.
        maximised: Whether a higher score is better.
        importance: The share of the variance of the scores that each setting explains (fANOVA); empty: too few trials.
        trials: number, values, state, score, epochs and seconds of each trial.
    """

    fold: int
    chosen: int
    values: Mapping[str, Any]
    score: float
    score_name: str
    maximised: bool
    importance: Mapping[str, float]
    trials: Sequence[Mapping[str, Any]]

    def count(self, state: str) -> int:
        """Return the number of trials with a state: complete, pruned, diverged or failed."""
        return sum(trial["state"] == state for trial in self.trials)


def fold_trials(instance: InstanceResults) -> list[FoldTrials]:
    """Return the searches of the finished folds of an instance, by fold; empty without a search."""
    return [
        FoldTrials(
            int(record["fold"]),
            int(search["trial"]),
            search["values"],
            float(search["score"]),
            f"validation {metric_words(search['monitor'].removeprefix('val_'), [instance])}",
            bool(search["maximised"]),
            search["importance"],
            search["trials"],
        )
        for record in instance.folds.values()
        if (search := record.get("search"))
    ]


def mean_importance(searches: Sequence[FoldTrials]) -> dict[str, float]:
    """Return the importance of each setting, the mean over the folds where it is known, the largest first."""
    names = dict.fromkeys(name for search in searches for name in search.importance)
    means = {name: fmean(search.importance[name] for search in searches if name in search.importance) for name in names}
    return dict(sorted(means.items(), key=lambda pair: -pair[1]))


def describe_search(instance: InstanceResults) -> str:
    """Return the caveats on the scores of an instance with a hyperparameter search; empty for other instances."""
    searches = fold_trials(instance)
    if not searches:
        return ""
    (score,) = rounded(fmean(search.score for search in searches))
    n_trials = max(len(search.trials) for search in searches)
    called, items = name_instances([instance.number], [instance]), items_word([instance])
    return (
        f"The settings of {called} were searched separately in each fold ({counted(n_trials, 'trial')}), on {items} that the "
        f"fold does not test. The chosen trials reach {searches[0].score_name} {score} on the {items} that chose them, which "
        "is optimistically biased; the test scores are not, because they are nested."
    )


def value_text(value: object) -> str:
    """Return the value of a setting for tables, numbers with four digits."""
    return f"{value:z.4g}" if isinstance(value, float) else option_text(value)
