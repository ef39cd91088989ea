"""Speaker verification (whether two recordings have the same speaker): the equal error rate over trials.

A trial is a pair of recordings; its score is the cosine similarity of their embeddings, such as those of ``xval embed``. No
model has to be trained on the speakers. The interval is over speakers (Student t, leaving out one speaker at a time).

Source: the equal error rate as in Nagrani, Chung and Zisserman, VoxCeleb, Interspeech 2017.
"""

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import SettingsError, counted
from xval.measures.arrays import equal_error_rate
from xval.measures.statistics.intervals import MOST_LEFT_OUT, Interval, score_interval

MOST_TRIALS = 5_000_000
_MOST_TRIALS_OF_INTERVAL = 50_000_000  # times speakers left out


class Verification(NamedTuple):
    """How well embeddings distinguish speakers.

    Attributes:
        eer: Equal error rate, 0 to 1.
        n_same: Number of trials with the same speaker twice.
        n_different: Number of trials with two speakers.
        interval: 95 % interval over speakers; None: fewer than 3 speakers, or too many trials (minutes).
    """

    eer: float
    n_same: int
    n_different: int
    interval: Interval | None


def verification_eer(embeddings: NDArray[Any], speakers: NDArray[Any], *, most_trials: int = MOST_TRIALS) -> Verification:
    """Return the equal error rate over all pairs of recordings.

    Args:
        embeddings: float (n_recordings, n_numbers).
        speakers: (n_recordings,), the speaker of each recording.
        most_trials: If there are more pairs, about this number is drawn.

    Raises:
        SettingsError: The lengths differ; an embedding is NaN, infinite or all 0; all pairs have the same speaker, or none has.
    """
    embeddings = np.asarray(embeddings, dtype=np.float64)
    lengths = np.linalg.norm(embeddings, axis=1)
    if len(embeddings) != len(speakers) or not (np.isfinite(lengths) & (lengths > 0)).all():
        raise SettingsError(
            f"verification: received {counted(len(embeddings), 'embedding')} and {counted(len(speakers), 'speaker')}; expected "
            "as many of both, and no embedding that is NaN, infinite or 0."
        )
    first, second = _pairs(len(speakers), most_trials)
    codes = np.unique(speakers, return_inverse=True)[1]
    is_same = codes[first] == codes[second]
    n_same = int(is_same.sum())
    if n_same in (0, len(is_same)):
        raise SettingsError(
            f"verification: received {counted(len(speakers), 'recording')} of {counted(len(set(codes.tolist())), 'speaker')}, "
            f"{n_same} of {len(is_same)} pairs with the same speaker; expected some pairs of the same and some of different "
            "speakers."
        )
    units = embeddings / lengths[:, np.newaxis]
    scores = np.concatenate(
        [np.einsum("ij,ij->i", units[first[at : at + 100_000]], units[second[at : at + 100_000]])
         for at in range(0, len(first), 100_000)]
    )  # fmt: skip

    def drawn_rate(drawn: NDArray[np.intp]) -> float:
        kept = np.isin(codes, drawn)
        own = kept[first] & kept[second]
        return equal_error_rate(is_same[own], scores[own]) if 0 < is_same[own].sum() < own.sum() else math.nan

    n_speakers = int(codes.max()) + 1
    is_quick = len(scores) * min(n_speakers, MOST_LEFT_OUT) <= _MOST_TRIALS_OF_INTERVAL
    interval = score_interval(n_speakers, drawn_rate, weights=np.bincount(codes)[np.newaxis]) if is_quick else None
    return Verification(equal_error_rate(is_same, scores), n_same, len(is_same) - n_same, interval)


def _pairs(n_recordings: int, most: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    if n_recordings * (n_recordings - 1) // 2 <= most:
        return np.triu_indices(n_recordings, 1)
    drawn = np.random.default_rng(0).integers(n_recordings, size=(2, most))
    drawn = np.sort(drawn[:, drawn[0] != drawn[1]], axis=0)
    numbers = np.unique(drawn[0] * n_recordings + drawn[1])
    return numbers // n_recordings, numbers % n_recordings
