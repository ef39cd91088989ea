import json

import pytest

from preprocessing.corpus import open_corpus
from preprocessing.features.feature_settings import FeatureSettings
from xval.base.errors import FoldsError, SettingsError
from xval.engine.worker.check_models import check_models
from xval.experiment.check_combination import check_combined_models
from xval.folds.plan import Fold
from xval.settings.combination import CombinationOptions
from xval.training.classical import check_estimator

FEATURES = FeatureSettings()
FOLD = Fold(1, ("s0", "s1", "s2"), ("s3",), ("s4", "s5"))


@pytest.fixture
def toy(custom_store):
    return open_corpus("toy", custom_store.folder.parents[2])


def options(*models, basic_features=False):
    return CombinationOptions(tuple(map(str, models)), 1, basic_features, "svm", 100)


def test_a_model_of_this_fold_and_these_features_passes_without_a_word(custom_store, toy, make_network):
    path = make_network(custom_store)

    assert check_combined_models(options(str(path).replace("fold_1", "fold_{fold}")), FEATURES, toy, [FOLD]) == []


def test_skops_is_asked_for_before_anything_is_trained(monkeypatch, toy):
    monkeypatch.setattr(check_estimator, "find_spec", lambda name: None)

    with pytest.raises(SettingsError, match=r"pip install -e '\.\[combination\]'"):
        check_combined_models(options(), FEATURES, toy, [FOLD])


def test_a_model_that_is_missing_is_named(tmp_path, toy):
    path = tmp_path / "fold_{fold}" / "model.keras"

    with pytest.raises(SettingsError, match=r"fold_1/model\.keras does not exist .* Train that instance first"):
        check_combined_models(options(path), FEATURES, toy, [FOLD])


def test_a_model_without_its_description_is_refused(custom_store, toy, make_network):
    path = make_network(custom_store)
    (path.parent / "model.json").unlink()

    with pytest.raises(SettingsError, match=r"has no model\.json next to it"):
        check_combined_models(options(path), FEATURES, toy, [FOLD])


def test_a_model_of_other_features_is_refused_with_what_differs(tones, tone_store, make_network):
    corpus, settings = tones
    changed = {name: value for name, value in settings.model_dump().items() if value != getattr(FEATURES, name)}
    path = make_network(tone_store, parameters=changed)
    other = settings.model_copy(update={"n_mels": 24})

    with pytest.raises(SettingsError, match="trained on other features: n_mels is 8 there and 24 here"):
        check_combined_models(options(path), other, corpus, [FOLD])
    assert check_combined_models(options(path), settings, corpus, [FOLD]) == []


def test_a_model_that_this_run_will_write_need_not_be_there_but_must_fit(tmp_path, tones):
    corpus, settings = tones
    path = tmp_path / "instance_1" / "fold_1" / "model.keras"

    assert check_combined_models(options(path), settings, corpus, [FOLD], {path.resolve(): settings}) == []
    with pytest.raises(SettingsError, match="trained on other features"):
        check_combined_models(options(path), settings, corpus, [FOLD], {path.resolve(): FEATURES})


def test_a_model_that_has_seen_a_test_item_is_refused_and_one_that_may_have_is_told_of(custom_store, toy, make_network):
    path = make_network(custom_store)
    other = Fold(2, ("s3", "s4", "s5"), ("s2",), ("s0", "s1"))

    with pytest.raises(FoldsError, match=r"has seen what fold 2 tests: item s0, s1 and \d+ of its"):
        check_combined_models(options(path), FEATURES, toy, [FOLD, other])
    for name in ("seen_audio.npy", "trained_audio.npy"):
        (path.parent / name).unlink()
    described = json.loads((path.parent / "model.json").read_text())
    (path.parent / "model.json").write_text(json.dumps(described | {"seen_items": None, "trained_items": None}))
    (warning,) = check_combined_models(options(path), FEATURES, toy, [FOLD, other])
    assert warning.startswith(f"possible leakage: {path} (fold 1, 2): the training data of it")


def test_arrays_have_no_basic_features(toy):
    with pytest.raises(SettingsError, match="dataset 'toy' was made from arrays"):
        check_combined_models(options(basic_features=True), FEATURES, toy, [FOLD])


def test_one_training_item_is_too_few_to_search_with(toy):
    with pytest.raises(FoldsError, match="fold 3 has only one training item"):
        check_combined_models(options(), FEATURES, toy, [Fold(3, ("s0",), ("s1",), ("s2",))])


def test_its_metrics_are_tried_before_anything_is_fitted(tone_store, make_job, own_package, monkeypatch):
    monkeypatch.setattr("xval.jobs.prepare_backend_for_job.prepare_backend", lambda **_: None)
    features = tone_store.description.feature_settings
    fine, wrong = (
        make_job(tone_store, parameters=features, models=(), metrics=f"own_package.parts.{name}")
        for name in ("worst", "several")
    )

    assert check_models([fine]) == []
    assert len(check_models([fine, wrong])) == 1
    assert "metric 'several' returned an array of shape (" in check_models([wrong])[0]
