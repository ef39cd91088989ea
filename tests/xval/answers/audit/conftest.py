"""Copies of a finished experiment that tests damage, and what the audit says of them."""

import io
import json
import shutil
import zipfile

import h5py
import pandas as pd
import pytest

from preprocessing import corpus
from preprocessing.clips.near_pairs import write_pairs
from preprocessing.store.checksums import write_checksums
from xval.answers.audit import audit
from xval.base.file_forms import form_of
from xval.folds.plan import FoldPlan
from xval.jobs.model_files import hash_model_files
from xval.results.folder import ExperimentFolder


class Copy:
    """A copy of a finished experiment, moved to another place, with a copy of its corpus."""

    def __init__(self, finished, folder):
        self.results, self.data = folder / "moved", folder / "data"
        shutil.copytree(finished.results, self.results)
        shutil.copytree(finished.folder / "data", self.data)
        self.corpus = self.data / "tones"
        self.search_pairs([])

    def search_pairs(self, pairs):
        """Leave what a search for near-duplicates leaves that has found these."""
        write_pairs(self.corpus, corpus.open_corpus("tones", self.data).index_hash, pairs)

    def instances(self):
        return ExperimentFolder(self.results).instances()

    def fold(self, instance=1, fold=1):
        return self.results / f"instance_{instance}" / f"fold_{fold}"

    def edit(self, path, change):
        """Let a function change the content of a JSON file in place, and return it."""
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))
        return content

    def record(self, instance=1, fold=1):
        return json.loads((self.fold(instance, fold) / "record.json").read_text())

    def edit_score(self, value, metric, side="test", *, of_items=False):
        """Change a score of the first fold, of a side or of each item in it."""
        path = self.fold() / "scores.parquet"
        rows = pd.read_parquet(path)
        chosen = (rows["side"] == side) & (rows["metric"] == metric) & ((rows["item"] != "") == of_items)
        assert chosen.any()
        rows.loc[chosen, "value"] = value
        rows.to_parquet(path, index=False)

    def predictions(self, instance=1):
        return pd.read_parquet(self.fold(instance) / "predictions.parquet")

    def change_predictions(self, change, instance=1):
        change(self.predictions(instance)).to_parquet(self.fold(instance) / "predictions.parquet", index=False)

    def change_model(self, change, instance=1):
        """Let a function change the HDF5 file in the .keras file of a fold."""
        path = self.fold(instance) / "model.keras"
        with zipfile.ZipFile(path) as archive:
            members = {name: archive.read(name) for name in archive.namelist()}
        weights = io.BytesIO(members["model.weights.h5"])
        with h5py.File(weights, "r+") as file:
            change(file["layers/batch_normalization/vars"])
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in (members | {"model.weights.h5": weights.getvalue()}).items():
                archive.writestr(name, content)
        self.write_hashes(instance)

    def write_hashes(self, instance):
        """Let the record of a fold have the hashes of the model that is there now."""
        hashes = hash_model_files(self.fold(instance))
        self.edit(self.fold(instance) / "record.json", lambda record: record.update(model_sha256=hashes))

    def write_folds(self, change):
        """Change folds.json and give it the hash of its new content."""
        content = self.edit(self.results / "folds.json", change)
        self.edit(
            self.results / "folds.json", lambda written: written.update(hash=form_of(FoldPlan).validate_python(content).hash)
        )
        return content

    def write_corpus(self, change):
        """Let a function change the index, and write it as preprocessing would; the results and stores are made to name it."""
        opened = corpus.open_corpus("tones", self.data)
        made = corpus.write_index(
            change(opened.index), folder=self.corpus, corpus="table", audio_folder=opened.audio_folder,
            task_type="classification", class_names=opened.class_names,
        )  # fmt: skip
        self.search_pairs([])
        content = self.write_folds(lambda written: written.update(index_hash=made.index_hash))
        written = json.loads((self.results / "folds.json").read_text())["hash"]
        for path in self.results.glob("instance_*/fold_*/record.json"):
            self.edit(path, lambda record: record.update(folds_hash=written))
        for path in self.corpus.glob("features/*/store.json"):
            self.edit(path, lambda store: store.update(index_hash=made.index_hash))
            write_checksums(path.parent)
        return content

    def audit(self):
        """Return the verdicts by their rules."""
        return {verdict.rule: verdict for verdict in audit(ExperimentFolder(self.results), self.data)}

    def only_failure(self):
        """Return the one rule that has failed, and its faults as one text.

        Where predictions were changed the figures fail, too.
        """
        failed = [verdict for verdict in self.audit().values() if verdict.state == "FAILED"]
        failed = [verdict for verdict in failed if verdict.rule != "scores"] or failed
        assert len(failed) == 1, [(verdict.rule, verdict.faults) for verdict in failed]
        return failed[0].rule, "\n".join(failed[0].faults)

    def faults_of_only(self, rule):
        """Return the faults of the only rule that has failed, which is this one."""
        failed, faults = self.only_failure()
        assert failed == rule
        return faults


@pytest.fixture
def copy(finished, tmp_path):
    return Copy(finished, tmp_path)
