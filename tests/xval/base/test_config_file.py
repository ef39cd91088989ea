import sys
from itertools import pairwise

import pytest

from xval.base import config_file
from xval.base.config_file import CONFIG_PATH, default_folder, find_study, read_defaults
from xval.base.errors import SettingsError


def test_keys_keep_their_case_and_percent_signs_stay(tmp_path):
    path = tmp_path / "config.ini"
    path.write_text("[experiment]\ngpu_ID = 0\nname = 50 %(done)s\n")

    assert read_defaults(path) == {"experiment": {"gpu_ID": "0", "name": "50 %(done)s"}}


def test_every_key_of_the_project_has_a_comment_or_shares_one():
    blocks = [block for block in CONFIG_PATH.read_text().split("\n") if block]
    uncommented = [
        line for previous, line in pairwise(blocks) if "=" in line and not line.startswith("#") and previous.startswith("[")
    ]

    assert uncommented in ([], ["batch_size = 32"])


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_byte_order_mark_is_no_part_of_the_file(tmp_path, encoding):
    path = tmp_path / "config.ini"
    path.write_text("[experiment]\ndataset = é\n", encoding=encoding)

    assert read_defaults(path) == {"experiment": {"dataset": "é"}}


@pytest.mark.parametrize("encoding", ["utf-16", "latin-1"])
def test_other_encodings_are_named(tmp_path, encoding):
    path = tmp_path / "config.ini"
    path.write_text("[experiment]\ndataset = é\n", encoding=encoding)

    with pytest.raises(SettingsError, match=r"config\.ini: not text in UTF-8 \(.*, byte \d+\)\. Save it as UTF-8\."):
        read_defaults(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[a]\nx = 1\n[b]\nx = 2\n", r"'x' is in \[a\] and in \[b\]"),
        ("[a]\nx = 1\nx = 2\n", "line 3: 'x' is there twice"),
        ("x = 1\n", "line 1: received .* before any section"),
    ],
)
def test_malformed_files_are_refused(tmp_path, text, message):
    path = tmp_path / "config.ini"
    path.write_text(text)

    with pytest.raises(SettingsError, match=message):
        read_defaults(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SettingsError, match=r"nowhere\.ini: cannot read the defaults"):
        read_defaults(tmp_path / "nowhere.ini")


@pytest.fixture
def study(tmp_path, monkeypatch):
    """A study, in which nothing runs and nobody is; the running program is installed elsewhere."""
    folder = tmp_path / "study"
    (folder / "experiments" / "sub").mkdir(parents=True)
    (folder / "config.ini").write_text("[folds]\nnum_folds = 7\n")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    monkeypatch.setattr(sys, "argv", [str(config_file.ROOT / "xval" / "__main__.py")])
    return folder


def test_a_study_is_found_around_the_script_then_around_the_current_folder(study, monkeypatch):
    assert find_study() is None
    monkeypatch.chdir(study / "experiments" / "sub")
    assert find_study() == study
    monkeypatch.chdir(study.parent / "elsewhere")
    monkeypatch.setattr(sys, "argv", [str(study / "experiments" / "first.py")])
    assert find_study() == study


@pytest.mark.parametrize("where", ["clone", "environment", "copy"])
def test_an_installation_a_clone_and_the_code_of_a_job_lie_in_no_study(study, monkeypatch, where):
    inner = study / "inner"
    (inner / "xval").mkdir(parents=True)
    monkeypatch.chdir(inner)
    assert find_study() == study
    if where == "clone":
        (inner / "xval" / "__init__.py").touch()
    elif where == "environment":
        monkeypatch.setattr(sys, "prefix", str(inner))
    else:
        monkeypatch.setattr(config_file, "_COPY_MARK", study / "config.ini")

    assert find_study() is None


def test_a_study_changes_some_defaults_and_has_its_own_folders(study, monkeypatch):
    without = read_defaults()
    monkeypatch.chdir(study / "experiments")

    found = read_defaults()

    assert (found["folds"].pop("num_folds"), without["folds"].pop("num_folds")) == ("7", "5")
    folders = [found["experiment"].pop(name) for name in ("data_folder", "experiment_folder")]
    assert folders == ["../data", "../results"]
    assert {name: values | {"data_folder": "data", "experiment_folder": "results"} for name, values in found.items()} == {
        name: values | {"data_folder": "data", "experiment_folder": "results"} for name, values in without.items()
    }
    monkeypatch.chdir(study.parent / "elsewhere")
    monkeypatch.setattr(sys, "argv", [str(study / "experiments" / "first.py")])
    assert default_folder("data_folder") == study / "data"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[folds]\nnum_fold = 3\n", r"unknown key 'num_fold' in \[folds\]\..* Here it is 'num_folds'"),
        ("[training]\nlr = 0.1\n", r"unknown key 'lr' in \[training\]\. Here it is 'learning_rate'\."),
        ("[fold]\nnum_folds = 3\n", r"unknown section \[fold\]\..* Did you mean 'folds'"),
    ],
)
def test_what_a_study_misspells_is_refused(study, monkeypatch, text, message):
    (study / "config.ini").write_text(text)
    monkeypatch.chdir(study)

    with pytest.raises(SettingsError, match=message):
        read_defaults()
