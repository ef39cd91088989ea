"""When a model should not answer: coverage and size of its sets of classes by speaker, and how many of its answers are wrong.

Comes in: an instance with its predictions.parquet files. Goes out: a `WhenToAnswer`.

Validation speakers of all folds set the limits of the sets (`xval.measures.conformal`) of those that are tested, each without
its own validation clips of other folds. Of several deals and seeds all count: values are means over them, and intervals hold
what they change.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xval.answers.deals import group_runs
from xval.answers.item_words import items_word
from xval.answers.whole_repeats import seed_of, whole_repeats
from xval.data.clip_average import Averaging
from xval.measures.calibration import are_probabilities
from xval.measures.conformal import Answers, RiskCurve, SpeakerScores, prediction_sets, risk_curve, score_clips, speakers_needed
from xval.measures.statistics.intervals import Interval, figure_interval, mean_interval
from xval.results.instance import InstanceResults
from xval.results.tested_examples import TestedExamples, read_examples

COVERAGES = (0.8, 0.9, 0.95)
_MOST_VALUES = 20_000_000  # probabilities that are read


class Value(NamedTuple):
    """A mean over speakers with its 95 % interval; None: too few speakers."""

    mean: float
    interval: Interval | None


class Worth(NamedTuple):
    """What sets were worth on tested speakers.

    Attributes:
        covered: The share of clips whose set holds the true class.
        size: Classes in a set.
        answered: The share of clips whose set is one class.
        wrong: The share of these whose class is another one; None: no clip has an answer.
        by_item: For each tested speaker, in the order of their names, covered, size and answered, float64 (n_items, 3).
    """

    covered: Value
    size: Value
    answered: Value
    wrong: Value | None
    by_item: NDArray[np.float64]


class SetsAt(NamedTuple):
    """Sets of a wanted coverage; `n_needed` are the validation speakers that it takes, with fewer they are worth nothing."""

    coverage: float
    n_needed: int
    worth: Worth | None


class WhenToAnswer(NamedTuple):
    """Sets of an instance at several coverages, and what is wrong over what is answered.

    Attributes:
        items: The tested speakers.
        n_speakers: Validation speakers that set the limits, without the tested one; of several repeats the fewest.
        n_classes: Of the corpus.
        shown: Of the sets that are worth something those whose coverage is nearest to 0.9; None: there are none.
        sentence: The same in words.
    """

    items: tuple[str, ...]
    n_speakers: int
    n_classes: int
    sets: tuple[SetsAt, ...]
    shown: SetsAt | None
    curve: RiskCurve
    sentence: str


def when_to_answer(instance: InstanceResults) -> WhenToAnswer | None:
    """Return when an instance should answer; None: it does not tell classes of clips apart, or no repeat is whole.

    Raises:
        ResultsError: A predictions.parquet is damaged.
    """
    repeats = whole_repeats(instance)
    if not instance.task.deals_classes or instance.task.has_thresholds or not repeats:
        return None
    class_names = next(iter(instance.folds.values()))["class_names"]
    records = [instance.done[key] for jobs in repeats for key in jobs.values()]
    files = [{fold: instance.predictions_file(key) for fold, key in jobs.items()} for jobs in repeats]
    n_examples = sum(record["n_examples"][side] for record in records for side in ("validation", "test"))
    if n_examples * len(class_names) > _MOST_VALUES or not all(path.is_file() for paths in files for path in paths.values()):
        return None
    averaging = Averaging(instance.settings.clip_average)
    validation, tested = (
        [read_examples(instance.task, paths, class_names, averaging, side) for paths in files]
        for side in ("validation", "test")
    )
    if not all(are_probabilities(examples.predictions) for examples in (*validation, *tested)):
        return None
    others = [_scores_of_others(*of_repeat) for of_repeat in zip(validation, tested, strict=True)]
    n_speakers = min(of_others.n_items for of_repeat in others for of_others in of_repeat)
    needed = {coverage: speakers_needed(coverage) for coverage in COVERAGES}
    runs = group_runs([list(jobs) for jobs in repeats], [seed_of(instance, jobs) for jobs in repeats])
    sets = tuple(
        SetsAt(coverage, least, _worth(coverage, others, tested, runs) if n_speakers >= least else None)
        for coverage, least in needed.items()
    )
    curve = risk_curve([Answers(examples.targets, examples.predictions, examples.items) for examples in tested], runs)
    shown = min((at for at in sets if at.worth), key=lambda at: abs(at.coverage - 0.9), default=None)
    sentence = _describe(shown or sets[0], n_speakers, items_word([instance]), instance.number)
    return WhenToAnswer(tested[0].names, n_speakers, len(class_names), sets, shown, curve, sentence)


def _scores_of_others(validation: TestedExamples, tested: TestedExamples) -> list[SpeakerScores]:
    """Return for each tested speaker the scores of the validation clips of all others, in one repeat."""
    of_clips = score_clips(validation.targets, validation.predictions)
    scores = SpeakerScores(of_clips, validation.items, np.zeros(len(of_clips), np.int64))
    number_of = {name: number for number, name in enumerate(validation.names)}
    return [scores.without(number_of.get(name, -1)) for name in tested.names]


def _worth(
    coverage: float,
    others: Sequence[Sequence[SpeakerScores]],
    tested: Sequence[TestedExamples],
    runs: Sequence[Sequence[int]],
) -> Worth:
    of_repeats = np.array([_by_item(coverage, *of_repeat) for of_repeat in zip(others, tested, strict=True)])
    by_item = of_repeats.mean(axis=0)
    by_run = np.array([of_repeats[list(run)].mean(axis=0) for run in runs])  # (n_runs, n_items, 4)
    covered, size, answered, wrong = by_item.T
    of_runs = by_run.mean(axis=1).T
    n_classes = tested[0].predictions.shape[1]

    def wrong_of_answered(items: NDArray[np.intp]) -> float:
        return _share_of(wrong[items], answered[items])

    wrong_by_run = [_share_of(of_run[:, 3], of_run[:, 2]) for of_run in by_run]
    # A run that answers nothing has no share of wrong answers, so that what training anew changes is not known.
    has_interval = answered.any() and np.isfinite(wrong_by_run).all()
    interval = (
        figure_interval(len(by_item), wrong_of_answered, runs=wrong_by_run, weights=answered[np.newaxis])
        if has_interval
        else None
    )
    return Worth(
        Value(float(covered.mean()), mean_interval(covered, runs=of_runs[0])),
        Value(float(size.mean()), mean_interval(size, bounds=(1.0, float(n_classes)), runs=of_runs[1])),
        Value(float(answered.mean()), mean_interval(answered, runs=of_runs[2])),
        Value(_share_of(wrong, answered), interval) if answered.any() else None,
        by_item[:, :3],
    )


def _by_item(coverage: float, others: Sequence[SpeakerScores], tested: TestedExamples) -> NDArray[np.float64]:
    """Return covered, size, answered, and answered wrongly, of each tested speaker in one repeat, float64 (n_items, 4)."""
    by_item = np.empty((len(tested.names), 4))
    for number, (of_others, rows) in enumerate(zip(others, tested.rows, strict=True)):
        probabilities, targets = tested.predictions[rows], tested.targets[rows]
        sets = prediction_sets(of_others, probabilities[np.newaxis], coverage)
        is_covered, is_one = sets[np.arange(len(rows)), targets], sets.sum(axis=1) == 1
        by_item[number] = [is_covered.mean(), sets.sum(axis=1).mean(), is_one.mean(), (is_one & ~is_covered).mean()]
    return by_item


def _share_of(wrong: NDArray[np.float64], answered: NDArray[np.float64]) -> float:
    """Return the share of answers that are wrong; NaN: nothing is answered."""
    return float(wrong.sum() / answered.sum()) if answered.any() else np.nan


def _describe(shown: SetsAt, n_speakers: int, items: str, number: int) -> str:
    """Return what sets of a coverage are worth in words."""
    coverage, n_needed, worth = shown
    if worth is None:
        return (
            f"Sets that hold the true class in {_percent(coverage)} of the clips of an unseen speaker need {n_needed} "
            f"validation {items}; with {n_speakers}, every set has all classes."
        )
    wrong = f" {_share(worth.wrong)} of its predictions are wrong." if worth.wrong else ""
    return (
        f"At a coverage of {_percent(coverage)}, instance {number} predicts a single class for {_share(worth.answered)} of "
        f"the clips of unseen {items} and abstains from the others.{wrong} Its sets contain the true class in "
        f"{_share(worth.covered)} of the clips and have {worth.size.mean:.1f} classes on average. Which "
        f"classes a set contains was calibrated on the predictions for {n_speakers} validation {items} (conformal prediction)."
    )


def _share(value: Value) -> str:
    """Return a share as ``71 % [60, 80]``."""
    ends = f" [{100 * value.interval.low:.0f}, {100 * value.interval.high:.0f}]" if value.interval else ""
    return _percent(value.mean) + ends


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
