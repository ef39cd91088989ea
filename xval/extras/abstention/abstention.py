"""When a model should abstain from a prediction: conformal sets of classes per speaker, and the error rate if it abstains.

The validation speakers of all folds calibrate the sets of the test speakers (`xval.measures.conformal`). The calibration for a
test speaker excludes that speaker's own validation clips of other folds. Scores are means over all repeats and seeds, and
intervals include the variance between these.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from xval.answers.item_words import items_word
from xval.answers.training_runs import group_runs, run_of, whole_repeats
from xval.data.clip_average import Averaging
from xval.measures.calibration import are_probabilities
from xval.measures.conformal import Answers, RiskCurve, SpeakerScores, prediction_sets, risk_curve, score_clips, speakers_needed
from xval.measures.statistics.intervals import Interval, mean_interval, score_interval
from xval.results.instance import InstanceResults
from xval.results.tested_examples import TestedExamples, read_examples

COVERAGES = (0.8, 0.9, 0.95)
_MOST_VALUES = 20_000_000  # probabilities; reading more would take minutes


class Value(NamedTuple):
    """A mean over speakers with its 95 % interval, which is None if there are too few speakers."""

    mean: float
    interval: Interval | None


class SetScores(NamedTuple):
    """The scores of conformal sets of classes on test speakers.

    Attributes:
        coverage: The share of clips whose set contains the true class.
        size: The number of classes per set.
        predicted: The share of clips whose set has exactly one class, which the model then predicts.
        error_rate: The share of these clips whose class is not the true one; None if no clip has a prediction.
        by_item: The coverage, size and predicted share of each test speaker, in the order of the speakers' names,
            float64 (n_items, 3).
    """

    coverage: Value
    size: Value
    predicted: Value
    error_rate: Value | None
    by_item: NDArray[np.float64]


class RequestedCoverage(NamedTuple):
    """Conformal sets at a requested coverage.

    Attributes:
        coverage: The share of clips whose set should contain the true class, 0 to 1.
        n_needed: The number of validation speakers that this coverage needs; with fewer, every set contains all classes.
        scores: The scores of the sets on test speakers; None if there are too few validation speakers.
    """

    coverage: float
    n_needed: int
    scores: SetScores | None


class Abstention(NamedTuple):
    """The conformal sets of an instance at several coverages, and its error rate over the share of clips that it predicts.

    Attributes:
        items: The names of the test speakers.
        n_speakers: The number of validation speakers that calibrate the sets, without the test speaker; the smallest number
            of all repeats.
        n_classes: The number of classes of the dataset.
        sets: The sets at each of `COVERAGES`.
        shown: The sets with scores whose requested coverage is nearest to 0.9; None if no sets have scores.
        curve: The error rate over the share of clips that are predicted, the most confident first.
        sentence: A summary of `shown` in words.
    """

    items: tuple[str, ...]
    n_speakers: int
    n_classes: int
    sets: tuple[RequestedCoverage, ...]
    shown: RequestedCoverage | None
    curve: RiskCurve
    sentence: str


def measure_abstention(instance: InstanceResults) -> Abstention | None:
    """Return when an instance should abstain from a prediction.

    Returns:
        None if the instance does not predict one class per clip, its predictions are no probabilities, there are too many of
        them, a predictions.parquet is missing, or no repeat has all its finished folds.

    Raises:
        ResultsError: A predictions.parquet is damaged.
    """
    repeats = whole_repeats(instance)
    if not instance.task.stratifies_classes or instance.task.has_thresholds or not repeats:
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
    calibration = [_calibration_scores(*sides) for sides in zip(validation, tested, strict=True)]
    n_speakers = min(scores.n_items for speakers in calibration for scores in speakers)
    needed = {coverage: speakers_needed(coverage) for coverage in COVERAGES}
    runs = group_runs([run_of(instance, jobs) for jobs in repeats])
    sets = tuple(
        RequestedCoverage(coverage, least, _score_sets(coverage, calibration, tested, runs) if n_speakers >= least else None)
        for coverage, least in needed.items()
    )
    curve = risk_curve([Answers(examples.targets, examples.predictions, examples.items) for examples in tested], runs)
    shown = min((at for at in sets if at.scores), key=lambda at: abs(at.coverage - 0.9), default=None)
    sentence = _describe(shown or sets[0], n_speakers, items_word([instance]), instance.number)
    return Abstention(tested[0].names, n_speakers, len(class_names), sets, shown, curve, sentence)


def _calibration_scores(validation: TestedExamples, tested: TestedExamples) -> list[SpeakerScores]:
    """Return for each test speaker of a repeat the scores of the validation clips of all other speakers."""
    clip_scores = score_clips(validation.targets, validation.predictions)
    scores = SpeakerScores(clip_scores, validation.items, np.zeros(len(clip_scores), np.int64))
    number_of = {name: number for number, name in enumerate(validation.names)}
    return [scores.without(number_of.get(name, -1)) for name in tested.names]


def _score_sets(
    coverage: float,
    calibration: Sequence[Sequence[SpeakerScores]],
    tested: Sequence[TestedExamples],
    runs: Sequence[Sequence[int]],
) -> SetScores:
    """Return the scores of sets at a requested coverage; `runs` are the numbers of the repeats that each training made."""
    by_repeat = np.array([_score_items(coverage, *sides) for sides in zip(calibration, tested, strict=True)])
    by_item = by_repeat.mean(axis=0)
    by_run = np.array([by_repeat[list(run)].mean(axis=0) for run in runs])  # (n_runs, n_items, 4)
    covered, size, predicted, wrong = by_item.T
    run_means = by_run.mean(axis=1).T
    n_classes = tested[0].predictions.shape[1]

    def error_rate(items: NDArray[np.intp]) -> float:
        return _error_rate(wrong[items], predicted[items])

    run_error_rates = [_error_rate(run[:, 3], run[:, 2]) for run in by_run]
    # A run without predictions has no error rate, so that the variance between trainings is unknown.
    has_interval = predicted.any() and np.isfinite(run_error_rates).all()
    interval = (
        score_interval(len(by_item), error_rate, runs=run_error_rates, weights=predicted[np.newaxis]) if has_interval else None
    )
    return SetScores(
        Value(float(covered.mean()), mean_interval(covered, runs=run_means[0])),
        Value(float(size.mean()), mean_interval(size, bounds=(1.0, float(n_classes)), runs=run_means[1])),
        Value(float(predicted.mean()), mean_interval(predicted, runs=run_means[2])),
        Value(_error_rate(wrong, predicted), interval) if predicted.any() else None,
        by_item[:, :3],
    )


def _score_items(coverage: float, calibration: Sequence[SpeakerScores], tested: TestedExamples) -> NDArray[np.float64]:
    """Return the scores of the sets of each test speaker in one repeat, float64 (n_items, 4).

    The columns are the coverage, the classes per set, the share of clips that are predicted, and the share that is predicted
    wrongly.
    """
    by_item = np.empty((len(tested.names), 4))
    for number, (scores, rows) in enumerate(zip(calibration, tested.rows, strict=True)):
        probabilities, targets = tested.predictions[rows], tested.targets[rows]
        sets = prediction_sets(scores, probabilities[np.newaxis], coverage)
        is_covered, is_one = sets[np.arange(len(rows)), targets], sets.sum(axis=1) == 1
        by_item[number] = [is_covered.mean(), sets.sum(axis=1).mean(), is_one.mean(), (is_one & ~is_covered).mean()]
    return by_item


def _error_rate(wrong: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
    """Return the share of predictions that are wrong, from shares per speaker (n_items,); NaN if nothing is predicted."""
    return float(wrong.sum() / predicted.sum()) if predicted.any() else np.nan


def _describe(shown: RequestedCoverage, n_speakers: int, items: str, number: int) -> str:
    """Return a summary of the sets at a requested coverage in words."""
    coverage, n_needed, scores = shown
    if scores is None:
        return (
            f"Sets that hold the true class in {_percent(coverage)} of the clips of an unseen speaker need {n_needed} "
            f"validation {items}; with {n_speakers}, every set has all classes."
        )
    wrong = f" {_share(scores.error_rate)} of its predictions are wrong." if scores.error_rate else ""
    return (
        f"At a coverage of {_percent(coverage)}, instance {number} predicts a single class for {_share(scores.predicted)} of "
        f"the clips of unseen {items} and abstains from the others.{wrong} Its sets contain the true class in "
        f"{_share(scores.coverage)} of the clips and have {scores.size.mean:.1f} classes on average. Which "
        f"classes a set contains was calibrated on the predictions for {n_speakers} validation {items} (conformal prediction)."
    )


def _share(value: Value) -> str:
    """Return a share as a percentage with its interval: ``71 % [60, 80]``."""
    ends = f" [{100 * value.interval.low:.0f}, {100 * value.interval.high:.0f}]" if value.interval else ""
    return _percent(value.mean) + ends


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
