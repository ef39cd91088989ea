"""Predict labelled clips with a saved model, and evaluate the predictions.

Comes in: a model, labelled clips, and what to do about labels and clips that do not fit. Goes out: an `Outcome`.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from preprocessing.clips.listing import shorten
from preprocessing.parallel import Progress
from xval.base.errors import AudioError, CorpusError, SettingsError
from xval.reuse.new_data import frames
from xval.reuse.new_data.figures import PROBABILITY, Figures, measure_clips
from xval.reuse.new_data.labelled_clips import LabelledClips, add_hashes
from xval.reuse.new_data.labels import MatchedLabels, describe_unknown, match_label_sets, match_labels, match_targets
from xval.reuse.new_data.seen import Seen, describe_seen, find_seen

if TYPE_CHECKING:
    from xval.reuse.inference import SavedModel

Watch: TypeAlias = Callable[[str], AbstractContextManager[Progress]]
"""Makes a progress bar with a title; see `preprocessing.console.progress_bar`."""

_FEWEST_CLIPS = 3  # with fewer there are no intervals
# So many clips are predicted at a time, so that progress shows.
_CLIPS_AT_ONCE = 512


@dataclass(frozen=True)
class Choices:
    """The user's options for clips and labels that do not fit.

    Attributes:
        renames: From labels of the data to classes of the model.
        leave_out_seen: Leave out clips that the model has seen.
        annotation_policy: How annotations are combined; None: as in training.
        n_processes: Processes that decode audio.
    """

    renames: Mapping[str, str]
    leave_out_seen: bool = False
    annotation_policy: str | None = None
    n_processes: int = 1


@dataclass(frozen=True)
class Outcome:
    """The result of an evaluation.

    Attributes:
        figures: Of the evaluated clips.
        clips: Those clips.
        seen: Which of them the model has seen.
        unknown_labels: Labels that the model does not know, with their counts.
        lacking_classes: Classes of the model that do not occur as labels.
        left_out: path, item, reason of the other clips.
        warnings: What limits the figures.
    """

    figures: Figures
    clips: LabelledClips
    seen: Seen
    unknown_labels: dict[str, int]
    lacking_classes: tuple[str, ...]
    left_out: pd.DataFrame
    warnings: tuple[str, ...]


class _Labelled(NamedTuple):
    """Clips with their targets."""

    clips: LabelledClips
    targets: NDArray[Any] | None
    annotated: frames.AnnotatedRecordings | None
    labels: MatchedLabels | None


def evaluate_on(model: "SavedModel", clips: LabelledClips, choices: Choices, watch: Watch) -> Outcome:
    """Predict clips and evaluate the predictions.

    Raises:
        CorpusError: No label is a class of the model, or the model has seen all clips, which are left out.
        SettingsError: A renamed label does not occur or its class is unknown; the annotation policy is unknown.
        AudioError: No clip can be read.
        ResultsError: seen_audio.npy is damaged.
    """
    _check_kind(model, clips)
    labelled, without_label = _match(model, clips, choices)
    with watch("Reading") as progress:
        hashed, unreadable = add_hashes(labelled.clips, n_processes=choices.n_processes, progress=progress)
    if not len(hashed):
        raise AudioError(f"None of the {len(unreadable)} clips can be read. {unreadable['path'][0]}: {unreadable['reason'][0]}")
    labelled = _keep(labelled, labelled.clips.table["clip"].isin(hashed.table["clip"]).to_numpy())._replace(clips=hashed)
    seen = find_seen(hashed, model.members, model.descriptions)
    about_seen = describe_seen(hashed, seen, n_members=len(model.members), left_out=choices.leave_out_seen)
    left_out = [without_label, unreadable]
    if choices.leave_out_seen and seen.either.any():
        if seen.either.all():
            raise CorpusError(
                f"{clips.name}: all {len(hashed)} clips were in the training side of {model.path}, so that none is left. Give "
                "other data; or of an ensemble the fold that was not trained on them."
            )
        left_out.append(_rows(hashed, seen.either, "seen by the model"))
        labelled, seen = _keep(labelled, ~seen.either), seen.keep(~seen.either)
    with watch("Predicting") as progress:
        figures, answered, unanswered, n_cut = _measure(model, labelled, seen, progress)
    left_out.append(unanswered)
    labels = labelled.labels
    return Outcome(
        figures=figures,
        clips=labelled.clips.keep(answered),
        seen=seen.keep(answered),
        unknown_labels=labels.unknown if labels else {},
        lacking_classes=labels.lacking if labels else (),
        left_out=pd.concat(left_out, ignore_index=True),
        warnings=(
            *_warnings(model, about_seen, labels, len(unreadable) + len(unanswered), n_cut),
            *_warn_of_items(labelled.clips.keep(answered)),
        ),
    )


def _check_kind(model: "SavedModel", clips: LabelledClips) -> None:
    """Refuse ready features for a model of audio, and the other way round."""
    is_custom = clips.features is not None
    if is_custom != model.description.is_custom:
        kinds = {True: "features that a script made", False: "audio"}
        raise CorpusError(f"{clips.name}: holds {kinds[is_custom]}, and {model.path} reads {kinds[not is_custom]}.")


def _match(model: "SavedModel", clips: LabelledClips, choices: Choices) -> tuple[_Labelled, pd.DataFrame]:
    """Return the clips whose labels the model knows, and the others."""
    everything = np.ones(len(clips), bool)
    if model.description.frames is not None:
        policy = choices.annotation_policy or model.description.frames.annotation_policy
        annotated = frames.read_annotations(clips, model.class_names, policy, choices.renames)
        kept = clips.table["clip"].isin(annotated.known).to_numpy()
        labelled = _Labelled(clips, None, annotated, annotated.labels)
        return _keep(labelled, kept), _rows(clips, ~kept, f"not annotated ({policy})")
    if choices.annotation_policy is not None:
        raise SettingsError("--annotation-policy: is for models that label frames.")
    if model.description.task.has_clip_classes:
        labels = clips.table["label"].tolist()
        matched = match_labels(labels, model.class_names, choices.renames)
        kept = matched.targets >= 0
        return _keep(_Labelled(clips, matched.targets, None, matched), kept), _rows(
            clips, ~kept, "no class of the model: ", labels
        )
    if model.description.task.has_clip_labels:
        matched, of_labels = match_label_sets(clips.table["label"].tolist(), model.class_names, choices.renames)
        return _Labelled(clips, of_labels, None, matched), _rows(clips, ~everything, "")
    if choices.renames:
        raise SettingsError(f"--rename: is for classes; {model.path} does {model.task_type}.")
    has_numbers = model.description.task.has_clip_numbers
    targets = match_targets(clips, model.target_names or ("0",)) if has_numbers else None
    return _Labelled(clips, targets, None, None), _rows(clips, ~everything, "")


def _measure(
    model: "SavedModel", labelled: _Labelled, seen: Seen, progress: Progress
) -> tuple[Figures, NDArray[np.bool_], pd.DataFrame, int]:
    """Return the figures, bool (n_clips,) the predicted clips, the others, and how many clips were cut."""
    clips = labelled.clips
    if labelled.annotated is not None:
        return (*_measure_recordings(model, clips, labelled.annotated, progress), 0)
    tables: list[pd.DataFrame] = []
    reasons = [""] * len(clips)
    for first in range(0, len(clips), _CLIPS_AT_ONCE):
        numbers = range(first, min(first + _CLIPS_AT_ONCE, len(clips)))
        table = model.predict([clips.audio(number) for number in numbers], skip_unreadable=True)
        for left_out in table.attrs["left_out"]:
            reasons[first + left_out.number] = left_out.reason
        if len(table):
            tables.append(table)
        progress(numbers.stop, len(clips))
    answered = _answered(clips, reasons)
    kept = clips.keep(answered)
    figures = measure_clips(
        kept.table.assign(seen=seen.keep(answered).words),
        pd.concat(tables, ignore_index=True),
        None if labelled.targets is None else labelled.targets[answered],
        task_type=model.task_type,
        class_names=model.class_names,
        target_names=model.target_names or ("0",),
        thresholds=model.thresholds,
    )
    n_cut = sum(int(table.attrs["cut"]) for table in tables)
    return figures, answered, _rows(clips, ~answered, "", reasons), n_cut


def _measure_recordings(
    model: "SavedModel", clips: LabelledClips, annotated: frames.AnnotatedRecordings, progress: Progress
) -> tuple[Figures, NDArray[np.bool_], pd.DataFrame]:
    """Likewise for recordings, which are predicted one by one, since they may be hours long."""
    description = model.description
    settings, sample_rate_hz = description.frames, description.feature_settings.sample_rate_hz
    if settings is None:
        raise ValueError(f"{model.path} labels no frames")
    columns = [f"{PROBABILITY}{name}" for name in model.class_names]
    recordings, probabilities, reasons = [], [], [""] * len(clips)
    for number, (item, clip) in enumerate(clips.table[["item", "clip"]].itertuples(index=False)):
        try:
            answers = model.predict([clips.audio(number)], per="segment")[columns].to_numpy(np.float32)
        except AudioError as error:
            reasons[number] = str(error)
        else:
            made = frames.label_frames(item, clip, annotated, len(answers), model.class_names, settings, sample_rate_hz)
            recordings.append(made)
            probabilities.append(answers)
        progress(number + 1, len(clips))
    answered = _answered(clips, reasons)
    return (
        frames.measure_frames(recordings, probabilities, model.class_names, settings, sample_rate_hz),
        answered,
        _rows(clips, ~answered, "", reasons),
    )


def _answered(clips: LabelledClips, reasons: list[str]) -> NDArray[np.bool_]:
    answered = np.array([not reason for reason in reasons])
    if not answered.any():
        raise AudioError(f"None of the {len(clips)} clips can be read. {reasons[0]}")
    return answered


def _keep(labelled: _Labelled, kept: NDArray[np.bool_]) -> _Labelled:
    targets = None if labelled.targets is None else labelled.targets[kept]
    return labelled._replace(clips=labelled.clips.keep(kept), targets=targets)


def _rows(clips: LabelledClips, chosen: NDArray[np.bool_], reason: str, details: list[str] | None = None) -> pd.DataFrame:
    """Return path, item and reason of some clips."""
    table = clips.table[["path", "item"]].assign(reason=[f"{reason}{detail}" for detail in details or [""] * len(clips)])
    return table[chosen].reset_index(drop=True)


def _warnings(
    model: "SavedModel", about_seen: list[str], labels: MatchedLabels | None, n_unreadable: int, n_cut: int
) -> list[str]:
    lines = list(about_seen)
    if labels and labels.unknown:
        counted = "events" if model.description.frames is not None else "clips"
        counted = "labels of clips" if model.description.task.has_clip_labels else counted
        listed = "; ".join(describe_unknown(labels.unknown, model.class_names))
        lines.append(
            f"{sum(labels.unknown.values())} {counted} {'are' if counted == 'labels of clips' else 'have labels that are'} no "
            f"class of the model; they do not count: {listed}."
        )
    if labels and labels.lacking:
        n_lacking = f"{len(labels.lacking)} of {len(model.class_names)}"
        lines.append(f"{n_lacking} classes of the model do not occur in the data: {shorten(labels.lacking, 10)}.")
    if n_unreadable:
        lines.append(f"{n_unreadable} clips cannot be used and are left out; left_out.csv says why.")
    if n_cut:
        lines.append(f"{n_cut} clips are longer than what the model hears of a clip; their ends were not heard.")
    return lines


def _warn_of_items(clips: LabelledClips) -> list[str]:
    """Warn if each clip is an item, although clips may not be independent."""
    if len(clips) < _FEWEST_CLIPS or clips.table["item"].nunique() < len(clips):
        return []
    warning = (
        "every clip counts as an item of its own: if speakers (or recordings) have several clips, the intervals are too "
        "narrow. Name them by --item-pattern, or in a column item of a table."
    )
    return [warning]
