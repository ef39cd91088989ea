"""Read what the rules of the audit check: the files of an experiment, its corpus and its feature stores, each once."""

import hashlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pandas as pd
import pyarrow as pa

from preprocessing.clips.parquet_files import read_table
from preprocessing.corpus import Corpus, open_corpus
from preprocessing.corpus_folder import find_corpus_folder
from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.store import FeatureStore, open_store
from preprocessing.store.moments import DAMAGE
from xval.base.errors import CorpusError, ResultsError, SettingsError, brief
from xval.base.json_files import JsonObject
from xval.folds.predefined import SIDES
from xval.jobs.fold_part import Clips, read_clips_of
from xval.models.saved.provenance import Provenance
from xval.results.folder import ENSEMBLE_NAME, ESTIMATOR_NAME, KERAS_NAME, ExperimentFolder
from xval.results.job_key import JobKey
from xval.results.open import open_results
from xval.results.read import (
    PREDICTION_COLUMNS,
    Record,
    WrittenFolds,
    WrittenInstance,
)
from xval.results.scores import Scores
from xval.settings.parameters import settings_among
from xval.settings.schema import Settings


class NotCheckableError(Exception):
    """Something that a rule needs is missing or unreadable."""


@dataclass(frozen=True)
class JobEvidence:
    """A finished job. Attributes and methods raise a `NotCheckableError` if a file cannot be read.

    Attributes:
        folder: Folder of the fold.
        record: The content of record.json.
        scores: The content of scores.parquet.
        written: The settings.json of its instance; None: damaged.
    """

    folder: Path
    record: Record
    scores: Scores
    written: WrittenInstance | None

    @property
    def name(self) -> str:
        """Instance, fold and repeat in words, for messages."""
        return str(self.key)

    @property
    def key(self) -> JobKey:
        """Instance, fold and repeat."""
        return JobKey.of(self.record)

    @property
    def sides(self) -> dict[str, frozenset[str]]:
        """The items of each side in the record."""
        return {side: frozenset(map(str, self.record["items"][side])) for side in SIDES}

    @property
    def model_path(self) -> Path:
        """The file of its model, whose ending shows the kind."""
        return self.folder / (ESTIMATOR_NAME if self.is_estimator else ENSEMBLE_NAME if self.is_ensemble else KERAS_NAME)

    @property
    def is_estimator(self) -> bool:
        """Whether it fitted a scikit-learn estimator instead of training a network."""
        return "models" in self.record

    @property
    def is_ensemble(self) -> bool:
        """Whether it combined the predictions of other jobs."""
        return "members" in self.record

    @property
    def settings(self) -> Settings:
        """The settings of its instance, with those that the search of its fold has chosen."""
        if self.written is None:
            raise NotCheckableError(f"settings.json of instance {self.record['instance']} is damaged")
        if searched := self.record.get("search"):
            return settings_among({**self.written.parameters, **searched["values"]}, self.written.path)
        return self.written.settings

    def chosen_clips(self, corpus_folder: Path) -> Clips:
        """Return the clips that the conditions of its instance choose, by side; all clips of a side that is missing count."""
        try:
            return read_clips_of(self.settings, corpus_folder)
        except (CorpusError, SettingsError) as error:
            raise NotCheckableError(str(error)) from error

    def feature_settings(self) -> FeatureSettings:
        """Return the feature settings of its instance, checked."""
        try:
            return self.settings.feature_settings()
        except (ValueError, ResultsError) as error:
            raise NotCheckableError(f"its settings.json has no valid feature settings ({type(error).__name__})") from error

    def provenance(self) -> Provenance:
        """Return what its model was trained on; its model.json is readable."""
        provenance = Provenance(self.model_path)
        try:
            _ = provenance.described
        except (ResultsError, OSError) as error:
            raise NotCheckableError("model.json is damaged") from error
        if not self.model_path.with_suffix(".json").is_file():
            raise NotCheckableError("model.json is missing")
        return provenance

    def description(self) -> JsonObject:
        """Return the content of model.json."""
        return self.provenance().described

    def predictions(self) -> pd.DataFrame:
        """Return the columns item, clip, start_s, side and, if there is one, row of predictions.parquet."""
        with self._reading_predictions() as table:
            predictions: pd.DataFrame = table.to_pandas().astype({"item": str, "clip": str, "side": str})
            return predictions

    def predictions_hash(self) -> bytes:
        """Return the SHA-256 of the table of `predictions`; jobs that test the same clips have the same hash."""
        with self._reading_predictions() as table, pa.BufferOutputStream() as content:
            with pa.ipc.new_stream(content, table.schema) as stream:
                stream.write_table(table)
            return hashlib.sha256(content.getvalue()).digest()

    @contextmanager
    def _reading_predictions(self) -> Iterator[pa.Table]:
        try:
            yield read_table(
                self.folder / "predictions.parquet", PREDICTION_COLUMNS, columns=("item", "row", "clip", "start_s", "side")
            )
        except FileNotFoundError as error:
            raise NotCheckableError("predictions.parquet is missing") from error
        except DAMAGE as error:
            raise NotCheckableError(f"predictions.parquet is damaged ({brief(error, 300)})") from error


class Evidence:
    """The files of an experiment. Attributes and methods raise a `NotCheckableError` if a file cannot be read.

    Args:
        folder: Folder of the experiment.
        data_folder: The folder of corpora; None: the data_folder of the settings.
        with_checksums: Compare the checksums of feature stores.
        instances: Read only these; None: all.

    Attributes:
        numbers: The instances that are read.
        instances: The settings.json files that can be read, by instance.
        jobs: The finished jobs with a readable record.
        damage: The files that cannot be read, a line each.
    """

    def __init__(
        self,
        folder: ExperimentFolder,
        data_folder: Path | None,
        *,
        with_checksums: bool = True,
        instances: Collection[int] | None = None,
    ) -> None:
        self.folder = folder
        self.numbers = [number for number in folder.instances() if instances is None or number in instances]
        self.with_checksums = with_checksums
        self.instances: dict[int, WrittenInstance] = {}
        self.jobs: list[JobEvidence] = []
        self.damage: list[str] = []
        self._data_folder = data_folder
        self._stores: dict[Path, FeatureStore | NotCheckableError] = {}
        self._hashes: dict[JobKey, bytes] = {}
        try:
            self._folds: WrittenFolds | None = open_results(folder).folds
        except (ResultsError, OSError) as error:
            self._folds = None
            self.damage.append(str(error))
        for instance in self.numbers:
            self._read_instance(instance)

    def _read_instance(self, instance: int) -> None:
        try:
            written = open_results(self.folder).settings(instance)
            _ = written.settings.dataset, written.settings.data_folder, written.settings.seed  # an error if one is missing
            self.instances[instance] = written
        except (ResultsError, OSError) as error:
            self.damage.append(str(error))
        results = open_results(self.folder)
        records, damaged = results.records(instance)
        self.damage += damaged.values()
        for key, record in records.items():
            if record["status"] != "done":
                continue
            try:
                scores = results.scores(key, record)
            except (ResultsError, OSError) as error:
                self.damage.append(str(error))
            else:
                self.jobs.append(JobEvidence(self.folder.fold_folder(*key), record, scores, self.instances.get(instance)))

    @property
    def folds(self) -> WrittenFolds:
        """The content of folds.json."""
        if self._folds is None:
            raise NotCheckableError("folds.json is damaged")
        return self._folds

    @cached_property
    def written_corpus(self) -> Corpus | NotCheckableError:
        """The corpus as it is now, or why it cannot be read."""
        if not self.instances:
            return NotCheckableError("no settings.json names the dataset")
        settings = next(iter(self.instances.values())).settings
        try:
            data_folder = self._data_folder or Path(settings.data_folder)
            if not find_corpus_folder(settings.dataset, data_folder).is_dir():
                where = f"the dataset '{settings.dataset}' is not in {data_folder}"
                return NotCheckableError(f"{where}. Give the folder of datasets with --data-folder")
            return open_corpus(settings.dataset, data_folder)
        except (CorpusError, ResultsError, *DAMAGE) as error:
            return NotCheckableError(str(error))

    @property
    def corpus(self) -> Corpus:
        """The corpus that the folds were made from; `NotCheckableError` if it was prepared again with different content."""
        corpus = self.written_corpus
        if isinstance(corpus, NotCheckableError):
            raise corpus
        if corpus.index_hash != self.folds.plan.index_hash:
            raise NotCheckableError(f"the dataset in {corpus.folder} is not the one from which the folds were made")
        return corpus

    def store(self, job: JobEvidence) -> FeatureStore:
        """Return the feature store of a job; `NotCheckableError` if it was made from another corpus."""
        folder = self.corpus.folder / "features" / Path(job.record["store"]).name
        if folder not in self._stores:
            self._stores[folder] = self._open_store(folder)
        store = self._stores[folder]
        if isinstance(store, NotCheckableError):
            raise store
        return store

    def predictions_hash(self, job: JobEvidence) -> bytes:
        """Return the hash of the predictions of a job, which are read only once."""
        if job.key not in self._hashes:
            self._hashes[job.key] = job.predictions_hash()
        return self._hashes[job.key]

    def _open_store(self, folder: Path) -> FeatureStore | NotCheckableError:
        if not folder.is_dir():
            return NotCheckableError(
                f"its feature store {folder} is missing; a run of the script with other folds makes it again"
            )
        try:
            store = open_store(folder)
            _ = store.examples
        except (CorpusError, *DAMAGE) as error:
            return NotCheckableError(str(error))
        if store.description.index_hash != self.folds.plan.index_hash:
            return NotCheckableError(f"its feature store {folder} was made from another dataset")
        return store
