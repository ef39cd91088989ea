import json

import pytest

from xval.base.errors import ResultsError, SettingsError
from xval.jobs.plan import write_settings
from xval.jobs.written_settings import differences, restore_instance, with_values
from xval.results.folder import ExperimentFolder
from xval.settings.resolve import Declaration, resolve


@pytest.fixture
def written(tmp_path):
    """Return the folder of an experiment with an instance 2, and that instance as it was resolved."""
    declaration = Declaration("exp.py", "exp.py", "a test", {"dataset": "toy"}, {2: {"architecture": "mlp", "n_units": (5, 4)}})
    (instance,) = resolve(declaration)
    folder = ExperimentFolder(tmp_path)
    write_settings(folder, instance, "a test", "exp.py")
    return folder, instance


def change(folder, **changes):
    path = folder.instance_folder(2) / "settings.json"
    content = json.loads(path.read_text())
    content["parameters"] |= {name: value for name, value in changes.items() if value is not None}
    for name in [name for name, value in changes.items() if value is None]:
        del content["parameters"][name]
    path.write_text(json.dumps(content))


def test_an_instance_comes_back_as_it_was_resolved_whatever_config_ini_says_now(written, monkeypatch):
    folder, instance = written
    monkeypatch.setenv("KERAS_BACKEND", "jax")

    found = restore_instance(folder, 2)

    assert found.settings == instance.settings
    assert found.parameters == instance.parameters
    assert (found.settings_hash, found.sources) == (instance.settings_hash, instance.sources)
    assert folder.settings(2)["script"] == "exp.py"


def test_an_instance_that_has_not_run_is_named_with_those_that_have(written):
    with pytest.raises(ResultsError, match=r": no instance 3\. Available: 2"):
        restore_instance(written[0], 3)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"learning_rate": 0.5}, "does not match its settings_hash, so it was edited"),
        ({"batch_size": None}, "batch_size: Field required.*it, run it again"),
        ({"architecture": "own_nets.net"}, "no module 'own_nets'.*or add their folder to PYTHONPATH"),
    ],
)
def test_settings_that_were_edited_or_are_of_another_version_are_refused(written, changes, reason):
    change(written[0], **changes)

    with pytest.raises(ResultsError, match=rf"settings\.json: .*{reason}"):
        restore_instance(written[0], 2)


def test_a_damaged_file_is_named(written):
    (written[0].instance_folder(2) / "settings.json").write_text("{}")

    with pytest.raises(ResultsError, match=r"settings\.json: damaged \(KeyError: 'parameters'\)"):
        restore_instance(written[0], 2)


def test_only_what_can_change_a_result_differs():
    before = {"learning_rate": 0.1, "comment_1": "a", "dropout": 0.5}

    assert differences(before, {"learning_rate": 0.2, "comment_1": "b"}) == [
        "dropout was 0.5, now not there",
        "learning_rate was 0.1, now 0.2",
    ]


def test_a_setting_that_is_no_more_is_read_and_leaves_the_hash_as_it_was(written):
    change(written[0], engine="sequential")

    assert restore_instance(written[0], 2).settings.architecture


def test_values_of_a_search_take_the_place_of_what_was_written(written):
    folder, _ = written
    instance = restore_instance(folder, 2)

    other = with_values(instance, {"n_units": (3,), "n_mels": 16, "learning_rate": 0.5})

    assert (other.settings.n_mels, other.settings.learning_rate, other.options["n_units"]) == (16, 0.5, (3,))
    assert other.options["dropout"] == instance.options["dropout"]
    deeper = with_values(instance, {"architecture": "cnn_small"})  # whose n_units are its own
    (resolved,) = resolve(Declaration("exp.py", "", "", {"dataset": "toy"}, {2: {"architecture": "cnn_small"}}))
    assert deeper.options == resolved.options
    with pytest.raises(SettingsError, match=r"instance 2: .*n_mfcc=13 is more than n_mels=8"):
        with_values(instance, {"features": "mfcc", "n_mels": 8})
