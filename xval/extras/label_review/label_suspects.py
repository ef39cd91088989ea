"""Find clips whose labels may be wrong (label noise), from predictions of models that were not trained on their speakers.

Suspicious labels are found in three ways:

1. Confident learning (Northcutt, Jiang and Chuang 2021, JAIR 70) compares the probability of a class with its mean over the
   clips with this label. Here the mean is computed per class and speaker (or other item), and shrunk to the mean of the class
   if the speaker has few clips. The probability is divided by this mean, so that not all clips of a difficult speaker or class
   are suspicious. A label is suspicious if another class has a larger quotient. The score is the logarithm of their ratio.
2. Clips with the same or nearly the same audio have different labels.
3. All other wrong predictions, the most confident first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, NamedTuple, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from preprocessing.clips.near_pairs import read_across_items
from preprocessing.corpus import Corpus
from xval.answers.instance_predictions import read_instance_predictions
from xval.answers.item_words import item_word
from xval.base.errors import ResultsError, counted
from xval.base.item_word import ITEM
from xval.measures.calibration import are_probabilities
from xval.results.instance import InstanceResults

Kind = Literal["label", "duplicate", "answer"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_MOST_REASONS = 3  # that are printed: a dataset may have a thousand copies of a recording

_N_SHRUNK = 10.0  # with so many clips, a speaker's mean has the same weight as the mean of the class
_LEAST = 0.01  # added to probabilities: models do not distinguish smaller ones


class Suspect(NamedTuple):
    """A clip whose label may be wrong.

    Attributes:
        clip: The name of the clip.
        item: The name of its speaker (or other item).
        label: Its label in the dataset.
        kind: The kind of the first reason: ``label`` (confident learning), ``duplicate`` or ``answer`` (wrong prediction).
        answer: The class that is more likely, or the label of the clip with the same audio.
        why: The reasons, one sentence each.
    """

    clip: str
    item: str
    label: str
    kind: Kind
    answer: str
    why: str


@dataclass(frozen=True)
class PredictedClips:
    """The test clips of an instance, each once, with predicted probabilities averaged over repeats.

    Attributes:
        instance: The number of the instance.
        class_names: The names of the classes, in the order of the probabilities.
        clips: The names of the n clips.
        items: object (n,), the name of the speaker (or other item) of each clip.
        labels: int64 (n,), the number of the class that each clip is labelled with.
        probabilities: float64 (n, n_classes), the predicted probability of each class.
        item: The word for an item of this dataset, such as speaker.
    """

    instance: int
    class_names: tuple[str, ...]
    clips: tuple[str, ...]
    items: NDArray[np.object_]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float64]
    item: str = ITEM

    @cached_property
    def usual(self) -> NDArray[np.float64]:
        """Mean probability of each class over the clips of the same item with this label, shrunk; float64 (n, n_classes)."""
        return usual_probabilities(self.labels, self.items, self.probabilities)

    @cached_property
    def suspects(self) -> list[Suspect]:
        """Clips with suspicious labels, the highest score first; then all other wrong predictions, the most confident first."""
        scores, others = score_labels(self.labels, self.probabilities, self.usual)
        rows = np.arange(len(self.labels))
        margins = self.probabilities.max(axis=1) - self.probabilities[rows, self.labels]
        is_wrong = (margins > 0) & (scores <= 0)
        by_label = [self._suspect(row, "label", others[row]) for row in np.argsort(-scores, kind="stable") if scores[row] > 0]
        predicted = self.probabilities.argmax(axis=1)
        return by_label + [
            self._suspect(row, "answer", predicted[row]) for row in np.argsort(-margins, kind="stable") if is_wrong[row]
        ]

    def compare_with(self, suspect: Suspect) -> list[tuple[str, str]]:
        """Return clips to compare a suspicious clip with, as pairs of clip and label.

        They are two clips with the label of the suspicious clip, then two with the class that is more likely. The most
        confident predictions of the same item are chosen, or those of other items if this item has none.
        """
        chosen: list[tuple[str, str]] = []
        for name in dict.fromkeys((suspect.label, suspect.answer)):
            if name not in self.class_names:
                continue
            number = self.class_names.index(name)
            class_rows = [row for row in np.flatnonzero(self.labels == number) if self.clips[row] != suspect.clip]
            item_rows = [row for row in class_rows if self.items[row] == suspect.item] or class_rows
            item_rows.sort(key=lambda row: -self.probabilities[row, number])
            chosen += [(self.clips[row], name) for row in item_rows[:2]]
        return chosen

    def _suspect(self, row: int, kind: Kind, other: int) -> Suspect:
        """Return the clip of a row as suspicious, because the class number `other` is more likely than its label."""
        label, likely, item = self.class_names[self.labels[row]], self.class_names[other], str(self.items[row])
        shares = self.probabilities[row, [other, self.labels[row]]]
        usual = self.usual[row, self.labels[row]]
        why = (
            f"Instance {self.instance} gives '{likely}' {shares[0]:.0%} and '{label}' {shares[1]:.0%}; "
            f"clips of {self.item} {item} with the label '{label}' have {usual:.0%} on average."
        )
        return Suspect(self.clips[row], item, label, kind, likely, why)


def usual_probabilities(
    labels: NDArray[np.int64], items: NDArray[np.object_], probabilities: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the mean probability of each class over the clips with this label, of the item of each clip, shrunk.

    Args:
        labels: int64 (n,), the number of the class that each clip is labelled with.
        items: object (n,), the name of the item of each clip.
        probabilities: float64 (n, n_classes), the predicted probability of each class.

    Returns:
        float64 (n, n_classes); a mean over few clips is shrunk to the mean over the clips of all items with this label.
    """
    n_classes = probabilities.shape[1]
    names, codes = np.unique(items.astype(str), return_inverse=True)
    own = probabilities[np.arange(len(labels)), labels]
    n_per_class = np.bincount(labels, minlength=n_classes)
    class_means = np.bincount(labels, own, minlength=n_classes) / np.maximum(n_per_class, 1)
    cells, shape = codes * n_classes + labels, (len(names), n_classes)
    n_per_cell = np.bincount(cells, minlength=len(names) * n_classes).reshape(shape)
    sums = np.bincount(cells, own, minlength=len(names) * n_classes).reshape(shape)
    means: NDArray[np.float64] = (sums + _N_SHRUNK * class_means) / (n_per_cell + _N_SHRUNK)
    return means[codes]


def score_labels(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64], usual: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Score how suspicious each label is, by confident learning.

    Args:
        labels: int64 (n,), the number of the class that each clip is labelled with.
        probabilities: float64 (n, n_classes), the predicted probability of each class.
        usual: float64 (n, n_classes), the means that `usual_probabilities` returns.

    Returns:
        Scores, float64 (n,), above 0 if another class is more likely than the label; and the most likely other class,
        int64 (n,).
    """
    rows = np.arange(len(labels))
    quotients = np.log((probabilities + _LEAST) / (usual + _LEAST))
    own = quotients[rows, labels]
    quotients[rows, labels] = -np.inf
    others = quotients.argmax(axis=1)
    return quotients[rows, others] - own, others


def read_predicted_clips(instance: InstanceResults) -> PredictedClips:
    """Read the test clips of an instance with their predictions.

    Raises:
        ResultsError: The task is not classification, the predictions are no probabilities, or they are missing or damaged.
    """
    if instance.task.name != "classification":
        raise ResultsError(
            f"{instance.experiment.path}: only labels of classification can be reviewed; received {instance.task.name}. "
            "xval report shows the worst predictions of any task."
        )
    repeats = read_instance_predictions(instance).repeats
    predictions = np.concatenate([tested.predictions for tested in repeats]).astype(np.float64)
    if not are_probabilities(predictions):
        raise ResultsError(
            f"{instance.experiment.path}: the predictions of instance {instance.number} are not probabilities, which are "
            "needed to find suspicious labels. Give another instance."
        )
    names, first, codes = np.unique(
        np.concatenate([tested.clips for tested in repeats]).astype(str), return_index=True, return_inverse=True
    )
    items = np.concatenate([np.array(tested.names, object)[tested.items] for tested in repeats])
    sums = np.zeros((len(names), predictions.shape[1]))
    np.add.at(sums, codes, predictions)
    return PredictedClips(
        instance.number,
        tuple(next(iter(instance.folds.values()))["class_names"]),
        tuple(names.tolist()),
        items[first],
        np.concatenate([tested.targets for tested in repeats])[first].astype(np.int64),
        sums / np.bincount(codes)[:, np.newaxis],
        item_word([instance]),
    )


def find_suspects(predicted: PredictedClips, corpus: Corpus) -> list[Suspect]:
    """Return all clips of a dataset with suspicious labels, each once with all its reasons, in the order of `KINDS`.

    Augmented copies are excluded because they are not tested.
    """
    suspects: dict[str, Suspect] = {}
    reasons: dict[str, list[str]] = {}
    for suspect in sorted([*predicted.suspects, *_duplicates(corpus)], key=lambda suspect: KINDS.index(suspect.kind)):
        suspects.setdefault(suspect.clip, suspect)
        reasons.setdefault(suspect.clip, []).append(suspect.why)
    return [suspect._replace(why=_describe(reasons[clip])) for clip, suspect in suspects.items()]


def _describe(reasons: Sequence[str]) -> str:
    """Return up to three reasons as one text, and the number of further ones."""
    n_more = len(reasons) - _MOST_REASONS
    return " ".join([*reasons[:_MOST_REASONS], *([f"And {counted(n_more, 'reason')} more."] if n_more > 0 else [])])


def _duplicates(corpus: Corpus) -> list[Suspect]:
    """Return both clips of each pair with the same or nearly the same audio and different labels."""
    clips = corpus.index[~corpus.index["augmented"]].set_index("clip")
    pairs = [(*pair, "the same audio") for pair in _pairs_of_one_hash(clips)]
    near = read_across_items(corpus.folder, corpus.index_hash)
    if near is not None:
        alike = near[["clip", "other_clip", "likeness"]].itertuples(index=False)
        pairs += [(first, second, f"nearly the same audio ({share:.0%} alike)") for first, second, share in alike]
    suspects = []
    for first, second, what in pairs:
        labels = [str(clips["label"][clip]) for clip in (first, second)]
        if labels[0] == labels[1]:
            continue
        for clip, other, label, other_label in ((first, second, *labels), (second, first, *reversed(labels))):
            why = f"{other} has {what} and the label '{other_label}'."
            suspects.append(Suspect(clip, str(clips["item"][clip]), label, "duplicate", other_label, why))
    return suspects


def _pairs_of_one_hash(clips: pd.DataFrame) -> Sequence[tuple[str, str]]:
    """Return pairs of clips with the same audio: the first clip of each audio_hash with each of the others."""
    hashes = clips["audio_hash"].dropna()
    groups = hashes[hashes.duplicated(keep=False)].groupby(hashes).groups.values()
    return [(str(group[0]), str(other)) for group in groups for other in group[1:]]
