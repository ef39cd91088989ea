"""A search is scored by inner folds, which are made as the folds of the experiment are."""

from functools import partial
from types import SimpleNamespace

import pandas as pd
import pytest

from xval.base.errors import FoldsError
from xval.experiment.search import feature_variants, make_search
from xval.folds.plan import Fold
from xval.jobs.job import Job
from xval.settings.resolve import Declaration, resolve, resolve_values
from xval.settings.space import SearchPlan, choice, log_uniform

ITEMS = tuple(f"garden_{number}" for number in range(8))


@pytest.mark.parametrize(("n_rare", "train_where"), [(1, None), (4, None), (1, 'label != "dog;rain"')])
def test_each_label_of_clips_that_count_trains_in_each_inner_fold(tmp_path, n_rare, train_where):
    index = pd.DataFrame({"item": sorted(ITEMS * 3)})
    clips = [f"{item}/{take}.wav" for item in ITEMS for take in range(3)]
    labels = ["dog;rain" if item in ITEMS[:n_rare] and take == 0 else "rain" for item in ITEMS for take in range(3)]
    index = index.assign(clip=clips, path=clips, audio_hash=clips, label=labels, augmented=False)
    index = index.assign(phase=None, fold=None, source_clip=None, start_s=float("nan"), end_s=float("nan"))
    shared = {"dataset": "gardens", "task_type": "multilabel_classification"}
    parameters = {"architecture": "mlp", "train_where": train_where}
    (instance,) = resolve(Declaration("exp.py", "exp.py", "a search", shared, {1: parameters}))
    job = Job(str(tmp_path), "", "", 1, Fold(1, ITEMS, (), ()), instance.settings, {}, "hash", "folds", 1)
    plan = SearchPlan({"learning_rate": log_uniform(1e-4, 1e-1)}, n_trials=2, inner_folds=4)

    corpus = SimpleNamespace(index=index, folder=tmp_path)

    if n_rare == 1 and not train_where:
        with pytest.raises(FoldsError, match=r"inner_folds=4.*'dog'"):
            make_search(job, plan, corpus, lambda _: instance)
        return
    found = [
        len(set(ITEMS[:n_rare]) & set(fold.validation)) for fold in make_search(job, plan, corpus, lambda _: instance).folds
    ]
    assert sorted(found) == ([0, 0, 0, 1] if train_where else [1, 1, 1, 1])


@pytest.mark.parametrize("features", [{}, {"n_mels": choice([20, 40])}])
def test_statistics_are_made_where_some_trial_scales_by_them(features):
    plan = SearchPlan({"normalization": choice(["per_clip", "global"]), **features}, n_trials=2).to_text()
    shared = {"architecture": "cnn_small", "features": "waveform", "frontend": "logmel", "normalization": "none"}
    declaration = Declaration("exp.py", "exp.py", "a search", shared, {1: {"search": plan}})

    variants = feature_variants(resolve(declaration)[0], partial(resolve_values, declaration, 1, {}))

    assert [each.settings.normalization for each in variants] == ["global"] * len(variants)
    assert {each.settings.n_mels for each in variants} == ({20, 40} if features else {resolve(declaration)[0].settings.n_mels})
