"""A new study: its experiment runs with its own network and settings, and its reader reads, from another folder too."""

import json
import sys

import pytest

import architectures
from preprocessing import corpora
from preprocessing.corpora import corpus_names, recognise, summarise_corpus
from xval.__main__ import main
from xval.base.errors import CorpusError, SettingsError
from xval.settings.architectures import architecture_names, find_architecture


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Make a study; what it adds to packages of the project is gone after the test."""
    for package in (architectures, corpora):
        monkeypatch.setattr(package, "__path__", list(package.__path__))
    for name in ("architectures.own_cnn", "preprocessing.corpora.own_words"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.chdir(tmp_path)
    find_architecture.cache_clear()
    assert main(["new", "my_study"]) == 0
    yield tmp_path / "my_study"
    find_architecture.cache_clear()


def test_its_experiment_trains_its_own_network_from_another_folder(study, project, in_process):
    (project.folder / "data").rename(study / "data")

    small = ("--set", "dataset=toy", "--set", "num_epochs=1", "--set", "page=none")
    ended = project.run_script(study / "experiments" / "first.py", 2, 2, "cpu", "--folds", 1, "--quiet", *small)

    assert ended.returncode == 0, ended.stderr
    results = study / "results" / "toy" / "experiment_1"
    record = json.loads((results / "instance_2" / "fold_1" / "record.json").read_text())
    settings = json.loads((results / "instance_2" / "settings.json").read_text())
    assert (record["status"], settings["parameters"]["architecture"]) == ("done", "own_cnn")
    (copy,) = (results / "code").iterdir()
    for place in ("architectures/own_cnn.py", "study/corpora/own_words.py", "study/config.ini", "script/first.py"):
        assert (copy / place).is_file(), place
    assert len(json.loads((results / "folds.json").read_text())["folds"]) == 12, "4 folds of its config.ini, three times"


def test_the_next_command_can_be_pasted(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)

    assert main(["new", "study two"]) == 0

    assert "cd 'study two'" in capsys.readouterr().out.replace('"', "'")


def test_its_reader_and_its_network_are_found_beside_those_of_the_project(study, monkeypatch):
    monkeypatch.chdir(study / "experiments")

    assert {"own_words", "folders"} <= set(corpus_names())
    assert summarise_corpus("own_words").startswith("Recordings named WORD_SPEAKER_TAKE.wav")
    (study / "audio").mkdir()
    for name in ("yes_ann_1.wav", "no_bob_1.wav", "notes.txt"):
        (study / "audio" / name).touch()
    clips = corpora.find_corpus("own_words").list_clips(study / "audio")
    assert clips.to_dict("list") == {
        "path": ["no_bob_1.wav", "yes_ann_1.wav"], "item": ["bob", "ann"], "label": ["no", "yes"],
    }  # fmt: skip
    (study / "elsewhere").mkdir()
    assert "own_words" in recognise(study / "audio")
    assert "own_words" not in recognise(study / "elsewhere"), "it lists nothing there"
    assert {"own_cnn", "cnn_small"} <= set(architecture_names())
    assert find_architecture("own_cnn").options["n_filters"].default == 16


def test_names_of_the_project_and_a_folder_that_is_there_are_refused(study, command, monkeypatch):
    (study / "architectures" / "crnn.py").touch()
    (study / "corpora" / "folders.py").touch()
    monkeypatch.chdir(study)

    with pytest.raises(SettingsError, match=r"crnn\.py: an architecture of the project"):
        architecture_names()
    with pytest.raises(CorpusError, match=r"folders\.py has the name of a corpus of the project"):
        corpus_names()
    ended = command("new", ".")
    assert ended.code == 2
    assert "it already exists and is not empty" in ended.err
