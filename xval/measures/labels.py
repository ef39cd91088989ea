"""Match the labels of new data with the classes or targets of a model, and find labels that the model does not know."""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from preprocessing.clips.label_sets import SEPARATOR, multi_hot, split_labels
from preprocessing.clips.notation import composed, notation_key
from xval.base.errors import CorpusError, SettingsError, counted, first_of, suggestion
from xval.base.operating_system import quote

if TYPE_CHECKING:
    import pandas as pd

_N_SHOWN = 10


class LabelledData(Protocol):
    """Clips or recordings with their labels; `xval.reuse.new_data.labelled_clips.LabelledClips` implements it."""

    @property
    def name(self) -> str:
        """A name for messages."""

    @property
    def table(self) -> "pd.DataFrame":
        """A row per clip: clip, item, label, or columns of targets."""

    @property
    def annotations(self) -> "pd.DataFrame | None":
        """clip, start_s, end_s, label, annotator of each event, for recordings with events."""

    @property
    def target_columns(self) -> Mapping[str, str]:
        """The columns of the targets by name; ``{"label": "label"}`` for a single one."""


class MatchedLabels(NamedTuple):
    """The labels of new data as class numbers.

    Attributes:
        targets: int64 (n_labels,), class numbers; -1 where the model does not know the label.
        unknown: The unknown labels with their counts, most frequent first.
        lacking: The classes that do not occur.
    """

    targets: NDArray[np.int64]
    unknown: dict[str, int]
    lacking: tuple[str, ...]


class TrueLabels(NamedTuple):
    """The targets of labelled data in the form of a model's outputs.

    Attributes:
        targets: The targets of all clips in the form for metrics, or `AnnotatedRecordings` for recordings; None: the input is
            the target.
        kept: bool (n_clips,), the clips on which the model can be tested.
        matched: The labels of all clips; None: there are none.
        reasons: The reason for which each clip is skipped if it is not kept.
    """

    targets: Any
    kept: NDArray[np.bool_]
    matched: MatchedLabels | None = None
    reasons: Sequence[str] = ()


def read_renames(pairs: Iterable[str]) -> dict[str, str]:
    """Parse ``FROM=TO`` of the command line; raise an error if a label is renamed twice."""
    renames: dict[str, str] = {}
    for pair in pairs:
        before, equals, after = (composed(part).strip() for part in pair.partition("="))
        if not before or not equals or not after:
            raise SettingsError(f"--rename {pair}: expected LABEL=CLASS, such as --rename Dog=dog")
        if renames.setdefault(before, after) != after:
            raise SettingsError(f"--rename {pair}: '{before}' is already renamed to '{renames[before]}'.")
    return renames


def match_labels(labels: Sequence[str], class_names: Sequence[str], renames: Mapping[str, str]) -> MatchedLabels:
    """Return the class number of each label; `renames` maps labels of the data to classes of the model."""
    for before, after in renames.items():
        if before not in labels:
            raise SettingsError(
                f"--rename {before}={after}: the data have no label '{before}'. {suggestion(before, set(labels))}"
            )
        if after not in class_names:
            raise SettingsError(
                f"--rename {before}={after}: the model has no class '{after}'. {suggestion(after, class_names)}"
            )
    numbers = {name: number for number, name in enumerate(class_names)}
    targets = np.array([numbers.get(renames.get(label, label), -1) for label in labels], np.int64)
    names, counts = np.unique(np.asarray(labels, dtype=object)[targets < 0].astype(str), return_counts=True)
    order = np.argsort(-counts, kind="stable")
    unknown = {str(names[number]): int(counts[number]) for number in order}
    if labels and not (targets >= 0).any():
        listed = first_of(describe_unknown(unknown, class_names), 3, "; ")
        raise CorpusError(f"None of the labels is a class of the model ({', '.join(class_names)[:300]}): {listed}.")
    occurring = set(targets.tolist())
    lacking = tuple(name for number, name in enumerate(class_names) if number not in occurring)
    return MatchedLabels(targets, unknown, lacking)


def match_label_sets(
    texts: Sequence[str], class_names: Sequence[str], renames: Mapping[str, str]
) -> tuple[MatchedLabels, NDArray[np.float32]]:
    """Return `match_labels` of all labels of all clips, and the labels of each clip: float32 (n_clips, n_classes).

    Each text has all labels of a clip, joined by ``;``. Labels that the model does not know are ignored.
    """
    labels = [split_labels(text) for text in texts]
    matched = match_labels([label for clip_labels in labels for label in clip_labels], class_names, renames)
    renamed = ([renames.get(label, label) for label in clip_labels] for clip_labels in labels)
    known = [SEPARATOR.join(label for label in clip_labels if label in class_names) for clip_labels in renamed]
    return matched, multi_hot(known, class_names)


def describe_unknown(unknown: Mapping[str, int], class_names: Sequence[str]) -> list[str]:
    """Return a line for each unknown label, with a similar class and the option to rename the label."""
    lines = []
    for label, count in list(unknown.items())[:_N_SHOWN]:
        near = near_class(label, class_names)
        advice = f"; did you mean '{near}'? --rename {quote(f'{label}={near}')}" if near else ""
        lines.append(f"'{label}' ({count}){advice}")
    if len(unknown) > _N_SHOWN:
        lines.append(f"and {counted(len(unknown) - _N_SHOWN, 'more label')} ({sum(list(unknown.values())[_N_SHOWN:])})")
    return lines


def near_class(label: str, class_names: Sequence[str]) -> str | None:
    """Return the class that differs from a label only in notation or a few letters."""
    plain = {notation_key(name): name for name in class_names}
    if notation_key(label) in plain:
        return plain[notation_key(label)]
    close = get_close_matches(notation_key(label), plain, n=1, cutoff=0.8)
    return plain[close[0]] if close else None


def match_targets(data: LabelledData, target_names: Sequence[str]) -> NDArray[np.float32]:
    """Return the target values in the order of a regression model, float32 (n_clips, n_targets)."""
    columns = data.target_columns
    if len(columns) == 1 and len(target_names) == 1:
        return data.table[list(columns.values())].to_numpy(np.float32)
    lacking = [name for name in target_names if name not in columns]
    if lacking:
        raise CorpusError(
            f"{data.name}: has no numbers for the model's target '{lacking[0]}'. It has: {', '.join(columns)}; expected the "
            f"columns {', '.join(f'label:{name}' for name in target_names)}."
        )
    return data.table[[columns[name] for name in target_names]].to_numpy(np.float32)
