"""A saved model, an ensemble of the folds of an instance, or an ensemble of instances, applied to audio."""

from collections.abc import Iterable, Sequence
from functools import cache, cached_property, partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from xval.base.errors import SettingsError, counted
from xval.measures.columns import PROBABILITY, decode_outputs
from xval.models.saved.description import ModelDescription, mean_thresholds
from xval.reuse.inference.answer_tables import joined, table_of, tabulate
from xval.reuse.inference.batches import Answer
from xval.reuse.inference.ensemble import Ensemble, group_members
from xval.reuse.inference.members import Collected, Member, MemberGroup, names_of_seen
from xval.reuse.inference.request import Per, PredictionRequest
from xval.reuse.inference.sets import read_sets
from xval.reuse.inference.sources import Audio, one_rate

if TYPE_CHECKING:
    from xval.reuse.new_data.from_python import Scores


class SavedModel:
    """A saved model, or an ensemble of several; `inference.load_model` makes one.

    Attributes:
        path: The loaded path.
        note: How its members were chosen; empty if one model was named.
        descriptions: The description of each member.
        description: The description of the first member; for an ensemble of instances, of its first fold.
        task_type: The task, such as classification.
        class_names: Class names of the outputs; empty without classes.
        target_names: Names of the targets of a regression; empty without names.
        thresholds: float64 (n_classes,), the probability from which on each of several labels is predicted; see
            `mean_thresholds`.
        is_untested: Whether it was trained on all items, so that no item was left to test it.
    """

    def __init__(self, path: Path, note: str, members: Sequence[Member], ensemble: Ensemble | None = None) -> None:
        self.path = path
        self.note = note
        self._members, self._ensemble = members, ensemble
        self._groups = group_members(members) if ensemble else [MemberGroup(list(members), list(range(len(members))))]
        self.descriptions: tuple[ModelDescription, ...] = tuple(member.description for member in members)
        tested = ensemble.descriptions if ensemble else self.descriptions
        folders = ensemble.folders if ensemble else [member.path.parent for member in members]
        self.description = tested[0]
        if ensemble and (scaling := [about for about in self.descriptions if about.scaled_by_item]):
            scaled = {"scaled_by_item": True, "enrolment_s": scaling[0].enrolment_s}  # as its members read speakers
            self.description = tested[0].model_copy(update=scaled)
        self.task_type = self.description.task_type
        self.class_names, self.target_names = self.description.class_names, self.description.target_names
        self.thresholds = mean_thresholds(tested)
        self._sets = cache(partial(read_sets, folders, tested[0]))  # files read once
        self.is_untested = any(description.is_untested for description in self.descriptions)

    def __repr__(self) -> str:
        """Return the path, the task, the outputs and the number of models."""
        answers = ", ".join(self.class_names or self.target_names) or self.task_type
        return f"<SavedModel {self.path}: {self.task_type} ({answers:.80}), {counted(len(self._members), 'model')}>"

    @property
    def settings(self) -> dict[str, Any]:
        """model.json of the (first) model, as plain values."""
        return self.description.model_dump(mode="json")

    @cached_property
    def _predictors(self) -> list[Answer]:
        return [member.predictor() for member in self._members]

    @property
    def n_layers(self) -> int:
        """The number of layers of the network with a kernel, which is the most that `embed` can drop.

        Raises:
            SettingsError: They cannot be counted.
        """
        return self._members[0].n_layers

    @property
    def members(self) -> list[Path]:
        """The files of the models."""
        return [member.path for member in self._members]

    @property
    def classes_(self) -> NDArray[np.str_]:
        """The names of the classes, text (n_classes,), in the order of the columns of `predict_proba`; as in scikit-learn.

        Raises:
            AttributeError: The task has no classes.
        """
        if not self.class_names:
            raise AttributeError(f"{self.path}: a model of task_type={self.task_type} has no classes.")
        return np.array(self.class_names)

    def predict(
        self,
        audio: Audio | Iterable[Audio],
        *,
        per: Per = "file",
        every_s: float | None = None,
        sample_rate_hz: int | None = None,
        sampling_rate: int | None = None,
        skip_unreadable: bool = False,
        items: Sequence[str] | None = None,
        enrolment: Sequence[bool] | None = None,
        coverage: float | None = None,
    ) -> pd.DataFrame:
        """Predict audio.

        The prediction of an ensemble is the mean of its members' probabilities (or numbers), as in Lakshminarayanan et al.
        2017.

        Args:
            audio: A file or folder, a `Segment` of a file, samples with their rate, or several of these; for models of ready
                features one array (n_examples, ...), or arrays of one example each. Files of any rate, length and format that
                decodes. Samples are float, full scale -1 to 1, of shape (n_samples,), (n_channels, n_samples) or (n_samples,
                n_channels): the much shorter axis is the channels, which are used as those of a file. Also the form of an Audio
                column of the library datasets, ``{"array": samples, "sampling_rate": rate}``.
            per: file: a row for each, as the experiment predicts clips (their windows are combined); example: a row for each
                window, cut as in the experiment; segment: a row for each segment of the length of training examples, each
                treated as a clip; files of any length are read piece by piece. For models that label frames, file gives
                events, and segment a row for each frame.
            every_s: Time from the start of a segment to the start of the next, seconds; None: its length.
            sample_rate_hz: Rate of arrays of samples.
            sampling_rate: The same, under its name in transformers and datasets.
            skip_unreadable: Skip sources that cannot be decoded or have a NaN prediction; ``attrs["left_out"]`` lists them as
                `LeftOut`.
            items: For a model with normalization = per_item the speaker (or other item) of each file or array, whose features
                are scaled by all its files; None: all are from one speaker.
            enrolment: For each file or array, whether it scales its speaker, if not all do (enrolment_s); all are predicted.
            coverage: Predict sets of classes that contain the true one for this share of the clips of new speakers, and abstain
                if a set has several classes; see `xval.measures.conformal`.

        Returns:
            path, start_s, end_s and: predicted (with several labels those that reach their thresholds, joined by ``;``) and
                probability_<class>; predicted_<target> of a regression (numbers from 0 without names); squared_error of an
            autoencoder (in units of the normalised features); label and probability of each event, the mean over its frames.
            With `coverage`: set (the classes, joined by ``;``) and answer, the only class of the set, or ``abstained:`` with
                the reason: several classes, silence, or a novelty above 1.
            novelty, if the model has it: the distance to its training clips in its own embedding; above 1 it is larger than for
                99 % of the clips of its validation items, and the prediction is not reliable.
            ``attrs["speakers"]`` has the numbers of validation speakers behind the sets and of those that the coverage
            requires; ``attrs["cut"]`` counts files that are longer than end_s, where the input ends; ``attrs["silent"]`` lists
            files below -80 dBFS, ``attrs["seen"]`` files whose audio trained a member or chose its epoch (None: not known).

        Raises:
            AudioError: A source cannot be decoded, or both axes of an array may be the channels.
            SettingsError: `per`, `every_s` or `coverage` does not fit the model, or a rate is missing or named twice.
            CorpusError: A folder has no audio.
            ResultsError: With `coverage`, the folds of the model have no readable predictions.parquet.
            UndefinedAnswerError: The model predicts NaN or infinite values.
        """
        sets = None if coverage is None else self._sets(coverage, per)
        rate_hz = one_rate(sample_rate_hz, sampling_rate)
        request = PredictionRequest(self._rows(audio), per, every_s, rate_hz, skip_unreadable, items, enrolment)
        answers_by_source, sources, left_out = self._collect(request, self._predictors)
        if self._ensemble is not None:
            answers_by_source = {number: self._ensemble.combine(answered) for number, answered in answers_by_source.items()}
        tables = [
            tabulate(sources[number], answered, per, self.description, self.thresholds, sets)
            for number, answered in answers_by_source.items()
        ]
        table = joined(tables, answers_by_source, sources, left_out)
        table.attrs["speakers"] = None if sets is None else (sets.scores.n_items, sets.n_needed)
        table.attrs["seen"] = names_of_seen(self._members, [sources[number] for number in answers_by_source])
        return table

    def predict_proba(
        self, audio: Audio | Iterable[Audio], *, sample_rate_hz: int | None = None, sampling_rate: int | None = None
    ) -> NDArray[np.float32]:
        """Return the probabilities of the classes, like scikit-learn classifiers.

        Args:
            audio: As for `predict`, which returns a row for each file or array.
            sample_rate_hz: As `predict`.
            sampling_rate: As `predict`.

        Returns:
            float32 (n, n_classes), columns in the order of `classes_`. With one class per clip, a row sums to 1.

        Raises:
            AudioError: As `predict`.
            SettingsError: As for `predict`; the task has no classes, or the model labels frames.
        """
        if not self.class_names:
            raise SettingsError(f"predict_proba: task_type={self.task_type} has no classes. Use predict.")
        if self.description.frames is not None:
            raise SettingsError(
                "predict_proba: this model labels frames. Use predict(..., per='segment'), which returns a row for each frame."
            )
        if getattr(audio, "ndim", 1) > 1 and not self.description.is_custom:
            raise SettingsError(
                f"predict_proba: an array of shape {np.shape(audio)} may be several clips, like rows in scikit-learn, or the "  # type: ignore[arg-type]
                "channels of one. Write list(x) for several clips, [x] for one."
            )
        table = self.predict(audio, sample_rate_hz=sample_rate_hz, sampling_rate=sampling_rate)
        return decode_outputs(PROBABILITY, table, self.class_names)

    def embed(
        self,
        audio: Audio | Iterable[Audio],
        *,
        layers_dropped: int | None = None,
        layer: str | None = None,
        per: Per = "file",
        every_s: float | None = None,
        sample_rate_hz: int | None = None,
        sampling_rate: int | None = None,
        skip_unreadable: bool = False,
        items: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """Return the output of a layer of the network, averaged over time.

        Args:
            audio: As `predict`.
            layers_dropped: n: the input of the n-th last layer with a kernel; 0: the prediction. None: 1, or the layer
                ``embedding`` of an autoencoder.
            layer: Name of a layer, instead of `layers_dropped`.
            per: As for `predict`; file: the mean over the windows (for models that label frames: over the sequences).
            every_s: As `predict`.
            sample_rate_hz: As `predict`.
            sampling_rate: As `predict`.
            skip_unreadable: As `predict`.
            items: As `predict`.

        Returns:
            path, start_s, end_s, embedding_0, embedding_1, ...

        Raises:
            AudioError: As `predict`.
            SettingsError: As for `predict`; the model is an ensemble or a combination, or has no such layer.
        """
        if len(self._members) > 1:
            raise SettingsError(
                f"{self.path}: embeddings of different folds are not comparable. Give one model, such as "
                f"{self._members[0].path}."
            )
        if layer is not None and layers_dropped is not None:
            raise SettingsError("received layers_dropped and layer. Give only one of them.")
        answers = [self._members[0].embedder(layers_dropped, layer)]
        rate_hz = one_rate(sample_rate_hz, sampling_rate)
        request = PredictionRequest(self._rows(audio), per, every_s, rate_hz, skip_unreadable, items)
        answers_by_source, sources, left_out = self._collect(request, answers)
        tables = []
        for number, source_answers in answers_by_source.items():
            values, start_s, end_s = source_answers.values[0], source_answers.inputs.start_s, source_answers.inputs.end_s
            if per == "file":
                values, start_s, end_s = values.mean(axis=0, keepdims=True), start_s[:1], end_s[-1:]
            columns = {f"embedding_{column}": values[:, column] for column in range(values.shape[1])}
            tables.append(table_of(sources[number], start_s, end_s, columns))
        return joined(tables, answers_by_source, sources, left_out)

    def evaluate(self, data: Any, targets: Any = None, items: Any = None, **options: Any) -> "Scores":
        """Test the model on labelled data, like ``xval evaluate``; see `new_data.from_python.evaluate` for all options.

        Args:
            data: A folder with a folder for each class, a table of clips (a file or a DataFrame), or a prepared dataset
                (data/<dataset>, or its name); for models of ready features also examples, as one array or for each item.
            targets: The targets of examples, as for `preprocessing.store.write`.
            items: The speaker of each example, for examples in one array.
            **options: The options of the command, such as ``item_pattern`` and ``leave_out_seen=True``.

        Returns:
            A dict of metrics, as in metrics.json of the command; see `Scores`.
        """
        # By name, for evaluation is built upon this module.
        scores: Scores = import_module("xval.reuse.new_data.from_python").evaluate(self, data, targets, items, **options)
        return scores

    def _rows(self, audio: Audio | Iterable[Audio]) -> Audio | Iterable[Audio]:
        """Return the rows of an array of several examples, as in scikit-learn; anything else is returned unchanged."""
        if not self.description.is_custom or not hasattr(audio, "ndim"):
            return audio
        array = np.asarray(audio)
        return list(array) if self._members[0].reads_rows(array.shape) else audio

    def _collect(self, request: PredictionRequest, answers: Sequence[Answer]) -> Collected:
        if self._ensemble is not None:
            return self._ensemble.collect(self._groups, request, answers)
        return self._groups[0].collect(request, answers)
