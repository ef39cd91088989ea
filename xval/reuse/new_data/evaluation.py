"""Predict labelled clips with a saved model, and evaluate the predictions."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from preprocessing.annotations.annotation_settings import FrameSettings
from preprocessing.clips.listing import shorten
from preprocessing.parallel import Progress
from xval.answers.item_words import describe_item_decision, describe_item_scaling
from xval.base.errors import AudioError, CorpusError, SettingsError, UndefinedAnswerError, counted, verb_of
from xval.base.item_word import call_items
from xval.data.clip_average import Averaging
from xval.folds.random_split import is_random_split
from xval.measures.answered import Answered
from xval.measures.events.annotated import AnnotatedRecordings, label_frames
from xval.measures.events.recordings import answer_recordings
from xval.measures.forms import ScoreOptions
from xval.measures.labels import MatchedLabels, TrueLabels, describe_unknown
from xval.measures.metrics import metric_names
from xval.models.saved.provenance import SeenClips, find_seen
from xval.reuse.new_data.labelled_clips import LabelledClips, add_hashes
from xval.reuse.new_data.scores import NewDataScores, measure, tabulate_clips

if TYPE_CHECKING:
    from xval.reuse.inference import SavedModel

Watch: TypeAlias = Callable[[str], AbstractContextManager[Progress]]
"""Makes a progress bar with a title; see `preprocessing.console.progress_bar`."""

_FEWEST_CLIPS = 3  # with fewer there are no intervals
# So many clips are predicted at a time, so that progress shows.
_CLIPS_AT_ONCE = 512
_N_NAMED = 3
_ENROLLED = "used to scale the other clips of its speaker"


@dataclass(frozen=True)
class Choices:
    """The user's options for clips and labels that do not match the model.

    Attributes:
        renames: Labels of the data with the class of the model that each becomes.
        leave_out_seen: Whether to exclude clips that the model has seen.
        annotation_policy: How to combine annotations; None: as in training.
        n_processes: Number of processes that decode audio.
    """

    renames: Mapping[str, str]
    leave_out_seen: bool = False
    annotation_policy: str | None = None
    n_processes: int = 1


@dataclass(frozen=True)
class Outcome:
    """The result of an evaluation.

    Attributes:
        scores: The scores of the evaluated clips.
        clips: The evaluated clips.
        seen: For each of them, whether the model has seen it.
        unknown_labels: Labels that the model does not know, with their counts.
        lacking_classes: Classes of the model that do not occur as labels.
        left_out: path, item, reason of the other clips.
        warnings: The limits of the scores.
    """

    scores: NewDataScores
    clips: LabelledClips
    seen: SeenClips
    unknown_labels: dict[str, int]
    lacking_classes: tuple[str, ...]
    left_out: pd.DataFrame
    warnings: tuple[str, ...]


class _Labelled(NamedTuple):
    """Clips with their targets."""

    clips: LabelledClips
    true: TrueLabels


def evaluate_on(model: "SavedModel", clips: LabelledClips, choices: Choices, watch: Watch) -> Outcome:
    """Predict clips and evaluate the predictions."""
    _check_kind(model, clips)
    labelled, without_label = _match(model, clips, choices)
    with watch("Reading") as progress:
        hashed, unreadable = add_hashes(labelled.clips, n_processes=choices.n_processes, progress=progress)
    if not len(hashed):
        raise AudioError(
            f"None of the {counted(len(unreadable), 'clip')} can be read. {unreadable['path'][0]}: {unreadable['reason'][0]}"
        )
    labelled = _keep(labelled, labelled.clips.table["clip"].isin(hashed.table["clip"]).to_numpy())._replace(clips=hashed)
    seen = find_seen(model.members, hashed.table, hashed.corpus_names)
    about_seen = _describe_seen(hashed, seen, n_members=len(model.members), left_out=choices.leave_out_seen)
    left_out = [without_label, unreadable]
    if choices.leave_out_seen and seen.either.any():
        if seen.either.all():
            who = "the only clip is" if len(hashed) == 1 else f"all {len(hashed)} clips are"
            raise CorpusError(
                f"{clips.name}: {who} in the training data of {model.path}, so none is left. Give other data; or for an "
                "ensemble the fold that was not trained on them."
            )
        left_out.append(_rows(hashed, seen.either, ["seen by the model"] * len(hashed)))
        labelled, seen = _keep(labelled, ~seen.either), seen.keep(~seen.either)
    with watch("Predicting") as progress:
        scores, answered, unanswered, n_cut = _measure(model, labelled, seen, progress)
    n_unusable = len(unreadable) + int((~unanswered["reason"].str.startswith(_ENROLLED)).sum())
    left_out.append(unanswered)
    labels = labelled.true.matched
    return Outcome(
        scores=scores,
        clips=labelled.clips.keep(answered),
        seen=seen.keep(answered),
        unknown_labels=labels.unknown if labels else {},
        lacking_classes=labels.lacking if labels else (),
        left_out=pd.concat(left_out, ignore_index=True),
        warnings=tuple(
            call_items(warning, clips.item_word)
            for warning in (
                *_warnings(model, about_seen, labels, n_unusable, n_cut),
                *_warn_of_items(labelled.clips.keep(answered)),
            )
        ),
    )


def _check_kind(model: "SavedModel", clips: LabelledClips) -> None:
    """Raise an error for ready features with a model for audio, and vice versa."""
    is_custom = clips.features is not None
    if is_custom != model.description.is_custom:
        kinds = {True: "features made by a script", False: "audio"}
        raise CorpusError(f"{clips.name}: has {kinds[is_custom]}, but {model.path} reads {kinds[not is_custom]}.")


def _match(model: "SavedModel", clips: LabelledClips, choices: Choices) -> tuple[_Labelled, pd.DataFrame]:
    """Return the clips with labels that the model knows, and the others."""
    frames = model.description.frames
    if choices.annotation_policy is not None and frames is None:
        raise SettingsError("--annotation-policy needs a model that labels frames. Remove it.")
    if choices.renames and not model.class_names:
        raise SettingsError(f"--rename needs a model with classes; {model.path} is for {model.task_type}. Remove it.")
    policy = choices.annotation_policy or (frames.annotation_policy if frames else "")
    true = model.description.task.read_labels(clips, _output_names(model), choices.renames, policy)
    left_out = _rows(clips, ~true.kept, list(true.reasons) or [""] * len(clips))
    return _keep(_Labelled(clips, true), true.kept), left_out


def _output_names(model: "SavedModel") -> tuple[str, ...]:
    return model.class_names or model.target_names or ("0",)


def _measure(
    model: "SavedModel", labelled: _Labelled, seen: SeenClips, progress: Progress
) -> tuple[NewDataScores, NDArray[np.bool_], pd.DataFrame, int]:
    """Return the scores, the predicted clips as bool (n_clips,), the others, and the number of cut clips."""
    clips = labelled.clips
    if model.description.frames is not None:
        return (*_measure_recordings(model, clips, labelled.true.targets, model.description.frames, progress), 0)
    tables: list[pd.DataFrame] = []
    reasons = [""] * len(clips)
    items = clips.table["item"].astype(str) if model.description.scaled_by_item else None
    seconds = model.description.enrolment_s
    enrolled = None if seconds is None else clips.enrolment(seconds)
    n_at_once = _CLIPS_AT_ONCE if items is None else len(clips)  # all of an item are scaled together
    for first in range(0, len(clips), n_at_once):
        numbers = range(first, min(first + n_at_once, len(clips)))
        audio = [clips.audio(number) for number in numbers]
        table = model.predict(
            audio,
            skip_unreadable=True,
            items=None if items is None else items.tolist(),
            enrolment=None if enrolled is None else enrolled.tolist(),
        )
        for left_out in table.attrs["left_out"]:
            if left_out.is_undefined:
                raise UndefinedAnswerError(left_out.reason)
            reasons[first + left_out.number] = left_out.reason
        if len(table):
            tables.append(table)
        progress(numbers.stop, len(clips))
    answered, table = _answered(clips, reasons), pd.concat(tables, ignore_index=True)
    if enrolled is not None:
        table = table[~enrolled[answered]]
        reasons = [reason or (_ENROLLED if is_first else "") for reason, is_first in zip(reasons, enrolled, strict=True)]
        answered = _answered(clips, reasons)
    kept = clips.keep(answered).table.assign(seen=seen.keep(answered).words)
    task, names = model.description.task, _output_names(model)
    answers = task.decode(table, names).predictions
    is_known = labelled.true.targets is not None
    side = Answered(kept[["item", "clip"]], labelled.true.targets[answered] if is_known else answers, answers)
    options = ScoreOptions(model.class_names, thresholds=model.thresholds if len(model.thresholds) else None)
    predictions = tabulate_clips(task, kept, side, names, options, is_known=is_known)
    scores = measure(task, _decided(side, model, clips.name), options, predictions, knows_training=is_known)
    n_cut = sum(int(table.attrs["cut"]) for table in tables)
    return scores, answered, _rows(clips, ~answered, reasons), n_cut


def _decided(side: Answered, model: "SavedModel", name: str) -> Answered:
    """Return one decision for each item if the experiment of the model did so, else the clips."""
    how = model.description.item_decision
    if how == "none":
        return side
    n_labels = pd.DataFrame(side.targets).groupby(side.counted_items()).nunique().max(axis=1)
    if len(mixed := n_labels.index[n_labels > 1]):
        raise CorpusError(
            f"{name}: clips of {mixed[0]} have different labels, but {model.path} makes one decision per item "
            f"(item_decision={how}). Give items by --item-pattern, or in a column item of a table."
        )
    return side.by_clip(Averaging("probabilities", how))


def _measure_recordings(
    model: "SavedModel", clips: LabelledClips, annotated: AnnotatedRecordings, frames: FrameSettings, progress: Progress
) -> tuple[NewDataScores, NDArray[np.bool_], pd.DataFrame]:
    """Return the result of `_measure` without the last value, for recordings, one by one because they may be hours long."""
    task, sample_rate_hz = model.description.task, model.description.feature_settings.sample_rate_hz
    recordings, probabilities, reasons = [], [], [""] * len(clips)
    for number, (item, clip) in enumerate(clips.table[["item", "clip"]].itertuples(index=False)):
        try:
            table = model.predict([clips.audio(number)], per="segment")
        except AudioError as error:
            reasons[number] = str(error)
        else:
            probabilities.append(task.decode(table, model.class_names).predictions)
            recordings.append(label_frames(item, clip, annotated, len(table), model.class_names, frames, sample_rate_hz))
        progress(number + 1, len(clips))
    answered = _answered(clips, reasons)
    if not any(recording.weights.any() for recording in recordings):
        raise CorpusError(
            "No frame can be evaluated, because in all of them annotators disagree or an event has an unknown label."
        )
    options = ScoreOptions(model.class_names, frames=frames, frame_s=frames.frame_s(sample_rate_hz))
    side = answer_recordings(recordings, probabilities, options)
    columns = task.encode(side.targets, side.predictions, model.class_names)
    predictions = pd.concat([side.rows, pd.DataFrame(columns)], axis=1)
    return measure(task, side, options, predictions), answered, _rows(clips, ~answered, reasons)


def _answered(clips: LabelledClips, reasons: list[str]) -> NDArray[np.bool_]:
    answered = np.array([not reason for reason in reasons])
    if not answered.any():
        raise AudioError(f"None of the {counted(len(clips), 'clip')} can be read. {reasons[0]}")
    return answered


def _keep(labelled: _Labelled, kept: NDArray[np.bool_]) -> _Labelled:
    clips, true = labelled.clips.keep(kept), labelled.true
    is_of_clips = isinstance(true.targets, np.ndarray)
    return _Labelled(clips, true._replace(targets=true.targets[kept] if is_of_clips else true.targets))


def _rows(clips: LabelledClips, chosen: NDArray[np.bool_], reasons: Sequence[str]) -> pd.DataFrame:
    """Return path, item and reason of some clips."""
    return clips.table[["path", "item"]].assign(reason=list(reasons))[chosen].reset_index(drop=True)


def _warnings(
    model: "SavedModel", about_seen: list[str], labels: MatchedLabels | None, n_unreadable: int, n_cut: int
) -> list[str]:
    lines = list(about_seen)
    if model.description.scaled_by_item:
        lines.append(describe_item_scaling(enrolment_s=model.description.enrolment_s))
    if model.description.item_decision != "none":
        lines.append(describe_item_decision(model.description.item_decision))
    if labels and labels.unknown:
        n_unknown, word = sum(labels.unknown.values()), model.description.task.label_word
        are = f"{verb_of(n_unknown)} not {'a class' if n_unknown == 1 else 'classes'}"
        if word != "label":
            what = "a label that is not a class" if n_unknown == 1 else "labels that are not classes"
            are = f"{verb_of(n_unknown, 'have')} {what}"
        listed = "; ".join(describe_unknown(labels.unknown, model.class_names))
        lines.append(f"{counted(n_unknown, word)} {are} of the model and {verb_of(n_unknown)} ignored: {listed}.")
    if labels and labels.lacking:
        n_lacking = f"{len(labels.lacking)} of {len(model.class_names)}"
        lines.append(
            f"{n_lacking} classes of the model {verb_of(len(labels.lacking), 'do')} not occur in the data: "
            f"{shorten(labels.lacking, 10)}."
        )
        if "balanced_accuracy" in metric_names(model.description.task.name):
            lines.append(
                "Macro F1, precision and recall count a class as 0 that is predicted but does not occur; balanced accuracy "
                "leaves it out."
            )
    if n_unreadable:
        lines.append(
            f"{counted(n_unreadable, 'clip')} cannot be used and {verb_of(n_unreadable)} skipped; left_out.csv has the reasons."
        )
    if n_cut:
        lines.append(f"{counted(n_cut, 'clip')} {verb_of(n_cut)} longer than the model's input, so the rest was not used.")
    return lines


def _warn_of_items(clips: LabelledClips) -> list[str]:
    """Warn if most clips are separate items, although clips may not be independent."""
    n_clips = clips.table["item"].value_counts().tolist()
    if len(clips) < _FEWEST_CLIPS or not is_random_split(n_clips):
        return []
    warning = (
        f"{n_clips.count(1)} of {len(clips)} clips {verb_of(n_clips.count(1))} counted as separate items. If speakers (or "
        "recordings) have several clips, the intervals are too narrow. Give items by --item-pattern, or in a column item of a "
        "table."
    )
    return [warning]


def _describe_seen(clips: LabelledClips, seen: SeenClips, *, n_members: int, left_out: bool) -> list[str]:
    """Return warnings about seen clips, which are excluded from the scores or make them optimistically biased."""
    lines = []
    n_seen = int(seen.either.sum())
    if n_seen:
        n_audio = 0 if seen.by_audio is None else int(seen.by_audio.sum())
        counts = {"audio": n_audio, "item": int(seen.by_item.sum())}
        ways = [f"{count} by their {way}" for way, count in counts.items() if count]
        examples = clips.table["clip"][seen.either].head(_N_NAMED).tolist()
        shown = ", ".join(examples) + (", ..." if n_seen > len(examples) else "")
        model = "this model" if n_members == 1 else f"at least one of the {n_members} models"
        end = "excluded" if left_out else "the scores are optimistically biased. --leave-out-seen excludes them"
        lines.append(
            f"{n_seen} of {counted(len(clips), 'clip')} {verb_of(n_seen)} in the training data of {model} "
            f"({', '.join(ways)}; {shown}): {end}."
        )
    if seen.by_audio is None:
        lines.append("Cannot check whether the model was trained on these clips: seen_audio.npy is missing.")
    if perhaps := sorted(set(clips.table["item"][seen.perhaps])):
        shown = ", ".join(perhaps[:_N_NAMED]) + (", ..." if len(perhaps) > _N_NAMED else "")
        lines.append(
            f"{counted(len(perhaps), 'item')} with the same name as a training item of the model ({shown}), perhaps the same."
        )
    return lines
