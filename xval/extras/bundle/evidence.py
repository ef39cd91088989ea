"""Collect the evidence of a saved model: its description, its record and settings, the verdict on its origin, and the files.

A model outside its experiment has only its description.
"""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from preprocessing.encoders import preset_of
from xval.answers.pretrained import Origin, judge_record
from xval.answers.read import read_instance
from xval.base.item_word import ITEM
from xval.base.json_files import read_json
from xval.extras.bundle.places import find_places, read_portable
from xval.extras.export.api import export_name
from xval.models.saved.description import ModelDescription, read_description
from xval.models.saved.embedder import foreign_embedder, is_own, own_embedder
from xval.models.saved.novelty import NOVELTY_NAME
from xval.models.saved.provenance import FINGERPRINTS_NAME, SEEN_AUDIO_NAME, TRAINED_AUDIO_NAME
from xval.results.folder import ESTIMATOR_NAME, ExperimentFolder
from xval.results.instance import InstanceResults
from xval.results.job_key import JobKey
from xval.results.read import Record
from xval.results.scores import Scores
from xval.training.classical.saved import network_path

FOLDER = "evidence"
_COMPANION_NAMES = (NOVELTY_NAME, SEEN_AUDIO_NAME, TRAINED_AUDIO_NAME, FINGERPRINTS_NAME)
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # a fixed time, so that the same code makes the same file


@dataclass(frozen=True)
class BundleEvidence:
    """A saved model with everything that a bundle states about it.

    Attributes:
        path: Path of model.keras or model.skops.
        described: Content of model.json.
        record: Content of record.json; None: the model is outside its experiment.
        instance: The variant of the experiment, with the records of all folds; None: the model is outside its experiment.
        origin: Verdict on the pretrained parts of the model and their training data.
        parts: A line for each pretrained part of the model, with its licence and training data, or that these are unknown.
    """

    path: Path
    described: ModelDescription
    record: Record | None
    instance: InstanceResults | None
    origin: Origin
    parts: tuple[str, ...]

    @property
    def places(self) -> dict[str, str]:
        """Folders of this machine that files may name, each with the text that replaces it."""
        return find_places(self.instance.experiment.path if self.instance else None)

    @property
    def is_estimator(self) -> bool:
        """Whether the model is a scikit-learn estimator, which may read the outputs of networks."""
        return self.path.name == ESTIMATOR_NAME

    @property
    def models(self) -> dict[str, Path]:
        """Paths of the model and of the networks whose outputs it reads, by their names in the bundle."""
        about, folder = self.described.combination, self.path.parent
        networks = [network_path(folder, 1 + number) for number in range(about.n_networks)] if about else []
        return {f"model{self.path.suffix}": self.path} | {path.relative_to(folder).as_posix(): path for path in networks}

    @property
    def embedder(self) -> str:
        """Name of the encoder whose embeddings the model reads, which is not in the bundle; empty: it reads other features."""
        settings = self.described.feature_settings
        return str(own_embedder(settings) or foreign_embedder(settings) or "")

    @property
    def model_files(self) -> dict[str, Path]:
        """Paths of the files that prediction and later training need, except descriptions, by their names in the bundle."""
        companions = {name: self.path.with_name(name) for name in _COMPANION_NAMES}
        return self.models | {name: path for name, path in companions.items() if path.is_file()}

    @property
    def name(self) -> str:
        """Name of the exports: <dataset>_instance_<i>_fold_<k>, or ..._refit for a final model."""
        return export_name(self.described)

    @property
    def scores(self) -> Scores:
        """The scores of the fold that the model was tested on; none of a final model."""
        return self.instance.scores.get(JobKey.of(self.record), Scores()) if self.instance and self.record else Scores()

    @property
    def item_word(self) -> str:
        """The word for an item in texts, such as speaker."""
        return (self.instance.written.item_word if self.instance else "") or ITEM

    @property
    def item_names(self) -> list[str]:
        """The items, such as speakers, whose names are in the files of the bundle, sorted."""
        seen = (f"{item} of {corpus}" for corpus, items in self.described.seen_items.items() for item in items)
        tested = (f"{item} of {self.described.dataset}" for item in (self.record or {}).get("items", {}).get("test", ()))
        return sorted({*seen, *tested})

    def files(self) -> dict[str, bytes]:
        """Return the content of the descriptions, folds, settings, records and training code, by their paths in the bundle."""
        descriptions = {
            str(PurePosixPath(name).with_suffix(".json")): read_portable(path.with_suffix(".json"), self.places)
            for name, path in self.models.items()
        }
        if self.instance is None:
            return descriptions
        experiment, number = self.instance.experiment, self.instance.number
        chosen = {"folds.json": experiment.folds_file, "settings.json": experiment.instance_folder(number) / "settings.json"}
        chosen |= {f"{path.parent.name}/record.json": path for path in _records(experiment, number)}
        contents = descriptions | {f"{FOLDER}/{name}": read_portable(path, self.places) for name, path in chosen.items()}
        code = experiment.path / "code" / str((self.record or {}).get("code_hash"))
        return contents | ({f"{FOLDER}/code.zip": _zipped(code)} if code.is_dir() else {})


def gather_evidence(path: Path) -> BundleEvidence:
    """Collect the evidence of the model at a path.

    Raises:
        ResultsError: model.json is missing, or a file of the experiment is damaged.
    """
    described = read_description(path)
    record = read_json(path.with_name("record.json"))
    experiment = ExperimentFolder(path.resolve().parent.parent.parent)
    instance = read_instance(experiment, described.instance) if record and experiment.folds_file.is_file() else None
    if record is None or instance is None:
        reason = "there is no record.json of an experiment next to it"
        return BundleEvidence(path, described, None, None, Origin("unknown", ("the model itself",), (reason,)), ())
    origin, parts = judge_record(record, instance.parameters), _pretrained_parts(instance.parameters)
    return BundleEvidence(path, described, record, instance, origin, parts)


def _pretrained_parts(parameters: Mapping[str, object]) -> tuple[str, ...]:
    """Return a line for each pretrained part of a model: its setting, its name, its licence and its training data."""
    lines = []
    has_embedding = parameters.get("features") == "embedding"
    for setting in ("encoder", "initial_model", *(["embedding_model"] if has_embedding else [])):
        if (name := parameters.get(setting)) and not is_own(str(name)):
            preset = preset_of(str(name))
            provenance = (
                f"licence {preset.licence}; {preset.training_data}" if preset else "licence and training data not known here"
            )
            lines.append(f"{setting} {name}: {provenance}")
    return tuple(lines)


def _records(experiment: ExperimentFolder, number: int) -> list[Path]:
    """Return the sorted paths of record.json of all folds of an instance and of its final model."""
    folder = experiment.instance_folder(number)
    return sorted([*folder.glob("fold_*/record.json"), *folder.glob("refit/record.json")])


def _zipped(folder: Path) -> bytes:
    """Return a zip file of a folder without .pyc files; equal folders give equal bytes."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc"):
            entry = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _ZIP_TIME)
            archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)
    return written.getvalue()
