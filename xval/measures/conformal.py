"""Conformal prediction sets that contain the true class with a requested probability, and selective risk and coverage.

The calibration clips are of speakers to whom the models were not fitted. The risk is the share of wrong predictions among the
share of clips that the model predicts because it is confident.

The unit is the speaker, since clips of one speaker are alike: split conformal prediction for two layers (Dunn, Wasserman and
Ramdas 2018, "Distribution-free prediction sets for two-layer hierarchical models"; Lee, Barber and Willett 2023,
"Distribution-free inference with hierarchical data"). Each of K speakers weighs 1 / (K + 1), shared among its clips, and
1 / (K + 1) is left for a new speaker, who may be worse than all of them. The score of a clip is 1 less the probability of its
true class, which gives the smallest sets on average (Sadinle, Lei and Wasserman 2019). Clips of several models are compared
with what the same model makes of the new clip (cross-conformal prediction, Vovk 2015).
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
    """How badly clips fit their true classes, whose speakers no model was fitted to.

    Attributes:
        scores: float64 (n_clips,), 1 less the probability of the true class.
        items: (n_clips,), the speaker (or other item) of each clip.
        models: int64 (n_clips,), the number of the model that answered it, from 0.
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
        """Return how much of the speakers' weight fits no better than each class of new clips, float64 (n_clips, n_classes).

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
    """What one training answered on tested clips.

    Attributes:
        targets: int64 (n_clips,), class numbers.
        probabilities: float (n_clips, n_classes).
        items: (n_clips,), the speaker of each clip; all trainings are tested on the same speakers.
    """

    targets: NDArray[Any]
    probabilities: NDArray[np.floating]
    items: NDArray[Any]


class RiskCurve(NamedTuple):
    """What is wrong where only the clips with the most probable answers are answered; every speaker counts alike.

    Attributes:
        shares: float64 (n,), of the clips that are answered at least, rising to 1: clips that are equally confident are
            answered together, as from a threshold on.
        risks: float64 (n,), of these the share that is answered wrongly; the mean over trainings.
        low: float64 (n,), the lower end of the 95 % interval as of `score_interval`; NaN: it cannot be estimated.
        high: float64 (n,), its upper end.
    """

    shares: NDArray[np.float64]
    risks: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]

    @property
    def has_interval(self) -> bool:
        """Whether some share of clips has one."""
        return bool(np.isfinite(self.low).any())


def score_classes(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return how badly each class fits, float64 of the same shape."""
    return np.asarray(1 - probabilities.astype(np.float64), np.float64)


def score_clips(targets: NDArray[Any], probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return how badly the true class of each clip fits, float64 (n_clips,)."""
    return np.asarray(score_classes(probabilities)[np.arange(len(targets)), targets], np.float64)


def speakers_needed(coverage: float) -> int:
    """Return how many speakers it takes for sets that leave out any class."""
    return math.ceil(coverage / (1 - coverage) - _ROUNDING)


def largest_coverage(n_speakers: int) -> float:
    """Return the largest coverage, of two digits, for which so many speakers are enough."""
    return n_speakers * 100 // (n_speakers + 1) / 100


def prediction_sets(scores: SpeakerScores, probabilities: NDArray[np.floating], coverage: float) -> NDArray[np.bool_]:
    """Return for new clips which classes are in their sets, bool (n_clips, n_classes); the most probable one always is.

    The sets hold the true class of so many of the clips of new speakers, on average over speakers, or more, where these are as
    the speakers of the scores are. With several models they do by experience; what is proven is weaker, about 2 coverage - 1
    where each speaker has scores of one model (Barber et al. 2021).

    Args:
        scores: Of speakers that no model was fitted to; with fewer than `speakers_needed` the sets hold all classes.
        probabilities: float (n_models, n_clips, n_classes); one model: it is compared with all scores.
        coverage: The share, above 0 and below 1.
    """
    sets = scores.p_values(probabilities) > 1 - coverage + _ROUNDING
    best = probabilities.mean(axis=0).argmax(axis=1)
    sets[np.arange(len(best)), best] = True
    return np.asarray(sets, bool)


def risk_curve(repeats: Sequence[Answers], runs: Sequence[Sequence[int]] = ((0,),)) -> RiskCurve:
    """Return the share of wrong answers over the share of clips that are answered, the most confident first.

    Args:
        repeats: What each training answered.
        runs: Which of them are one training run, whose variance is in the interval where there are several.
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
    """Return the function from how often each speaker is drawn, and shares of clips, to the share of wrong answers."""
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
