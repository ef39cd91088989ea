"""Jobs of the benchmarks of devices."""

from importlib import import_module
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / "benchmarks"


def test_there_are_as_many_jobs_as_workers_to_warm_up_also_where_the_store_has_fewer_items(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(FOLDER))
    folds = import_module("_folds")
    stored = folds.write_store(tmp_path, n_items=5, n_examples=50, shape=(4, 3))

    jobs = folds.make_jobs(tmp_path, stored, 16, {"dataset": "folds", "architecture": "mlp"})

    assert [job.fold.number for job in jobs] == list(range(1, 17))
    for job in jobs:
        assert len({*job.fold.training, *job.fold.validation, *job.fold.test}) == 5
        assert [len(getattr(job.fold, side)) for side in ("training", "validation", "test")] == [3, 1, 1]
    assert [(job.fold.validation, job.fold.test) for job in jobs[:2]] == [
        (("item_01",), ("item_02",)),
        (("item_02",), ("item_03",)),
    ]
