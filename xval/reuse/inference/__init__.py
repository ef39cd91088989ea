"""Apply a saved model to audio files, with the settings that it was trained with.

It needs only the model and the files next to it.
"""

import logging
import os
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

from preprocessing.parallel import count_cores
from xval.backend.devices import bind, load_keras, make_slots, onednn
from xval.base.errors import ResultsError, SettingsError, counted
from xval.base.keras_backends import installed_or_default
from xval.base.user_code import imports
from xval.jobs.model_files import refuse_replaced
from xval.models.saved.description import ModelDescription, read_description
from xval.models.saved.embedder import check_embedder
from xval.results.folder import ENSEMBLE_NAME
from xval.results.named import given_path
from xval.reuse.inference.ensemble import Ensemble
from xval.reuse.inference.locate import find_members as find_members
from xval.reuse.inference.members import Member, load_member
from xval.reuse.inference.model import SavedModel as SavedModel
from xval.reuse.inference.sources import LeftOut as LeftOut
from xval.reuse.inference.sources import Segment as Segment
from xval.reuse.named_modules import import_named

_SHARED = (
    "task_type",
    "class_names",
    "target_names",
    "feature_settings",
    "clip_samples",
    "clip_average",
    "scaled_by_item",
    "scaled_vectors",
    "enrolment_s",
    "is_custom",
    "frames",
)


def load_model(path: str | Path, *, gpu: str | None = None, modules: Collection[str] = ()) -> SavedModel:
    """Load a model of an experiment to apply it to audio.

    Args:
        path: A ``.keras`` file with its .json file next to it; a fold folder; an instance folder: the ensemble of its folds; or
            an experiment folder: the instance that validation selects; ``results/demo/experiment_1:2``: its instance 2.
        gpu: ``cpu``, or the number of a GPU, if this process has not loaded Keras yet; None: the backend chooses. The backend
            is that of KERAS_BACKEND, or else the one that trained the model.
        modules: Your modules with layers of the model, which are imported first, from their folder at the time of training or
            from Python's search path. The model's files never cause an import.

    Raises:
        ResultsError: The model or its .json file is missing, damaged or not safe to load, or was replaced after its job;
            another embedder made its features.
        SettingsError: `gpu` is given and Keras is loaded already; there is no such GPU; a package or module is missing.
    """
    expected = "a saved model or a folder of results, such as 'results/demo/experiment_1:2'"
    selection = find_members(given_path("load_model(): path", path, expected))
    descriptions = tuple(read_description(member) for member in selection.members)
    _refuse_mixture(selection.members, descriptions)
    for member, description in zip(selection.members, descriptions, strict=True):
        check_embedder(member, description)
    is_without_network = all(about.combination and not about.combination.n_networks for about in descriptions)
    _bind(descriptions[0].backend, gpu, needs_keras=not is_without_network)
    with imports.reading_model(modules):
        import_named(selection.members)
        if selection.members[0].name != ENSEMBLE_NAME:
            return SavedModel(Path(path), selection.note, _load(selection.members, descriptions))
        ensemble = Ensemble(Path(path), selection.members, descriptions)
        for ensemble_file in selection.members:
            refuse_replaced(ensemble_file)
        members = _load(ensemble.members, [read_description(member) for member in ensemble.members])
        return SavedModel(Path(path), selection.note or f"{path}: {counted(len(members), 'model')}", members, ensemble)


def _load(paths: Sequence[Path], descriptions: Sequence[ModelDescription]) -> list[Member]:
    """Load models; raise an error if a model was replaced after its job."""
    members = list(map(load_member, paths, descriptions))
    for path in paths:
        refuse_replaced(path)
    return members


def _refuse_mixture(members: list[Path], descriptions: tuple[ModelDescription, ...]) -> None:
    """Raise an error if the examples or outputs of members differ."""
    for path, description in zip(members, descriptions, strict=True):
        for name in _SHARED:
            if getattr(description, name) != getattr(descriptions[0], name):
                raise ResultsError(
                    f"{path}: its {name} is {getattr(description, name)!r:.80}, that of {members[0]} is "
                    f"{getattr(descriptions[0], name)!r:.80}, so they are not folds of one instance. Give one of them."
                )


def _bind(backend: str, gpu: str | None, *, needs_keras: bool) -> None:
    """Choose backend and device if Keras has not been loaded yet, and load it; scikit-learn estimators do not need it."""
    if "keras" in sys.modules:
        if gpu is not None:
            raise SettingsError(f"gpu={gpu}: Keras is already loaded on a device. Load the model before.")
        return
    chosen = os.environ.get("KERAS_BACKEND") or installed_or_default(backend)
    if gpu is None:
        os.environ["KERAS_BACKEND"] = chosen
        os.environ.update(onednn())
    else:
        slots, _ = make_slots(gpu, workers=1, threads=count_cores())
        bind(slots[0], chosen)
    if not needs_keras:
        return
    load_for_predictions()


def load_for_predictions() -> None:
    """Load Keras, without the warnings of TensorFlow that each model and each shape is traced again."""
    load_keras()
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
