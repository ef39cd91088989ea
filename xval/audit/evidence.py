"""What the rules of the audit look at: the files of an experiment, its corpus and its feature stores, each read once.

Comes in: a results folder and the folder of corpora. Goes out: `Evidence`; what is missing is a `NotCheckableError` that says
so.
"""

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from preprocessing.corpus import Corpus, corpus_folder, open_corpus
from preprocessing.features.settings import FeatureSettings
from preprocessing.store import FeatureStore, open_store
from xval.errors import CorpusError, ResultsError
from xval.folds.split import SIDES
from xval.json_files import Record, read_json
from xval.results.folder import ExperimentFolder
from xval.results.read import WrittenFolds, read_folds, read_records, read_settings

if TYPE_CHECKING:
    import pandas as pd

DAMAGE = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile)
"""What libraries raise about files that are cut off or no such files; pyarrow's errors are of these."""


class NotCheckableError(Exception):
    """Something that a rule needs is missing or unreadable; the text says what, and how to get it."""


@dataclass(frozen=True)
class JobEvidence:
    """One job that is done.

    Attributes:
        folder: Its folder.
        record: Its record, checked to be one.
        parameters: Of its instance; None where settings.json is damaged.
    """

    folder: Path
    record: Record
    parameters: Mapping[str, Any] | None

    @property
    def name(self) -> str:
        """How texts name it."""
        return f"instance {self.record['instance']}, fold {self.record['fold']}"

    @property
    def sides(self) -> dict[str, frozenset[str]]:
        """The items of each side, as the record has them."""
        return {side: frozenset(map(str, self.record["items"][side])) for side in SIDES}

    @property
    def model_path(self) -> Path:
        """Path of model.keras, which a combination does not have."""
        return self.folder / "model.keras"

    @property
    def is_combination(self) -> bool:
        """Whether a classifier on combined features was fitted, and no network trained."""
        return "models" in self.record

    def parameter(self, name: str) -> Any:
        """Return a parameter of its instance.

        Raises:
            NotCheckableError: settings.json cannot be read, or does not have it.
        """
        if self.parameters is None or name not in self.parameters:
            raise NotCheckableError(f"settings.json of instance {self.record['instance']} is damaged")
        return self.parameters[name]

    def feature_settings(self) -> FeatureSettings:
        """Return the feature settings of its instance.

        Raises:
            NotCheckableError: settings.json cannot be read, or has no valid ones.
        """
        if self.parameters is None:
            raise NotCheckableError("its settings.json is damaged")
        try:
            return FeatureSettings.among(self.parameters)
        except (KeyError, ValueError) as error:
            raise NotCheckableError(f"its settings.json has no valid feature settings ({type(error).__name__})") from error

    def description(self) -> Record:
        """Return the content of model.json.

        Raises:
            NotCheckableError: It is missing or damaged.
        """
        try:
            found = read_json(self.folder / "model.json")
        except (ResultsError, OSError) as error:
            raise NotCheckableError("model.json is damaged") from error
        if found is None:
            raise NotCheckableError("model.json is missing")
        return found

    def predictions(self) -> "pd.DataFrame":
        """Return the rows of predictions.parquet without what was predicted: item, clip, start_s, side, and row if it has one.

        Raises:
            NotCheckableError: It is missing or damaged.
        """
        from pyarrow import parquet

        path = self.folder / "predictions.parquet"
        try:
            names = set(parquet.read_schema(path).names)
            columns = [name for name in ("item", "row", "clip", "start_s", "side") if name in names]
            table: pd.DataFrame = parquet.read_table(path, columns=columns).to_pandas()
            return table.astype({"item": str, "clip": str, "side": str})
        except FileNotFoundError as error:
            raise NotCheckableError("predictions.parquet is missing") from error
        except DAMAGE as error:
            raise NotCheckableError(f"predictions.parquet is damaged ({' '.join(str(error).split())[:100]})") from error


class Evidence:
    """All that is known of an experiment.

    Args:
        folder: The results folder.
        data_folder: The folder of corpora; None: that of the settings.

    Attributes:
        folder: The results folder.
        settings: The content of settings.json by instance, those that can be read.
        jobs: The jobs that are done, and whose record can be read; one that failed has tested nothing.
        damage: What cannot be read, a line each.
    """

    def __init__(self, folder: ExperimentFolder, data_folder: Path | None) -> None:
        self.folder = folder
        self.settings: dict[int, Record] = {}
        self.jobs: list[JobEvidence] = []
        self.damage: list[str] = []
        self._data_folder = data_folder
        self._stores: dict[Path, FeatureStore | NotCheckableError] = {}
        try:
            self._folds: WrittenFolds | None = read_folds(folder)
        except (ResultsError, OSError) as error:
            self._folds = None
            self.damage.append(str(error))
        for instance in folder.instances():
            self._read_instance(instance)

    def _read_instance(self, instance: int) -> None:
        parameters = None
        try:
            self.settings[instance] = read_settings(self.folder, instance)
            parameters = self.settings[instance]["parameters"]
        except (ResultsError, OSError) as error:
            self.damage.append(str(error))
        records, damaged = read_records(self.folder, instance)
        self.damage += damaged.values()
        self.jobs += [
            JobEvidence(self.folder.fold_folder(instance, fold), record, parameters)
            for fold, record in records.items()
            if record["status"] == "done"
        ]

    @property
    def folds(self) -> WrittenFolds:
        """The folds.

        Raises:
            NotCheckableError: folds.json cannot be read.
        """
        if self._folds is None:
            raise NotCheckableError("folds.json is damaged")
        return self._folds

    @cached_property
    def written_corpus(self) -> Corpus | NotCheckableError:
        """The corpus as it lies there now, or why there is none to look at."""
        parameters = next((found["parameters"] for found in self.settings.values()), None)
        if parameters is None or "dataset" not in parameters:
            return NotCheckableError("no settings.json says which corpus it was")
        data_folder = Path(str(parameters.get("data_folder", "data"))) if self._data_folder is None else self._data_folder
        try:
            if not corpus_folder(str(parameters["dataset"]), data_folder).is_dir():
                where = f"the corpus '{parameters['dataset']}' is not in {data_folder}"
                return NotCheckableError(f"{where}; name the folder of corpora with --data-folder")
            return open_corpus(str(parameters["dataset"]), data_folder)
        except (CorpusError, *DAMAGE) as error:
            return NotCheckableError(str(error))

    @property
    def corpus(self) -> Corpus:
        """The corpus that the folds were made from.

        Raises:
            NotCheckableError: It is missing or damaged, or has been prepared anew with another content.
        """
        found = self.written_corpus
        if isinstance(found, NotCheckableError):
            raise found
        if found.index_hash != self.folds.plan.index_hash:
            raise NotCheckableError(f"the corpus in {found.folder} is not the one that the folds were made from")
        return found

    def store(self, job: JobEvidence) -> FeatureStore:
        """Return the feature store of a job.

        Raises:
            NotCheckableError: It is missing, damaged, or made of another corpus.
        """
        folder = self.corpus.folder / "features" / Path(job.record["store"]).name
        if folder not in self._stores:
            self._stores[folder] = self._open_store(folder)
        found = self._stores[folder]
        if isinstance(found, NotCheckableError):
            raise found
        return found

    def _open_store(self, folder: Path) -> FeatureStore | NotCheckableError:
        if not folder.is_dir():
            return NotCheckableError(f"its feature store {folder} is gone; a run of the script with other folds makes it again")
        try:
            found = open_store(folder)
            _ = found.examples
        except (CorpusError, *DAMAGE) as error:
            return NotCheckableError(str(error))
        if found.description.index_hash != self.folds.plan.index_hash:
            return NotCheckableError(f"its feature store {folder} was made of another corpus")
        return found
