"""A search is scored by inner folds, which are made as the folds of the experiment are."""

from types import SimpleNamespace

import pandas as pd
import pytest

from xval.errors import FoldsError
from xval.experiment.search import make_search
from xval.folds.split import Fold
from xval.jobs.job import Job
from xval.settings.resolve import Declaration, resolve
from xval.settings.space import SearchPlan, log_uniform

ITEMS = tuple(f"garden_{number}" for number in range(8))


@pytest.mark.parametrize("n_rare", [1, 4])
def test_each_label_of_clips_with_several_trains_in_each_inner_fold(tmp_path, n_rare):
    labels = {item: "dog;rain" if number < n_rare else "rain" for number, item in enumerate(ITEMS)}
    index = pd.DataFrame({"item": sorted(ITEMS * 3)})
    clips = [f"{item}/{take}.wav" for item in ITEMS for take in range(3)]
    index = index.assign(clip=clips, path=clips, audio_hash=clips, label=index["item"].map(labels), augmented=False)
    index = index.assign(phase=None, fold=None, source_clip=None, start_s=float("nan"), end_s=float("nan"))
    shared = {"dataset": "gardens", "task_type": "multilabel_classification"}
    (instance,) = resolve(Declaration("exp.py", "exp.py", "a search", shared, {1: {"architecture": "mlp"}}))
    job = Job(str(tmp_path), "", "", 1, Fold(1, ITEMS, (), ()), instance.settings, {}, "hash", "folds", 1)
    plan = SearchPlan({"learning_rate": log_uniform(1e-4, 1e-1)}, n_trials=2, inner_folds=4)

    if n_rare == 1:
        with pytest.raises(FoldsError, match=r"inner_folds=4.*'dog'"):
            make_search(job, plan, SimpleNamespace(index=index), lambda _: instance)
        return
    search = make_search(job, plan, SimpleNamespace(index=index), lambda _: instance)
    assert [len(set(ITEMS[:n_rare]) & set(fold.validation)) for fold in search.folds] == [1, 1, 1, 1]
