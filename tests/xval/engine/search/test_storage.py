"""Copies of searches in a data base: what they hold, and where a password stays."""

import json

import optuna
import pytest

from xval.base.errors import SettingsError
from xval.engine.search.storage import open_storage


def test_each_search_is_copied_as_it_goes_on_and_a_fault_of_the_data_base_ends_nothing(probe, tmp_path, monkeypatch):
    probe.write_corpus(tmp_path)
    monkeypatch.setenv("PLACE", str(tmp_path))
    url = "sqlite:///${PLACE}/search.db"
    plan = {"n_trials": 4, "at_once": 2, "storage": url}

    with pytest.raises(KeyboardInterrupt):
        probe.search(tmp_path, n_jobs=6, **plan)
    begun = [study.n_trials for study in optuna.get_all_study_summaries(open_storage(url))]
    (first, second) = probe.search(tmp_path, **plan)

    assert begun == [4, 4]  # of which two have ended
    study = optuna.load_study(
        study_name="/".join([*tmp_path.parts[-1:], "results, instance 1, fold 1"]), storage=open_storage(url)
    )
    assert (study.best_trial.number + 1, study.best_value) == (first.chosen["trial"], first.chosen["score"])
    assert [trial.state.is_finished() for trial in study.trials] == [True] * 4
    records = [path.read_text() for path in tmp_path.rglob("record.json")]
    assert records
    assert not any(str(tmp_path) in json.dumps(json.loads(text).get("parameters", {})) for text in records)
    monkeypatch.setenv("PLACE", str(tmp_path / "nowhere"))
    assert [job.chosen["trial"] for job in probe.search(tmp_path, **plan)] == [first.chosen["trial"], second.chosen["trial"]]


@pytest.mark.parametrize("url", ["sqlite:////dev/null/${SECRET}.db", "nothing://${SECRET}@host/db"])
def test_a_data_base_that_cannot_be_opened_is_named_without_the_values_of_variables(monkeypatch, url):
    with pytest.raises(SettingsError, match="the environment variable SECRET is not set"):
        open_storage(url)
    monkeypatch.setenv("SECRET", "xyzzy")

    with pytest.raises(SettingsError, match=r"cannot be opened \(") as caught:
        open_storage(url)

    assert "xyzzy" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("url", "refused"),
    [
        ("postgresql://me:xyzzy@host/db", True),
        ("postgresql://me:${A}xyzzy@host/db", True),
        ("postgresql://host/db?user=me&password=xyzzy", True),
        ("postgresql://me:${PASSWORD}@host/db?password=${OTHER}", False),
        ("postgresql://me@host:5432/db", False),
        ("${URL}", False),
    ],
)
def test_a_password_is_refused_and_not_repeated(make_settings, url, refused):
    if not refused:
        assert make_settings(search_storage=url).search_storage == url
        return
    with pytest.raises(SettingsError, match="search_storage contains a password") as caught:
        make_settings(search_storage=url)
    assert "xyzzy" not in str(caught.value)
