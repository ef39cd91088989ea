"""Class folders wherever they lie, folders behind links, some of the classes, and folders without classes."""

import shutil

import pandas as pd
import pytest

SPEAKER = ("--item-pattern", "(?P<speaker>s[0-9])_")


@pytest.fixture
def apart(empty):
    """Return a study with the folders one/low and two/deep/high, which are classes, and one/other, which is none."""
    empty.recordings()
    for name, place in (("low", "one/low"), ("high", "two/deep/high")):
        shutil.copytree(empty.folder / "audio" / name, empty.folder / place)
    (empty.folder / "one" / "other").mkdir()
    (empty.folder / "one" / "other" / "private.wav").write_text("no audio")
    return empty


def prepared(study, *arguments):
    ended = study.prepare(*arguments)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def clips(study, name):
    """Return the table of clips of a prepared corpus."""
    return pd.read_parquet(study.folder / "data" / name / "corpus.parquet").sort_values("clip", ignore_index=True)


FACTS = ["clip", "item", "label", "audio_hash"]


def test_each_folder_is_a_class_as_in_one_parent(apart):
    prepared(apart, "folders", "audio", *SPEAKER, "--dataset", "parent")

    said = prepared(apart, "folders", "-i", "one/low", "two/deep/high", *SPEAKER, "--dataset", "apart")

    assert "24 clips of 6 speakers" in said
    assert "2 classes (high, low)" in said
    assert clips(apart, "apart")[FACTS].equals(clips(apart, "parent")[FACTS])
    assert not clips(apart, "apart")["path"].str.contains("other").any()


def test_labels_rename_in_order(apart):
    prepared(apart, "folders", "one/low", "two/deep/high", "--labels", "x,y", "--dataset", "renamed")

    table = clips(apart, "renamed")
    assert set(table.loc[table["clip"].str.startswith("low/"), "label"]) == {"x"}
    assert "2 names for 3 folders" in apart.mistake(
        "-m", "preprocessing", "folders", "one/low", "two/deep/high", "one/other", "--labels", "x,y"
    )


def test_folders_of_one_name_are_asked_about(apart):
    shutil.copytree(apart.folder / "audio" / "high", apart.folder / "two" / "low")

    asked = apart.mistake("-m", "preprocessing", "folders", "one/low", "two/low")
    prepared(apart, "folders", "one/low", "two/low", "two/deep", "--labels", "low,low,high", "--dataset", "merged")

    assert "--labels low_1,low_2" in asked
    assert clips(apart, "merged")["label"].value_counts().to_dict() == {"low": 24, "high": 12}


@pytest.mark.parametrize(
    ("folders", "said"),
    [
        (("one/low", "one/low"), "one/low is given twice"),
        (("one/low", "two/link"), "one/low and two/link are the same folder"),
        (("two/deep", "one/low", "two/deep/high"), "two/deep/high is inside two/deep, so its audio would count twice"),
        (("one/low", "audio/clips.csv"), "audio/clips.csv is a file"),
        (("one/low", "two/gone"), "There is no folder two/gone"),
        (("my", "low"), "needs quotes around it, as in 'my low'"),
        (("one/low", "empty"), "empty has no audio files"),
        (("one/low", "two/deep/high", "--labels", "x,x"), "all files have one class, 'x'"),
        (("audio", "--labels", "x,y"), "received 2 names for 1 folder"),
        (("one/low", "two/deep/high", "--labels", "x,y", "--label-pattern", "(.)"), "Remove one of the two"),
    ],
)
def test_what_is_no_class_folder_is_named(apart, folders, said):
    (apart.folder / "two" / "link").symlink_to(apart.folder / "one" / "low")
    (apart.folder / "my low").mkdir()
    (apart.folder / "empty").mkdir()

    assert said in apart.mistake("-m", "preprocessing", "folders", *folders, "--dataset", "x")


def test_other_readers_take_one_folder(apart):
    assert "Unexpected 'two'" in apart.mistake("-m", "preprocessing", "esc50", "one", "two")


def test_linked_folders_are_read_once(apart):
    linked = apart.folder / "linked"
    linked.mkdir()
    (linked / "low").symlink_to(apart.folder / "one" / "low")
    (linked / "high").symlink_to("../two/deep/high")
    (linked / "up").symlink_to("..")
    (apart.folder / "one" / "low" / "again").symlink_to(".")
    (apart.folder / "two" / "deep" / "high" / "other").symlink_to(apart.folder / "one" / "low")
    (apart.folder / "to_linked").symlink_to("linked")
    prepared(apart, "folders", "audio", *SPEAKER, "--dataset", "parent")

    prepared(apart, "folders", "to_linked", *SPEAKER, "--dataset", "behind")
    prepared(apart, "folders", "two/deep/high", "linked/low", *SPEAKER, "--dataset", "given")

    for name in ("behind", "given"):
        assert clips(apart, name)[FACTS].equals(clips(apart, "parent")[FACTS]), name


def test_some_of_the_classes(empty):
    empty.recordings(labels=("a", "b", "c"))

    for words in (("folders", "audio"), ("table", "audio/clips.csv")):
        said = prepared(empty, *words, "--classes", "a,c", "--dataset", "some")
        assert "2 classes (a, c)" in said
        assert "of other classes skipped (b)" in said
    assert "Did you mean 'c'" in empty.mistake("-m", "preprocessing", "folders", "audio", "--classes", "a,cc")
    assert "one class" in empty.mistake("-m", "preprocessing", "folders", "--check", "audio", "--classes", "a")


def test_check_takes_class_folders(apart):
    ended = apart.python("-m", "preprocessing", "folders", "--check", "one/low", "two/deep/high", *SPEAKER, "--workers", "1")

    assert ended.returncode == 0, ended.stderr
    assert "24 clips of 6 speakers" in ended.stdout


def test_words_are_of_the_class_folders_alone(apart):
    (apart.folder / "one" / "other" / "s0_0.wav").write_text("of the same name")
    paths = [f"{('low', 'high')[take % 2]}/s{speaker}_{take}" for speaker in range(6) for take in range(4)]
    rows = [{"path": path, "start_s": 0.01, "end_s": 0.1} for path in paths]
    pd.DataFrame(rows).to_csv(apart.folder / "words.csv", index=False)

    prepared(apart, "folders", "one/low", "two/deep/high", "--speech-table", "words.csv", "--dataset", "cut")

    assert set(clips(apart, "cut")["start_s"]) == {0.01}


def test_copies_of_class_folders(apart):
    words = ("--set", "background_noise_probability=0", "--set", "reverb_probability=0", "--workers", "1")
    made = apart.python("-m", "augmentation", "one/low", "two/deep/high", "copies", "1", *words)

    said = prepared(apart, "folders", "copies/one/low", "copies/two/deep/high", *SPEAKER, "--dataset", "copies")

    one, two = (
        apart.python("-m", "augmentation", folder, output, "2", *words)
        for folder, output in (("one/low", "copied_1/low"), ("two/deep/high", "copied_2"))
    )
    each = prepared(apart, "folders", "copied_1/low", "copied_2", *SPEAKER, "--dataset", "each")

    assert made.returncode == one.returncode == two.returncode == 0, made.stderr
    assert "48 of these clips are augmented copies" in each
    assert not (apart.folder / "copies" / "one" / "other").exists()
    assert "24 of these clips are augmented copies" in said


@pytest.mark.long
def test_start_and_evaluate_take_class_folders(apart):
    ended = apart.xval("quickstart", "one/low", "two/deep/high", "--minutes", "0", *SPEAKER)
    other = apart.mistake("-m", "xval", "quickstart", "audio/low", "two/deep/high", "--minutes", "0", *SPEAKER)
    apart.script({"architecture": "svm", "C": (1.0,)}, dataset="low_high", workers=1, num_folds=2)
    trained = apart.run()
    model = apart.folder / "results" / "low_high" / "experiment_1"
    one_parent, each = (
        apart.xval("evaluate", model, *folders, *SPEAKER, "--output", output)
        for folders, output in ((("audio",), "e1"), (("one/low", "two/deep/high"), "e2"))
    )
    predicted = apart.xval("predict", model, "one/low", "two/deep/high", "--format", "csv")

    assert ended.returncode == trained.returncode == 0, ended.stderr + trained.stderr
    assert (apart.folder / "experiments" / "start_low_high.py").is_file()
    assert "low_high has another path for 12 of 24 clips" in other
    assert one_parent.returncode == each.returncode == 0, one_parent.stderr + each.stderr
    first, second = (pd.read_csv(apart.folder / name / "items.csv") for name in ("e1", "e2"))
    assert first.equals(second)
    assert predicted.stdout.count(".wav") == 24


def test_python_takes_lists_of_folders(apart):
    apart.file(
        "call.py",
        "import preprocessing, xval\n"
        "if __name__ == '__main__':\n"
        "    small = dict(n_mels=8, sample_rate_hz=4000, n_fft=64, win_length=64, hop_length=32)\n"
        "    folders = ['one/low', 'two/deep/high']\n"
        "    preprocessing.prepare(folders, labels=['x', 'y'], dataset='p', settings=small, workers=1, quiet=True)\n"
        "    results, _ = xval.cross_validate(folders, item_pattern='(s[0-9])_', refit=False, quiet=True, num_folds=2,\n"
        "        fold_repeats=1, workers=1, architecture='svm', C=(1.0,), executor='inline', **small)\n"
        "    print(results.scores.shape)\n",
    )

    ended = apart.python("call.py")

    assert ended.returncode == 0, ended.stderr
    assert set(clips(apart, "p")["label"]) == {"x", "y"}
    assert set(clips(apart, "low_high")["label"]) == {"low", "high"}


@pytest.fixture
def flat(empty):
    """Return a study whose recordings lie in the folder flat, some of them in a folder below, without classes."""
    empty.recordings()
    (empty.folder / "flat" / "below").mkdir(parents=True)
    for path in (empty.folder / "audio").glob("*/*.wav"):
        place = "flat" if path.parent.name == "low" else "flat/below"
        shutil.copy(path, empty.folder / place / path.name)
    return empty


def test_a_flat_folder_is_for_representation(flat):
    advice = flat.mistake("-m", "preprocessing", "folders", "flat")
    as_setting = flat.mistake("-m", "preprocessing", "folders", "flat", "--set", "task_type=representation")

    said = prepared(flat, "folders", "flat", "--task-type", "representation", *SPEAKER, "--dataset", "flat")

    assert "--task-type representation" in advice
    assert "--task-type representation" in as_setting
    assert "24 clips of 6 speakers" in said
    assert "no targets" in said
    assert "--task-type" not in flat.mistake("-m", "preprocessing", "esc50", "flat", "--num-folds", "3")


def test_targets_of_a_table_are_no_matter_for_representation(empty):
    empty.recordings().rename(columns={"age": "label:age", "label": "label:x"}).to_csv(empty.folder / "t.csv", index=False)

    said = prepared(empty, "table", "t.csv", "--audio-folder", "audio", "--task-type", "representation", "--dataset", "without")

    assert "no targets" in said


@pytest.mark.slow
def test_an_autoencoder_is_trained_on_a_flat_folder(flat):
    flat.file(
        "call.py",
        "import xval\n"
        "if __name__ == '__main__':\n"
        "    results, _ = xval.cross_validate('flat', task_type='representation', architecture='daf_autoencoder',\n"
        "        item_pattern='(s[0-9])_', refit=False, quiet=True, num_folds=2, fold_repeats=1, workers=1, num_epochs=1,\n"
        "        executor='inline',\n"
        "        n_mels=8, sample_rate_hz=4000, n_fft=64, win_length=64, hop_length=32)\n"
        "    print(list(results.scores.columns))\n",
    )

    ended = flat.python("call.py")

    assert ended.returncode == 0, ended.stderr


@pytest.mark.parametrize("folders", ["[]", "['audio/low', None]"])
@pytest.mark.parametrize(
    "call",
    [
        "preprocessing.prepare({}, dataset='e')",
        "xval.cross_validate({}, architecture='svm')",
        "xval.load_model('results/small/experiment_1/instance_3/fold_1').evaluate({})",
    ],
)
def test_a_list_that_is_not_of_folders_is_named(finished, call, folders):
    said = finished.mistake("-c", f"import preprocessing, xval; {call.format(folders)}")

    assert f"Folders: received {folders}; expected a list of paths" in said
