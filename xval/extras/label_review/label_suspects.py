"""Clips whose labels may be wrong, by answers of models that have not heard their speakers.

Comes in: the tested clips of an instance, and the index of their corpus. Goes out: `Suspect`s, the most suspect first; and
for each of them clips to compare it with.

1. Confident learning (Northcutt, Jiang and Chuang 2021, JAIR 70) holds the probability of a class against the mean that clips
   with this label have. Here that mean is of a class and a speaker (or other item), shrunk to that of the class where the
   speaker has few clips, and the probability is divided by it: neither a speaker nor a class that is hard to understand is all
   suspects. A clip is suspect where another class has the larger quotient; the score is the logarithm of how many times.
2. Clips with the same or nearly the same audio and another label.
3. All other wrong answers, the surest first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from preprocessing.clips.near_pairs import read_across_items
from preprocessing.corpus import Corpus
from xval.answers.instance_predictions import read_instance_predictions
from xval.answers.item_words import item_word
from xval.base.errors import ResultsError, counted
from xval.base.item_word import ITEM
from xval.measures.calibration import are_probabilities
from xval.results.instance import InstanceResults

if TYPE_CHECKING:
    import pandas as pd

Kind = Literal["label", "duplicate", "answer"]
KINDS: tuple[Kind, ...] = get_args(Kind)
_MOST_REASONS = 3  # of a suspect in words: a recording may lie in a corpus a thousand times

_N_SHRUNK = 10.0  # clips of a speaker and class that weigh as much as the mean of the class
_LEAST = 0.01  # added to probabilities: models do not tell smaller ones apart


class Suspect(NamedTuple):
    """A clip whose label may be wrong.

    Attributes:
        kind: Of its first reason.
        answer: The class that is more likely, or the label of the clip with the same audio.
        why: The reasons, a sentence each.
    """

    clip: str
    item: str
    label: str
    kind: Kind
    answer: str
    why: str


@dataclass(frozen=True)
class AnsweredClips:
    """The clips that an instance has tested, each once; probabilities are the mean over repeats.

    Attributes:
        clips: Their names.
        items: object (n,), whose each clip is.
        labels: int64 (n,), class numbers.
        probabilities: float64 (n, n_classes).
        item: What an item is called, such as speaker.
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
        """The mean probability of each class in clips of the same item that have its label, shrunk; float64 (n, n_classes)."""
        return usual_probabilities(self.labels, self.items, self.probabilities)

    @cached_property
    def suspects(self) -> list[Suspect]:
        """The clips of which another class is more likely than their label, then all other wrong answers."""
        scores, others = score_labels(self.labels, self.probabilities, self.usual)
        rows = np.arange(len(self.labels))
        sure = self.probabilities.max(axis=1) - self.probabilities[rows, self.labels]
        is_wrong = (sure > 0) & (scores <= 0)
        of_labels = [self._suspect(row, "label", others[row]) for row in np.argsort(-scores, kind="stable") if scores[row] > 0]
        answers = self.probabilities.argmax(axis=1)
        return of_labels + [
            self._suspect(row, "answer", answers[row]) for row in np.argsort(-sure, kind="stable") if is_wrong[row]
        ]

    def compare_with(self, suspect: Suspect) -> list[tuple[str, str]]:
        """Return two clips of the same item with the label, then two with the answer, of a suspect: (clip, label).

        They are those that the models are surest of; of other items where the item has none.
        """
        chosen: list[tuple[str, str]] = []
        for name in dict.fromkeys((suspect.label, suspect.answer)):
            if name not in self.class_names:
                continue
            number = self.class_names.index(name)
            of_class = [row for row in np.flatnonzero(self.labels == number) if self.clips[row] != suspect.clip]
            own = [row for row in of_class if self.items[row] == suspect.item] or of_class
            own.sort(key=lambda row: -self.probabilities[row, number])
            chosen += [(self.clips[row], name) for row in own[:2]]
        return chosen

    def _suspect(self, row: int, kind: Kind, other: int) -> Suspect:
        label, answer, item = self.class_names[self.labels[row]], self.class_names[other], str(self.items[row])
        shares = self.probabilities[row, [other, self.labels[row]]]
        usual = self.usual[row, self.labels[row]]
        why = (
            f"Instance {self.instance} gives '{answer}' {shares[0]:.0%} and '{label}' {shares[1]:.0%}; "
            f"clips of {self.item} {item} with the label '{label}' have {usual:.0%} on average."
        )
        return Suspect(self.clips[row], item, label, kind, answer, why)


def usual_probabilities(
    labels: NDArray[np.int64], items: NDArray[np.object_], probabilities: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the mean probability of each class in clips with its label, of the item of each clip; arguments as above."""
    n_classes = probabilities.shape[1]
    names, codes = np.unique(items.astype(str), return_inverse=True)
    own = probabilities[np.arange(len(labels)), labels]
    n_of_class = np.bincount(labels, minlength=n_classes)
    of_class = np.bincount(labels, own, minlength=n_classes) / np.maximum(n_of_class, 1)
    cells, shape = codes * n_classes + labels, (len(names), n_classes)
    n_of_cell = np.bincount(cells, minlength=len(names) * n_classes).reshape(shape)
    sums = np.bincount(cells, own, minlength=len(names) * n_classes).reshape(shape)
    means: NDArray[np.float64] = (sums + _N_SHRUNK * of_class) / (n_of_cell + _N_SHRUNK)
    return means[codes]


def score_labels(
    labels: NDArray[np.int64], probabilities: NDArray[np.float64], usual: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return how suspect each label is, above 0 where another class is more likely; and that class, int64 (n,)."""
    rows = np.arange(len(labels))
    quotients = np.log((probabilities + _LEAST) / (usual + _LEAST))
    own = quotients[rows, labels]
    quotients[rows, labels] = -np.inf
    others = quotients.argmax(axis=1)
    return quotients[rows, others] - own, others


def read_answered(instance: InstanceResults) -> AnsweredClips:
    """Read the tested clips of an instance of a classification.

    Raises:
        ResultsError: Another task, answers that are no probabilities, or predictions that are missing or damaged.
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
    return AnsweredClips(
        instance.number,
        tuple(next(iter(instance.folds.values()))["class_names"]),
        tuple(names.tolist()),
        items[first],
        np.concatenate([tested.targets for tested in repeats])[first].astype(np.int64),
        sums / np.bincount(codes)[:, np.newaxis],
        item_word([instance]),
    )


def find_suspects(answered: AnsweredClips, corpus: Corpus) -> list[Suspect]:
    """Return all suspects of a corpus, each clip once with all its reasons, in the order of `KINDS`.

    Copies are left out, as they are not tested.
    """
    suspects: dict[str, Suspect] = {}
    reasons: dict[str, list[str]] = {}
    for suspect in sorted([*answered.suspects, *_duplicates(corpus)], key=lambda suspect: KINDS.index(suspect.kind)):
        suspects.setdefault(suspect.clip, suspect)
        reasons.setdefault(suspect.clip, []).append(suspect.why)
    return [suspect._replace(why=_describe(reasons[clip])) for clip, suspect in suspects.items()]


def _describe(reasons: Sequence[str]) -> str:
    n_more = len(reasons) - _MOST_REASONS
    return " ".join([*reasons[:_MOST_REASONS], *([f"And {counted(n_more, 'reason')} more."] if n_more > 0 else [])])


def _duplicates(corpus: Corpus) -> list[Suspect]:
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
        for clip, other, label, answer in ((first, second, *labels), (second, first, *reversed(labels))):
            why = f"{other} has {what} and the label '{answer}'."
            suspects.append(Suspect(clip, str(clips["item"][clip]), label, "duplicate", answer, why))
    return suspects


def _pairs_of_one_hash(clips: "pd.DataFrame") -> Sequence[tuple[str, str]]:
    """Return the first clip of each audio that several have, with each of the others."""
    hashes = clips["audio_hash"].dropna()
    groups = hashes[hashes.duplicated(keep=False)].groupby(hashes).groups.values()
    return [(str(group[0]), str(other)) for group in groups for other in group[1:]]
