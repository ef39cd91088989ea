import json
import zipfile

import numpy as np
import pandas as pd
import pytest
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from skops import io

from xval import load_model
from xval.base.errors import ResultsError, SettingsError
from xval.engine.worker.run import run_fold
from xval.jobs.observers import Observers
from xval.models.predict import predict
from xval.reuse.inference.estimator import load_estimator
from xval.training.classical.estimators import EstimatorSpec
from xval.training.classical.search import Part, fit_estimator
from xval.training.combination.basic_features import all_examples, make_basic_features, read_basic_features

TESTED = ("s4", "s5")


@pytest.fixture
def on_tones(tones, tone_store, make_job, make_network, folder):
    """Run a fold on tones with a network and basic features; return the predictions that it left."""
    corpus, settings = tones
    given = {"dataset": "tones", **settings.model_dump()}
    make_basic_features(corpus, tone_store, settings)
    run_fold(
        make_job(tone_store, parameters=given, models=[str(make_network(tone_store, parameters=given))]), folder, Observers()
    )
    kept = pd.read_parquet(folder / "predictions.parquet")
    return kept[kept["side"] == "test"].sort_values(["item", "row"]).reset_index(drop=True)


def probabilities(table):
    return table.filter(like="probability_").to_numpy()


def answers(folder, store, settings=None):
    """Return what a loaded combination says of the test items of a store, float32 (n_examples, n_classes)."""
    combination, examples = load_estimator(folder), all_examples(store, settings, TESTED)
    parts = [predict(network, examples, 32) for network in combination.networks]
    if combination.needs_basic:
        parts.append(read_basic_features(store, settings, examples.table))
    return combination.fitted.answers(np.concatenate(parts, axis=1))


def test_a_loaded_combination_predicts_the_same_for_a_store(on_tones, tones, tone_store, folder):
    found = answers(folder, tone_store, tones[1])

    np.testing.assert_array_equal(found, probabilities(on_tones))
    names = load_estimator(folder).description.class_names
    assert [names[number] for number in found.argmax(axis=1)] == on_tones["predicted"].tolist()


def test_a_loaded_combination_predicts_the_same_for_audio(on_tones, tones, folder):
    corpus, _ = tones
    paths = corpus.index.set_index("clip").loc[on_tones["clip"].unique(), "path"]

    model = load_model(folder)

    found = model.predict([corpus.audio_folder / path for path in paths], per="example")

    np.testing.assert_allclose(probabilities(found), probabilities(on_tones), atol=1e-6)
    np.testing.assert_allclose(found["start_s"], on_tones["start_s"])
    assert found["path"].nunique() == 8
    with pytest.raises(SettingsError, match=r"has no layers\. Use the networks .* record\.json next to it lists"):
        model.embed(corpus.audio_folder)


def test_hand_crafted_features_alone_predict_audio_too(tones, tone_store, make_job, folder):
    corpus, settings = tones
    make_basic_features(corpus, tone_store, settings)
    run_fold(make_job(tone_store, parameters={"dataset": "tones", **settings.model_dump()}), folder, Observers())
    kept = pd.read_parquet(folder / "predictions.parquet").query("side == 'test'").sort_values(["item", "row"])
    paths = corpus.index.set_index("clip").loc[kept["clip"].unique(), "path"]

    found = load_model(folder).predict([corpus.audio_folder / path for path in paths], per="example")

    np.testing.assert_allclose(probabilities(found), probabilities(kept), atol=1e-6)


def test_what_is_loaded_needs_nothing_but_its_folder(on_tones, tmp_path, tones, tone_store, folder):
    moved = folder.rename(tmp_path / "elsewhere")
    for path in (tmp_path / "cnn").rglob("*"):
        if path.is_file():
            path.unlink()

    np.testing.assert_array_equal(answers(moved, tone_store, tones[1]), probabilities(on_tones))


@pytest.mark.parametrize("name", ["svm", "random_forest", "logistic_regression"])
def test_each_classifier_comes_back_without_pickle(custom_store, make_job, make_network, folder, name):
    job = make_job(custom_store, models=[str(make_network(custom_store))], basic_features=False, classifier=name)
    run_fold(job, folder, Observers())

    kept = pd.read_parquet(folder / "predictions.parquet").query("side == 'test'").sort_values(["item", "row"])
    np.testing.assert_array_equal(answers(folder, custom_store), probabilities(kept))
    with zipfile.ZipFile(folder / "model.skops") as archive:
        assert all(member.endswith((".json", ".npy")) for member in archive.namelist())
        for member in archive.namelist():
            if member.endswith(".npy"):
                np.load(archive.open(member), allow_pickle=False)


@pytest.fixture
def save(folder, make_description):
    """Return a function that puts a pipeline in the place of a saved one, with the description of a combination."""

    def save(pipeline, class_names=("a", "b"), **changes):
        io.dump(pipeline, folder / "model.skops")
        about = {"classifier": "svm", "classifier_settings": {}, "temperature": None, "n_networks": 0, "layers_dropped": 0}
        combination = about | {"basic_features": True} | changes
        described = make_description(architecture="feature_combination", class_names=class_names, combination=combination)
        (folder / "model.json").write_text(json.dumps(described))

    return save


def fitted_forest(seed=0):
    features = np.random.default_rng(seed).normal(size=(30, 3))
    part = Part(features, (features[:, 0] > 0).astype(int))
    return fit_estimator(
        part, np.arange(30) % 3, EstimatorSpec("forest", n_trees=10), n_outputs=2, has_classes=True, seed=1
    ).pipeline


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_networks", -1), ("n_networks", "all"), ("temperature", 0), ("temperature", float("inf")),
        ("temperature", [1]), ("basic_features", "perhaps"), ("classifier_settings", [1]),
    ],
)  # fmt: skip
def test_a_doctored_description_of_a_combination_is_refused(folder, name, value, save):
    save(fitted_forest(), **{name: value})

    with pytest.raises(ResultsError, match=rf"model\.json: does not describe a model .*combination\.{name}"):
        load_estimator(folder)


def test_a_classifier_of_other_classes_is_refused(folder, save):
    save(fitted_forest())
    assert load_estimator(folder).description.class_names == ("a", "b")

    save(fitted_forest(), class_names=("a",))
    with pytest.raises(ResultsError, match=r"model\.skops: its classifier has the classes .*from 0 to 0"):
        load_estimator(folder)

    negative = fitted_forest()
    negative[-1].classes_ = np.array([-1, 0])
    save(negative)
    with pytest.raises(ResultsError, match="expected numbers from 0 to 1"):
        load_estimator(folder)


def test_what_is_no_classifier_of_xval_is_refused(folder, save):
    save(Pipeline([("any", FunctionTransformer(exec))]))
    with pytest.raises(ResultsError, match="not loaded, because it has parts that no classifier of xval has"):
        load_estimator(folder)

    save([1, 2])
    with pytest.raises(ResultsError, match="has a list; expected a Pipeline"):
        load_estimator(folder)


@pytest.mark.parametrize(("field", "value"), [("left_child", 10_000), ("left_child", 0), ("feature", 77), ("feature", -9)])
def test_a_tree_that_points_outside_is_refused(folder, field, value, save):
    pipeline = fitted_forest()
    tree = pipeline[-1].estimators_[2].tree_
    state = tree.__getstate__()
    state["nodes"][field][0] = value
    tree.__setstate__(state)
    save(pipeline)

    with pytest.raises(ResultsError, match="a tree of its forest points at nodes or features that do not exist"):
        load_estimator(folder)


def test_a_folder_without_a_combination_is_named(tmp_path, folder, save):
    with pytest.raises(ResultsError, match="has no scikit-learn"):
        load_estimator(tmp_path)
    save(Pipeline([("any", FunctionTransformer())]))
    (folder / "model.skops").write_bytes(b"no zip")
    with pytest.raises(ResultsError, match=r"model\.skops: not loaded, because it is not a zip archive"):
        load_estimator(folder)
