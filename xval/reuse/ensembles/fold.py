"""Fit an ensemble to the stored predictions of its members."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from preprocessing.store import open_store
from xval.answers.pretrained import judge_record, to_record, worst
from xval.base.errors import ResultsError
from xval.base.json_files import write_json
from xval.data.fold import Examples, FoldData, load_fold
from xval.data.frames import FrameExamples
from xval.engine.learners import Fitted
from xval.jobs.fold_part import read_clips_of
from xval.jobs.job import Job
from xval.jobs.observers import Observers
from xval.jobs.record import versions
from xval.measures import metrics
from xval.models.losses import data_loss
from xval.models.saved.initial import hash_bytes, hash_member
from xval.models.saved.provenance import Provenance
from xval.results.folder import ENSEMBLE_NAME
from xval.results.read import fitted_sides
from xval.reuse.ensembles import model_file
from xval.reuse.ensembles.combine import Combiner, choose_members, cross_predict, mean_of, stack_members
from xval.reuse.ensembles.members import Member, answers_of, are_same_examples
from xval.settings import further_metrics
from xval.training.evaluation.fold import KEPT_SIDES, Evaluation, evaluate_predictions


@dataclass(frozen=True)
class _ClipRows:
    """The clips of a side instead of its examples, if members cut clips into different examples."""

    table: pd.DataFrame
    targets: NDArray[Any]

    def __len__(self) -> int:
        return len(self.table)


@contextmanager
def fit_members(members: Sequence[Member], method: str, job: Job, *_: object) -> "Iterator[FoldEnsemble]":
    """Combine the predictions of the members of a fold; the method is mean, choose or stack, see combine.py.

    Weights are fitted to the validation examples only.
    """
    same_examples = are_same_examples(members)
    data = _read_data(job, members, same_examples=same_examples)
    rows, answers = answers_of(members, "validation", same_examples=same_examples)
    combiner, validated = _fit(job, data, rows, answers, method)
    tested = combiner.combine(answers_of(members, "test", same_examples=same_examples)[1])
    described = [
        model_file.Member(path=_relative(member.model, job), hash=hash_member(member.model), weight=float(weight))
        for member, weight in zip(members, combiner.weights, strict=True)
    ]
    content = model_file.describe(combiner, described, "examples" if same_examples else "clips")
    earlier, predictions = [Provenance(member.model) for member in members], {"validation": validated, "test": tested}
    yield FoldEnsemble(job, data, earlier, list(zip(members, described, strict=True)), content, predictions)


@dataclass(frozen=True)
class FoldEnsemble(Fitted):
    """The ensemble of a fold.

    Attributes:
        members: All members with their entries in model.ensemble, which lacks members without a weight.
        content: The content of model.ensemble.
        predictions: The predictions of each side; for validation examples, from combiners that were not fitted to them, see
            `cross_predict`.
    """

    members: Sequence[tuple[Member, model_file.Member]]
    content: model_file.EnsembleFile
    predictions: Mapping[str, NDArray[np.float32]]

    def evaluate(self, observers: Observers) -> Evaluation:  # noqa: ARG002 - as of any model
        """Compute all metrics whose code is imported."""
        settings, by_side = self.job.settings, dict(self.predictions)
        for side, values in self.predictions.items():
            examples = self.data.sides[side]
            by_side[side] = examples.split(values) if isinstance(examples, FrameExamples) else values
        trusted = further_metrics.without(settings.metrics, further_metrics.untrusted(settings.metrics))
        return evaluate_predictions(by_side, self.data, settings.model_copy(update={"metrics": trusted}), {})

    def save(self, folder: Path, tested: Mapping[str, Any]) -> dict[str, Any]:  # noqa: ARG002 - as of any model
        """Write model.ensemble."""
        write_json(folder / ENSEMBLE_NAME, self.content.model_dump(), flushed=False)
        return {}

    def facts(self) -> Mapping[str, Any]:
        """Return the entries of its record other than scores."""
        members = [member for member, _ in self.members]
        counts = [member.record["n_parameters"] for member in members]
        fitted = {side for member in members for side in fitted_sides(member.record)}
        origin = worst(judge_record(member.record, member.settings.model_dump()) for member in members)
        return {
            **({"fitted_to": sorted(fitted)} if len(fitted) > 1 else {}),
            "n_parameters": None if None in counts else sum(counts),
            "method": self.job.options["method"],
            "combined": self.content.combined,
            "members_origin": to_record(origin),
            "members": [
                {
                    **member.key._asdict(),
                    **described.model_dump(),
                    "predictions_hash": hash_bytes(member.folder / "predictions.parquet"),
                }
                for member, described in self.members
            ],
            "versions": versions(),
        }


def _read_data(job: Job, members: Sequence[Member], *, same_examples: bool) -> FoldData:
    """Return the fold of the first member, with clips instead of examples if members cut clips differently."""
    settings, store, first = job.settings, open_store(Path(job.store_folder)), members[0]
    data = load_fold(
        store,
        job.fold,
        settings.feature_settings(),
        in_memory=False,
        frames=settings.frames,
        clips=read_clips_of(settings, store.folder.parents[1]),
    )
    sides: dict[str, Examples] = dict(data.sides)
    for side in KEPT_SIDES:
        table, examples = first.sides[side].rows, data.sides[side]
        if isinstance(examples, FrameExamples):
            clips = np.repeat(
                [recording.clip for recording in examples.recordings], [recording.n_frames for recording in examples.recordings]
            )
        else:
            clips = examples.table["clip"].to_numpy()
        if not np.array_equal(clips, table["clip"].to_numpy()):
            raise ResultsError(
                f"{first.key}: its {side} predictions do not match the examples in {store.folder}, because the dataset has "
                "been prepared again. Run its instance again."
            )
        if not same_examples:
            rows = np.unique(pd.factorize(clips)[0], return_index=True)[1]
            rows_of_clips = _ClipRows(examples.table.iloc[rows].reset_index(drop=True), examples.targets[rows])
            sides[side] = cast("Examples", rows_of_clips)
    return replace(data, sides=sides)


def _fit(
    job: Job, data: FoldData, rows: pd.DataFrame, answers: NDArray[np.float32], method: str
) -> tuple[Combiner, NDArray[np.float32]]:
    """Return the combiner of a fold, and predictions for validation rows from combiners that were not fitted to them."""
    task, examples = job.settings.task, data.sides["validation"]
    if method == "mean":
        combiner = mean_of(len(answers), task.activation)
        return combiner, combiner.combine(answers)
    if isinstance(examples, FrameExamples):
        targets = np.concatenate([recording.targets for recording in examples.recordings])
        counted = np.concatenate([recording.weights for recording in examples.recordings]) > 0
    else:
        targets, counted = examples.targets, np.ones(len(examples), bool)
    items, clips = rows["item"].to_numpy(), rows["clip"].to_numpy()
    metric = metrics.find(task.name, task.main_metrics[0])

    def score(targets: NDArray[Any], predictions: NDArray[np.float32]) -> tuple[float, float]:
        value = float(metric.function(targets, predictions))
        return value if metric.higher_is_better else -value, -data_loss(targets, predictions, job.settings, data)

    fit = partial(choose_members, score=score, activation=task.activation) if method == "choose" else partial(
        stack_members, activation=task.activation
    )  # fmt: skip
    where = f"fold {job.fold.number}"
    validated = np.zeros_like(answers[0])
    validated[counted] = cross_predict(fit, answers[:, counted], targets[counted], items[counted], clips[counted], where)
    combiner = fit(answers[:, counted], targets[counted])
    validated[~counted] = combiner.combine(answers[:, ~counted])
    return combiner, validated


def _relative(model: Path, job: Job) -> str:
    """Return the path of a member's model from the folder of the ensemble's fold."""
    own = Path(job.experiment_folder) / f"instance_{job.instance}" / f"fold_{job.fold.number}"
    return Path(os.path.relpath(model.resolve(), own.resolve())).as_posix()
