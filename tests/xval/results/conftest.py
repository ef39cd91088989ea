"""An experiment folder, written record by record."""

from functools import partial

import pytest

from xval.json_files import write_json
from xval.results.folder import ExperimentFolder


def deal(fold):
    return {"number": fold, "training": ["x"], "validation": ["y"], "test": [f"speaker {fold}"]}


class Results:
    """An experiment of which nothing has run, until folds are added."""

    def __init__(self, make_record, root, *, dataset="demo", number=1, n_folds=2):
        self.folder = ExperimentFolder(root / dataset / f"experiment_{number}")
        self.folder.prepare("a test")
        self.parameters = {"task_type": "classification", "monitor": "val_accuracy", "dataset": dataset}
        self.parameters |= {"num_experiment": number, "comment_1": "", "comment_2": "", "architecture": "mlp", "batch_size": 32}
        self.make_record = make_record
        folds = {"hash": "f", "index_hash": "i", "settings": {}, "folds": [deal(fold) for fold in range(1, n_folds + 1)]}
        write_json(self.folder.folds_file, folds)

    def add_instance(self, number, **parameters):
        content = {"instance": number, "description": "a test", "settings_hash": f"s{number}", "sources": {}}
        content |= {"parameters": self.parameters | parameters}
        self.folder.instance_folder(number).mkdir(exist_ok=True)
        write_json(self.folder.instance_folder(number) / "settings.json", content)

    def add_fold(self, number, fold, metrics, predictions=None, /, **changes):
        """Publish a fold as a job does, and return its folder."""
        temporary = self.folder.begin_fold(number, fold)
        hashes = {"instance": number, "settings_hash": f"s{number}", "folds_hash": "f", "code_hash": "c", "store": "x"}
        write_json(temporary / "record.json", self.make_record(fold, metrics, **hashes | changes))
        (temporary / "history.csv").write_text("epoch,loss,val_loss\n1,0.5,0.6\n")
        if predictions is not None:
            predictions.to_parquet(temporary / "predictions.parquet", index=False)
        self.folder.publish(temporary, number, fold)
        return self.folder.fold_folder(number, fold)


@pytest.fixture
def make_results(make_record):
    return partial(Results, make_record)


@pytest.fixture
def results(make_results, tmp_path):
    return make_results(tmp_path)
