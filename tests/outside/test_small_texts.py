"""What runs print: words of the corpus in a dry run, equal failures once, hints that name what there is."""

import json
import re

import pytest

from tests.outside.conftest import FEATURES

SVM = {"architecture": "svm", "C": (1.0,)}


@pytest.mark.parametrize(("word", "plural"), [("speaker", "speakers"), ("auto", "items")])
def test_a_dry_run_calls_items_what_they_are(study, word, plural):
    study.script(SVM, item_name=word, fold_repeats=2)

    printed = study.run("--dry-run").stdout

    assert f"training {plural}" in printed
    assert re.search(rf"fold +repeat +training {plural}", printed)
    assert ("items" in printed) == (plural == "items")


def test_a_dry_run_calls_the_number_of_a_training_its_repeat(study):
    study.script({"architecture": "mlp", "seed": 7, "comment_1": "one"}, repeats=2)

    table = study.run("--dry-run").stdout.splitlines()

    (header,) = (line.split() for line in table if "folds done" in line)
    assert header == ["instance", "name", "repeat", "folds", "done", "folds", "to", "do"]
    assert [line.split() for line in table if " one " in line] == [["1", "one", n, "none", "1-2"] for n in "12"]


def test_a_dry_run_takes_the_word_of_the_corpus(empty):
    table = empty.recordings().rename(columns={"item": "speaker"})
    table.to_csv(empty.folder / "audio" / "clips.csv", index=False)
    prepared = empty.prepare("table", "audio/clips.csv", "--item", "speaker", "--dataset", "small")
    assert prepared.returncode == 0, prepared.stderr
    empty.script(SVM)

    assert "training speakers" in empty.run("--dry-run").stdout


@pytest.mark.long
def test_failures_with_one_cause_are_one_line_with_all_their_jobs(study):
    broken = "import keras\nclass Full(keras.callbacks.Callback):\n    def on_epoch_begin(self, epoch, logs=None):\n"
    study.file("broken.py", f"{broken}        if epoch: raise OSError('no space left')\n")
    network = {"architecture": "mlp", "n_units": (4,), "callbacks": "broken.Full"}
    study.script(network, network | {"seed": 2})

    ended = study.run()

    lines = [line for line in ended.stdout.splitlines() if "no space left" in line]
    assert ended.returncode == 1
    assert len(lines) == 2, ended.stdout
    assert lines[1].startswith("4 jobs failed (instance 1, folds 1-2; instance 2, folds 1-2): ")


@pytest.mark.long
def test_an_error_in_a_callback_names_the_file_of_the_user_and_no_copy_of_it(study):
    broken = "import keras\nclass Broken(keras.callbacks.Callback):\n    def on_epoch_begin(self, epoch, logs=None):\n"
    study.file("mine.py", f"{broken}        raise ValueError('no')\n")
    study.script({"architecture": "mlp", "callbacks": "mine.Broken"})

    ended = study.python("exp.py", in_workers=True)

    assert ended.returncode == 2, ended.stdout
    assert "callback 'mine.Broken', mine.py, line 4: ValueError: no" in ended.stderr


def test_the_words_of_keras_for_augmentation_are_answered_with_the_section_that_exists(study):
    study.script({"architecture": "mlp", "augmentation": True})

    assert "the other settings of [training_augmentation] in config.ini" in study.mistake("exp.py")


def test_preparing_warns_of_the_settings_that_the_experiment_of_the_corpus_trains_with(empty):
    empty.recordings()
    prepare = ("-m", "preprocessing", "table", "audio/clips.csv", "--dataset", "mine", "--workers", "1")
    assert "a lower rate (down to 4000 Hz) than sample_rate_hz=16000" in empty.python(*prepare).stdout

    script = "from xval import Experiment\nexperiment = Experiment('Mine', dataset='mine', sample_rate_hz=4000)\n"
    empty.file("experiments/mine.py", script)

    printed = empty.python(*prepare).stdout
    assert "lower rate" not in printed
    assert "Next       python experiments/mine.py" in printed
    asked = empty.python(*prepare, "--set", "sample_rate_hz=8000").stdout
    assert "a lower rate (down to 4000 Hz) than sample_rate_hz=8000" in asked


def test_the_list_of_instances_is_read_at_80_columns_however_much_differs(study):
    masks = ("augment_time_masks", "augment_time_mask_frames", "augment_frequency_masks", "augment_frequency_mask_bins")
    others = {"learning_rate": 0.1, "optimizer": "adamw", "weight_decay": 0.05, "schedule": "cosine", "warmup_epochs": 1}
    network = {"architecture": "mlp", "n_units": (8,), "comment_1": "plain"}
    varied = network | others | dict.fromkeys(masks, 2) | {"comment_1": "everything", "augment_mixup": 0.2}
    study.script(network, network | {"comment_1": "again"}, varied, SVM)

    lines = study.run("--list", COLUMNS="80").stdout.splitlines()

    assert max(map(len, lines)) <= 80
    assert lines[0].startswith("most instances: architecture=mlp; optimizer=adam; learning_rate=0.01;"), lines
    text = " ".join(" ".join(lines).split())
    assert "1, plain: as most 2, again: as most 3, everything: optimizer=adamw; learning_rate=0.1;" in text
    assert "augment_mixup=0.2" in text.partition("3, everything: ")[2]
    wide = study.run("--list", COLUMNS="300").stdout
    assert "most instances" not in wide
    assert "everything" in wide


def test_errors_of_settings_come_before_warnings(empty):
    empty.recordings()
    prepared = empty.prepare("folders", "audio", "--item-pattern", "(s[0-9])_", "--dataset", "small")
    assert prepared.returncode == 0, prepared.stderr
    embedded = {"features": "embedding", "architecture": "mlp", "normalization": "per_clip"}
    for model, error in (("wav2vec", "there is no preset 'wav2vec'"), ("onnx:nowhere.onnx", "there is no such file")):
        warned = FEATURES | {"architecture": "svm", "C": (1.0,), "train_where": "clip != 'low/s0_0.wav'"}
        empty.script(warned, embedded | {"embedding_model": model})

        ended = empty.run()

        assert ended.returncode == 2, ended.stdout
        assert error in ended.stderr
        assert "instance" not in ended.stdout, ended.stdout


def test_lowering_repeats_says_that_the_seeds_that_are_trained_stay_in_the_means(study):
    study.script({"architecture": "mlp", "n_units": (4,)}, SVM, num_epochs=1)
    assert study.run("--repeats", "3").returncode == 0
    said = "mlp (1): repeats = 2 is below the 3 seeds that are trained; scores stay the means over all of them."

    lowered = study.run("--repeats", "2")

    assert "Nothing to do" in lowered.stdout
    assert said in lowered.stdout
    assert "is below" not in study.run("--repeats", "3").stdout


def test_the_counts_of_status_add_up_where_folds_are_stale(study):
    study.train(SVM)
    settings = study.results / "instance_1" / "settings.json"
    written = json.loads(settings.read_text())
    assert " stale " not in study.xval("status", study.EXPERIMENT).stdout
    settings.write_text(json.dumps(written | {"settings_hash": "another"}))

    lines = study.xval("status", study.EXPERIMENT).stdout.splitlines()

    header = next(line for line in lines if "time left" in line)
    row = next(line for line in lines if line.split()[:1] == ["1"])
    assert re.split(r"\s{2,}", header.strip()) == [
        "instance",
        "name",
        "done",
        "failed",
        "running",
        "to do",
        "stale",
        "time left",
    ]
    assert row.split()[-5:] == ["0/2", "0", "0", "0", "2"]


def test_a_network_of_a_search_that_cannot_be_built_is_named_with_the_values_of_its_trial(study):
    study.script("{}", head="from xval import uniform")
    text = (study.folder / "exp.py").read_text().replace("experiment[1] = {}", "")
    search = 'experiment.search({"dropout": uniform(1.5, 2)}, 2, at_once=1, architecture="mlp")\nif __name__'
    study.file("exp.py", text.replace("if __name__", search))
    ended = study.run()
    assert ended.returncode == 2, ended.stdout
    assert re.search(r"error: instance 1: search, dropout=1\.\d+: architecture 'mlp'", ended.stderr), ended.stderr
