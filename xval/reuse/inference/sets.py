"""Sets of classes for new audio, and abstaining where a model is uncertain."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from xval.base.errors import ResultsError, SettingsError
from xval.base.json_files import read_json
from xval.data.clip_average import Averaging
from xval.measures.conformal import SpeakerScores, prediction_sets, score_clips, speakers_needed
from xval.models.saved.description import ModelDescription
from xval.results.tested_examples import read_examples
from xval.reuse.inference.request import Per

_FILE = "predictions.parquet"
_ORIGIN = ("dataset", "instance", "settings_hash", "folds_hash")


class Sets(NamedTuple):
    """Makes sets of classes that contain the true one for a share of the clips of new speakers.

    Attributes:
        scores: The nonconformity scores of the validation speakers of the folds.
        coverage: The share of clips.
    """

    scores: SpeakerScores
    coverage: float

    @property
    def n_needed(self) -> int:
        """The number of validation speakers that the coverage requires; with fewer, every set has all classes."""
        return speakers_needed(self.coverage)

    def columns(
        self, values: NDArray[np.float32], class_names: Sequence[str], novelty: NDArray[np.float32], *, is_silent: bool
    ) -> dict[str, list[str]]:
        """Return ``answer`` and ``set``.

        Args:
            values: float32 (n_models, n_rows, n_classes), probabilities.
            class_names: The classes.
            novelty: float32 (n_rows,), see `Novelty.of`; NaN: not known.
            is_silent: Whether the source is silence.
        """
        sets, mean = prediction_sets(self.scores, values, self.coverage), values.mean(axis=0)
        columns: dict[str, list[str]] = {"answer": [], "set": []}
        for in_set, probabilities, distance in zip(sets, mean, novelty, strict=True):
            kept = [class_names[number] for number in np.argsort(-probabilities, kind="stable") if in_set[number]]
            reasons = {
                "silence": is_silent,
                "unlike the training data": distance > 1,
                f"{len(kept)} classes": len(kept) > 1,
            }
            reason = next((reason for reason, holds in reasons.items() if holds), "")
            columns["answer"].append(f"abstained: {reason}" if reason else kept[0])
            columns["set"].append(";".join(kept))
        return columns


def read_sets(folders: Sequence[Path], description: ModelDescription, coverage: float, per: Per) -> Sets:
    """Return the `Sets` from the predictions.parquet of the models' folds.

    With several models, each is compared with its own validation clips. One model is compared with those of all available folds
    of its instance.

    Raises:
        SettingsError: The coverage is not a share, the task is not classification, or the model is a final model.
        ResultsError: There is no such file, or it is damaged.
    """
    if not 0 < coverage < 1:
        raise SettingsError(f"coverage={coverage:g}: expected a share above 0 and below 1, such as 0.9.")
    if not description.task.stratifies_classes or description.task.has_thresholds:
        raise SettingsError(
            f"coverage={coverage:g}: needs a model for clips with one class each; received {description.task_type}."
        )
    numbered = list(enumerate(folders)) if len(folders) > 1 else [(0, folder) for folder in _sibling_folds(folders[0])]
    if description.is_untested:
        raise SettingsError(
            f"coverage={coverage:g}: {folders[0]} has a final model, which was trained on the whole dataset, so there are no "
            "validation speakers to calibrate the sets. Give its instance folder, whose folds have some, or one of these "
            "folds."
        )
    missing = [folder for _, folder in numbered if not (folder / _FILE).is_file()]
    if missing or not numbered:
        raise ResultsError(
            f"coverage={coverage:g}: {(missing or folders)[0]} has no {_FILE}, which has the model's confidence for its "
            "validation speakers. Give the fold or instance folder written by the experiment."
        )
    averaging = None if per == "example" else Averaging(description.clip_average)
    parts: list[tuple[NDArray[Any], NDArray[Any], NDArray[Any]]] = []
    for number, folder in numbered:
        held = read_examples(description.task, {0: folder / _FILE}, description.class_names, averaging, "validation")
        scores = score_clips(held.targets, held.predictions)
        parts.append((scores, np.array(held.names)[held.items], np.full(len(scores), number)))
    return Sets(SpeakerScores(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True))), coverage)


def _sibling_folds(folder: Path) -> list[Path]:
    """Return the folders of the folds of the same instance; if there are none, the folder itself."""
    sibling_folds = [path for path in sorted(folder.parent.glob("fold_*")) if (path / _FILE).is_file()]
    return [path for path in sibling_folds if _origin(path) == _origin(folder)] or [folder]


def _origin(folder: Path) -> list[Any]:
    described = read_json(folder / "model.json") or {}
    return [described.get(name) for name in _ORIGIN]
