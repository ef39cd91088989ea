"""Conformal prediction sets that contain the true class with a requested probability, and selective risk and coverage.

The calibration clips come from speakers on whom the models were not fitted. The risk is the share of wrong predictions among
the clips for which the model is confident enough to predict.

The unit is the speaker, since clips of one speaker are alike: split conformal prediction for two layers (Dunn, Wasserman and
Ramdas 2018, "Distribution-free prediction sets for two-layer hierarchical models"; Lee, Barber and Willett 2023,
"Distribution-free inference with hierarchical data"). Each of K speakers has the weight 1 / (K + 1), shared among its clips,
and 1 / (K + 1) remains for a new speaker, who may be worse than all of them. The score of a clip is 1 minus the probability of
its true class, which gives the smallest sets on average (Sadinle, Lei and Wasserman 2019). With several models, each
calibration clip is compared with the prediction of the same model for the new clip (cross-conformal prediction, Vovk 2015).
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xval.measures.statistics.intervals import MOST_LEFT_OUT, MOST_VALUES_OF_INTERVAL, score_interval

_ROUNDING = 1e-9
_N_SHARES = 50


@dataclass(frozen=True)
class SpeakerScores:
    """Nonconformity scores of clips for their true classes, from speakers on whom no model was fitted.

    Attributes:
        scores: float64 (n_clips,), 1 minus the probability of the true class.
        items: (n_clips,), the speaker (or other item) of each clip.
        models: int64 (n_clips,), the number of the model that predicted the clip, from 0.
    """

    scores: NDArray[np.float64]
    items: NDArray[Any]
    models: NDArray[np.int64]

    @property
    def n_items(self) -> int:
        """The number of speakers."""
        return len(np.unique(self.items))

    def without(self, item: object) -> "SpeakerScores":
        """Return the scores of all speakers but one."""
        others = self.items != item
        return SpeakerScores(self.scores[others], self.items[others], self.models[others])

    def p_values(self, probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
        """Return the conformal p value of each class of new clips: float64 (n_clips, n_classes).

        Args:
            probabilities: float (n_models, n_clips, n_classes).
        """
        _, item_of, n_clips = np.unique(self.items, return_inverse=True, return_counts=True)
        weights = 1 / n_clips[item_of] / (len(n_clips) + 1)
        p_values = np.full(probabilities.shape[1:], 1 / (len(n_clips) + 1))
        for number, model_scores in enumerate(score_classes(probabilities)):
            rows = np.flatnonzero(self.models == number)
            rows = rows[np.argsort(self.scores[rows])]
            at_least = np.append(np.cumsum(weights[rows][::-1])[::-1], 0.0)
            p_values += at_least[np.searchsorted(self.scores[rows], model_scores - _ROUNDING)]
        return np.asarray(p_values, np.float64)


class Answers(NamedTuple):
    """The predictions of one training on tested clips.

    Attributes:
        targets: int64 (n_clips,), class numbers.
        probabilities: float (n_clips, n_classes).
        items: (n_clips,), the speaker of each clip; all trainings are tested on the same speakers.
    """

    targets: NDArray[Any]
    probabilities: NDArray[np.floating]
    items: NDArray[Any]


class RiskCurve(NamedTuple):
    """The share of wrong predictions if only the most confident ones are given; every speaker has the same weight.

    Attributes:
        shares: float64 (n,), the share of clips with a prediction, increasing to 1; equally confident clips count together, as
            with a threshold.
        risks: float64 (n,), the share of wrong predictions among them, averaged over trainings.
        low: float64 (n,), the lower end of the 95 % interval as from `score_interval`; NaN: it cannot be estimated.
        high: float64 (n,), its upper end.
    """

    shares: NDArray[np.float64]
    risks: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @property
    def has_interval(self) -> bool:
        """Whether some share of clips has an interval."""
        return bool(np.isfinite(self.low).any())


def score_classes(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the nonconformity score of each class, float64 of the same shape."""
    return np.asarray(1 - probabilities.astype(np.float64), np.float64)


def score_clips(targets: NDArray[Any], probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the nonconformity score of the true class of each clip: float64 (n_clips,)."""
    return np.asarray(score_classes(probabilities)[np.arange(len(targets)), targets], np.float64)


def speakers_needed(coverage: float) -> int:
    """Return the number of speakers from which on a prediction set can exclude a class."""
    return math.ceil(coverage / (1 - coverage) - _ROUNDING)


def largest_coverage(n_speakers: int) -> float:
    """Return the largest coverage, with two digits, for which this number of speakers is enough."""
    return n_speakers * 100 // (n_speakers + 1) / 100


def prediction_sets(scores: SpeakerScores, probabilities: NDArray[np.floating], coverage: float) -> NDArray[np.bool_]:
    """Return which classes are in the prediction sets of new clips: bool (n_clips, n_classes); the most probable one always is.

    At least this share of the sets, averaged over new speakers, contains the true class if the new speakers are exchangeable
    with those of the scores. With several models this holds in practice; the proven guarantee is weaker, about 2 coverage - 1
    if each speaker has scores of one model (Barber et al. 2021).

    Args:
        scores: Scores of speakers on whom no model was fitted; with fewer than `speakers_needed` the sets contain all classes.
        probabilities: float (n_models, n_clips, n_classes); a single model is compared with all scores.
        coverage: The share of sets that contain the true class, above 0 and below 1.
    """
    sets = scores.p_values(probabilities) > 1 - coverage + _ROUNDING
    best = probabilities.mean(axis=0).argmax(axis=1)
    sets[np.arange(len(best)), best] = True
    return np.asarray(sets, bool)


def risk_curve(repeats: Sequence[Answers], runs: Sequence[Sequence[int]] = ((0,),)) -> RiskCurve:
    """Return the share of wrong predictions over the share of clips with a prediction, the most confident first.

    Args:
        repeats: The predictions of each training.
        runs: Groups of trainings that are one training run; with several runs the interval includes their variance.
    """
    curves, n_items = [_risks_of(answers) for answers in repeats], len(np.unique(repeats[0].items))
    shares = np.arange(1, _N_SHARES + 1) / _N_SHARES
    known = dict[bytes, NDArray[np.float64]]()  # one set of speakers gives the risks of all shares

    def risks(speakers: NDArray[np.intp]) -> NDArray[np.float64]:
        if (key := speakers.tobytes()) not in known:
            n_drawn = np.bincount(speakers, minlength=n_items)
            known[key] = np.array([repeat_curve(n_drawn, shares) for repeat_curve in curves])  # (n_repeats, n_shares)
        return known[key]

    everyone = risks(np.arange(n_items))
    run_risks = np.array([everyone[run].mean(axis=0) for run in map(list, runs)])
    low, high = np.full((2, _N_SHARES), math.nan)
    if sum(len(answers.targets) for answers in repeats) * min(n_items, MOST_LEFT_OUT) <= MOST_VALUES_OF_INTERVAL:
        for place in range(_N_SHARES):

            def risk(speakers: NDArray[np.intp], place: int = place) -> float:
                return float(risks(speakers)[:, place].mean())

            if interval := score_interval(n_items, risk, runs=run_risks[:, place]):
                low[place], high[place] = interval.low, interval.high
    return RiskCurve(shares, everyone.mean(axis=0), low, high)


def _risks_of(answers: Answers) -> Callable[[NDArray[Any], NDArray[np.float64]], NDArray[np.float64]]:
    """Return a function that gives the share of wrong predictions for counts of drawn speakers and shares of clips."""
    _, item_of, n_clips = np.unique(answers.items, return_inverse=True, return_counts=True)
    sure = answers.probabilities.max(axis=1)
    order = np.argsort(-sure, kind="stable")
    last_alike = np.searchsorted(-sure[order], -sure[order], side="right") - 1
    is_wrong, item_of = (answers.probabilities.argmax(axis=1) != answers.targets)[order], item_of[order]

    def risks(n_drawn: NDArray[Any], shares: NDArray[np.float64]) -> NDArray[np.float64]:
        weights = (n_drawn / n_clips)[item_of]
        answered, wrong = np.cumsum(weights), np.cumsum(weights * is_wrong)
        places = np.minimum(np.searchsorted(answered, shares * answered[-1] * (1 - _ROUNDING)), len(order) - 1)
        places = last_alike[places]
        return np.asarray(wrong[places] / answered[places], np.float64)

    return risks
