"""Find the saved models of a path: one file, the folds of an instance, or the selected instance of an experiment.

No backend is loaded.
"""

from pathlib import Path
from typing import NamedTuple

from xval.answers.ranking import rank_instances
from xval.answers.read import read_finished
from xval.answers.summary import score_name
from xval.base.errors import ResultsError, plural_of
from xval.results.folder import ENSEMBLE_NAME, ESTIMATOR_NAME, ExperimentFolder, find_model_file
from xval.results.job_key import JobKey
from xval.results.named import model_path
from xval.results.read import read_folds

_WANTED = (
    "EXPERIMENT:N, such as results/demo/experiment_1:2 (the ensemble of its folds and repeats), an experiment folder (its "
    "best instance), an instance folder, a fold folder, or a .keras file"
)


class Found(NamedTuple):
    """The models in a path.

    Attributes:
        members: Paths of model.keras or model.skops; several are an ensemble.
        note: How they were chosen; empty if one model was named.
    """

    members: list[Path]
    note: str


def find_members(path: Path) -> Found:
    """Return the models of a path, or of ``EXPERIMENT:N``; at least one."""
    path = model_path(path)
    if not path.exists():
        raise ResultsError(f"{path}: there is no such model or folder. Expected {_WANTED}.")
    if path.is_file():
        if path.suffix not in (".keras", ".skops") and path.name != ENSEMBLE_NAME:
            raise ResultsError(f"{path}: not a saved model. Expected {_WANTED}.")
        if path.suffix == ".skops" and path.name != ESTIMATOR_NAME:
            raise ResultsError(
                f"{path}: a saved estimator must keep its name, {ESTIMATOR_NAME}, and be next to model.json and the networks "
                "of a combination."
            )
        return Found([path], "")
    if model := find_model_file(path):
        return Found([model], "")
    if fold_models := _models_of_folds(path):
        return Found(fold_models, f"{path}: {_describe_folds(path, fold_models)}")
    if (path / "folds.json").is_file():
        return _selected(ExperimentFolder(path))
    raise ResultsError(f"{path}: has no finished model. Expected {_WANTED}.")


def find_selected(folder: ExperimentFolder) -> tuple[Path, str]:
    """Return the folder of the instance that validation selects, and the reason."""
    instances = read_finished(folder, over_items=False)
    ranking = rank_instances(instances)
    score = score_name(ranking.side, ranking.metric, instances)
    if ranking.selected is None:
        raise ResultsError(f"{folder.path}: no instance has a {score}. Give the folder of an instance.")
    return folder.instance_folder(ranking.selected), f"selected by {score}{ranking.because}"


def _selected(folder: ExperimentFolder) -> Found:
    """Return the models of the instance that validation selects."""
    chosen, why = find_selected(folder)
    members = _models_of_folds(chosen)
    if not members:
        raise ResultsError(f"{chosen}: selected by validation, but its models are missing. Give another instance folder.")
    return Found(members, f"{chosen}: {why}; {_describe_folds(chosen, members)}")


def _describe_folds(instance: Path, members: list[Path]) -> str:
    """Return ``ensemble of 4 folds``, or ``ensemble of 4 of 5 folds, none of fold 2``; ``, 12 models`` with repeats."""
    done = {key.fold for path in members if (key := JobKey.from_folder(0, path.parent.name))}
    n_models, numbers = len(members), _numbers_of_folds(instance)
    lacking = sorted(numbers - done)
    total_words = f" of {len(numbers)}" if lacking else ""
    without = f", none of fold {', '.join(map(str, lacking))}" if lacking else ""
    repeats = f", {n_models} models" if n_models > len(done) else ""
    folds = plural_of("fold", len(numbers) if lacking else len(done))
    return (
        f"ensemble of {len(done)}{total_words} {folds}{without}{repeats}" if n_models > 1 else f"one fold{total_words}{without}"
    )


def _models_of_folds(instance: Path) -> list[Path]:
    """Return the models of all folds, repeats and seeds, which are all members.

    Models of repeats that folds.json no longer has are skipped.
    """
    folders = {key: folder for folder in instance.glob("fold_*") if (key := JobKey.from_folder(0, folder.name))}
    numbers = _numbers_of_folds(instance) or {key.fold for key in folders}
    return [model for key in sorted(folders) if key.fold in numbers and (model := find_model_file(folders[key]))]


def _numbers_of_folds(instance: Path) -> set[int]:
    """Return the numbers of the folds of the experiment of an instance; none if there is no folds.json."""
    experiment = ExperimentFolder(instance.parent)
    return set(read_folds(experiment).numbers) if experiment.folds_file.exists() else set()
