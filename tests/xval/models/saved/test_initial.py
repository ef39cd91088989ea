import re

import keras
import numpy as np
import pytest

from preprocessing import store
from xval.base.errors import ResultsError, SettingsError
from xval.base.json_files import write_json
from xval.experiment.check_instance import check_initial_models
from xval.folds.plan import Fold
from xval.jobs.folds_file import load_folds, write_folds
from xval.jobs.plan import make_plan, write_settings
from xval.models.saved.initial import find_initial_model
from xval.results.folder import ExperimentFolder
from xval.settings.resolve import Declaration, resolve


def place(tmp_path, fold, **description):
    """Save a model and what is known of it under the number of a fold; return the path with {fold}."""
    folder = tmp_path / f"fold_{fold}"
    folder.mkdir(exist_ok=True)
    inputs = keras.Input((2,))
    model = keras.Model(inputs, keras.layers.Dense(1)(inputs))
    model.layers[-1].set_weights([np.full((2, 1), fold), np.zeros(1)])
    model.save(folder / "model.keras")
    if description:
        write_json(folder / "model.json", description)
        for name in ("seen_audio", "trained_audio"):
            np.save(folder / f"{name}.npy", np.zeros(0, np.uint64))
    return str(tmp_path / "fold_{fold}" / "model.keras")


@pytest.fixture
def wanted(make_settings):
    return lambda pattern, dataset="small": make_settings(initial_model=pattern, dataset=dataset)


def known(*items):
    """Return what model.json says of a model that some items of the corpus trained."""
    return {name: {"small": [*items]} for name in ("seen_items", "trained_items")}


@pytest.fixture
def corpus_folder(tmp_path):
    """data/small: four items of two examples each."""
    values = {item: np.random.default_rng(ord(item)).normal(size=(2, 3)).astype(np.float32) for item in "abcd"}
    return store.write("small", values, {item: ["x", "y"] for item in values}, data_folder=tmp_path / "data").folder.parents[1]


FOLDS = [Fold(1, ("a", "b"), ("c",), ("d",)), Fold(2, ("c", "d"), ("b",), ("a",))]


def test_each_fold_starts_from_the_model_of_its_number(tmp_path, wanted, corpus_folder):
    place(tmp_path, 1, **known("a", "b"))
    pattern = place(tmp_path, 2, **known("c", "d"))

    found = [find_initial_model(wanted(pattern), fold, corpus_folder) for fold in FOLDS]

    assert [model.path.parent.name for model in found] == ["fold_1", "fold_2"]
    assert found[0].hash != found[1].hash
    assert found[0].facts["initial_model_items"] == "unseen"
    assert check_initial_models(wanted(pattern), FOLDS, corpus_folder) == []
    assert find_initial_model(wanted(None), FOLDS[0], corpus_folder) is None


def test_a_model_that_has_seen_test_items_is_refused(tmp_path, wanted, corpus_folder):
    place(tmp_path, 1, **known("a", "b"))
    pattern = str(tmp_path / "fold_1" / "model.keras")

    message = r"fold 2: initial_model: .*fold_1/model\.keras has seen what fold 2 tests: item a\. Put \{fold\} in its path"
    with pytest.raises(SettingsError, match=message) as caught:
        check_initial_models(wanted(pattern), FOLDS, corpus_folder)

    assert len(str(caught.value).splitlines()) == 1  # fold 1 is well
    third = corpus_folder.rename(corpus_folder.with_name("third"))
    (line,) = check_initial_models(wanted(pattern, dataset="third"), FOLDS, third)
    assert "items of another dataset with the same names (a, b)" in line


def test_every_missing_file_is_named_with_its_fold(tmp_path, wanted, corpus_folder):
    place(tmp_path, 1)
    pattern = str(tmp_path / "folds_{fold}" / "model.keras")

    with pytest.raises(SettingsError) as caught:
        check_initial_models(wanted(pattern), FOLDS, corpus_folder)

    for fold, line in zip((1, 2), str(caught.value).splitlines(), strict=True):
        assert re.match(rf"fold {fold}: initial_model: there is no file .*folds_{fold}/model\.keras\. Train that model", line)


def test_one_missing_file_of_all_folds_is_named_once(wanted, corpus_folder):
    with pytest.raises(
        SettingsError, match=r"^folds 1-2: initial_model: there is no file nix\.keras\. Train that model"
    ) as caught:
        check_initial_models(wanted("nix.keras"), FOLDS, corpus_folder)
    assert len(str(caught.value).splitlines()) == 1


def test_a_damaged_file_is_refused(tmp_path, wanted, corpus_folder):
    pattern = place(tmp_path, 1)
    path = tmp_path / "fold_1" / "model.keras"
    path.write_bytes(path.read_bytes()[:-300])

    with pytest.raises(
        SettingsError, match=r"fold 1: .*model\.keras: not loaded, .* is cut short or damaged .* save the model again"
    ):
        find_initial_model(wanted(pattern), FOLDS[0], corpus_folder)


@pytest.mark.parametrize("description", [{}, {**known("a"), "initial_model_items": "unknown"}])
def test_a_model_of_unknown_items_is_used_and_said_so(tmp_path, description, wanted, corpus_folder):
    pattern = place(tmp_path, 1, **description)

    (line,) = check_initial_models(wanted(pattern), FOLDS[:1], corpus_folder)

    assert re.search(r"model\.keras: the training data of it", line)
    assert find_initial_model(wanted(pattern), FOLDS[0], corpus_folder).facts["initial_model_items"] == "unknown"


def test_the_hash_is_of_the_content_not_of_the_time_of_saving(tmp_path, monkeypatch, wanted, corpus_folder):
    pattern = place(tmp_path, 1)
    before = find_initial_model(wanted(pattern), FOLDS[0], corpus_folder).hash
    path = tmp_path / "fold_1" / "model.keras"
    first = path.read_bytes()
    model = keras.models.load_model(path)
    monkeypatch.setattr("keras.src.saving.saving_lib.datetime", _AnotherDay)
    model.save(path)

    assert path.read_bytes() != first
    assert find_initial_model(wanted(pattern), FOLDS[0], corpus_folder).hash == before


class _AnotherDay:
    """Stand in for the module datetime."""

    class datetime:  # noqa: N801
        @staticmethod
        def now():
            return _AnotherDay

    @staticmethod
    def strftime(_form):
        return "2001-01-01@00:00:00"


def test_finished_folds_of_an_initial_model_that_was_trained_anew_are_not_kept_in_silence(
    tmp_path, corpus_folder, make_record, write_job
):
    pattern = place(tmp_path, 1)
    parameters = {"dataset": "small", "num_folds": 2, "data_folder": str(tmp_path / "data"), "initial_model": pattern}
    (instance,) = resolve(Declaration("exp.py", "exp.py", "", parameters, {1: {}}))
    folder = ExperimentFolder(tmp_path / "results")
    folds = load_folds(folder, instance.settings)
    folder.prepare("a test")
    write_folds(folder, folds, "small", tmp_path / "data")
    write_settings(folder, instance, "a test")
    temporary = folder.begin_fold(1, 1)
    facts = find_initial_model(instance.settings, folds.folds[0], corpus_folder).facts
    hashes = {"settings_hash": instance.settings_hash, "folds_hash": folds.hash}
    write_job(temporary, make_record(1, {"accuracy": 0.5}, **hashes, **facts))
    folder.publish(temporary, 1, 1)
    assert make_plan(folder, [instance], folds).done == [(1, 1, 1)]

    (tmp_path / "fold_1" / "model.keras").unlink()
    assert make_plan(folder, [instance], folds).done == [(1, 1, 1)]
    place(tmp_path, 2)
    (tmp_path / "fold_2" / "model.keras").rename(tmp_path / "fold_1" / "model.keras")

    with pytest.raises(ResultsError, match=r"folds 1\) were made with other settings: another model was at initial_model="):
        make_plan(folder, [instance], folds)
    assert make_plan(folder, [instance], folds, overwrite=True).to_do == [(1, 1, 1), (1, 2, 1)]
