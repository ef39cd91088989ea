"""``xval quickstart``: the dataset is prepared, the steps run until the time is up, and the script gives the same results."""

import contextlib
import json
import re
import shutil
import signal
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from preprocessing import store
from preprocessing.console import carry_out, make_console
from preprocessing.corpus import open_corpus
from preprocessing.quality.foldable import FoldsVerdict
from xval.__main__ import main
from xval.base.errors import CorpusError, SettingsError
from xval.experiment.run import EndedRun
from xval.extras.quickstart import baseline_steps, start
from xval.extras.quickstart.start import StartRequest
from xval.extras.quickstart.time_limit import time_limit
from xval.results.folder import ExperimentFolder
from xval.results.scores import read_scores
from xval.settings.resolve import resolve

STEPS = [
    {"architecture": "constant", "comment_1": "the most frequent class"},
    {"architecture": "knn", "features": "embedding", "embedding_model": "duration_level", "n_neighbors": (3,)},
]


@pytest.fixture
def study(tmp_path, monkeypatch):
    """Write class folders of two tones by four speakers, in a folder whose jobs run in this process, and return the folder."""
    rng = np.random.default_rng(0)
    for speaker in "abcd":
        for label, pitch_hz in (("low", 500), ("high", 1500)):
            for take in (1, 2):
                path = tmp_path / "words" / label / f"{speaker}_{take}.wav"
                path.parent.mkdir(parents=True, exist_ok=True)
                samples = np.sin(2 * np.pi * pitch_hz * np.arange(2000 + 800 * (label == "low")) / 8000)
                soundfile.write(path, 0.3 * samples + 0.03 * rng.normal(size=samples.size), 8000)
    (tmp_path / "config.ini").write_text("[execution]\nexecutor = inline\n[experiment]\npage = none\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys.modules["__main__"], "__file__", "xval", raising=False)
    (tmp_path / "experiments").mkdir()
    monkeypatch.setattr(baseline_steps, "_steps", lambda **_: STEPS)
    return tmp_path


def records(study):
    paths = sorted((study / "results" / "words" / "experiment_1").glob("instance_*/fold_*/record.json"))
    return {path: (path.stat().st_mtime_ns, read_scores(path.parent, {}).side("test")) for path in paths}


def test_the_time_ends_a_step_as_ctrl_c_does_and_finished_steps_are_ranked(study, monkeypatch, capsys):
    reached = []

    def run(declaration, request, console):
        if request.numbers == [2]:
            time.sleep(60)
        return EndedRun(ExperimentFolder(study), request.numbers, [], console)

    monkeypatch.setattr(start, "run_jobs", run)
    monkeypatch.setattr(start, "print_close", lambda _, numbers, *__: reached.append(numbers) or 0)
    before = signal.getsignal(signal.SIGALRM)
    request = StartRequest(["words"], 1, item_pattern="([a-d])_")
    monkeypatch.setattr(start, "time_limit", lambda _: time_limit(0.2))

    assert start.start(request, make_console()) == 0

    assert reached == [[1]]
    assert "Not finished: knn (instance 2). The same command continues" in capsys.readouterr().out
    assert (signal.getsignal(signal.SIGALRM), signal.getitimer(signal.ITIMER_REAL)) == (before, (0, 0))


def test_ctrl_c_is_not_taken_for_the_end_of_the_time(study, monkeypatch, capsys):
    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(start, "run_jobs", interrupted)
    assert main(["quickstart", "words", "--item-pattern", "([a-d])_"]) == 130
    assert "Finished work is kept" in capsys.readouterr().err


def test_the_time_ends_what_a_shell_script_started_in_the_background_where_ctrl_c_is_ignored(monkeypatch):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with pytest.raises(KeyboardInterrupt), time_limit(0.05) as limit:
            time.sleep(60)
    finally:
        signal.signal(signal.SIGINT, before)
    assert limit.is_over


def test_an_error_after_the_end_of_the_time_is_no_interruption(capsys):
    def command():
        with contextlib.suppress(KeyboardInterrupt), time_limit(0.05):
            time.sleep(60)
        raise SettingsError("of another kind")

    assert carry_out(command) == 2
    assert capsys.readouterr().err == "error: of another kind\n"


def test_no_time_prepares_and_writes_the_script_and_trains_nothing(study, capfd):
    assert main(["quickstart", "words", "--item-pattern", "([a-d])_", "--minutes", "0"]) == 0
    printed = capfd.readouterr().out
    assert "Step" not in printed
    assert "Not finished: the most frequent class (instance 1), knn (instance 2)" in printed
    assert (study / "experiments" / "start_words.py").is_file()


def test_a_step_whose_folds_fail_is_run_once_and_the_others_are_ranked(study, in_process, monkeypatch, capfd):
    starved = {**STEPS[1], "n_neighbors": (1000,)}
    monkeypatch.setattr(baseline_steps, "_steps", lambda **_: [STEPS[0], starved])

    assert main(["quickstart", "words", "--item-pattern", "([a-d])_"]) == 1

    printed = capfd.readouterr().out
    assert printed.count("4 jobs failed") == 1
    assert printed.count("instance 2, fold 1") <= 2
    assert "the most frequent class (1) scored balanced accuracy (UAR) 0.500." in printed
    assert "Not above chance, which is 0.500." in printed


@pytest.mark.parametrize(
    ("added", "match"),
    [
        ("import nowhere_to_find", "start_words.py: ModuleNotFoundError: No module named 'nowhere_to_find'"),
        ("x = (", "start_words.py: SyntaxError"),
        ("experiment = None", "has no `experiment` with instances"),
        ("experiment = Experiment('none')", "has no `experiment` with instances"),
        ("experiment[1] = {}", "start_words.py, instance 1: this number is already used"),
    ],
)
def test_a_script_that_was_edited_wrongly_is_named(added, match, study, capfd):
    write_script(study, added)
    assert main(["quickstart", "words"]) == 2
    assert match in capfd.readouterr().err


def test_a_script_that_was_edited_may_import_a_module_next_to_it(study, monkeypatch):
    monkeypatch.setattr("sys.path", [*sys.path])
    (study / "experiments" / "next_to_it.py").write_text("PARAMETERS = {'architecture': 'constant', 'comment_1': 'near'}\n")
    script = write_script(study, "import next_to_it\nexperiment[3] = next_to_it.PARAMETERS")
    declared = baseline_steps.read_steps(script)
    assert declared.instances[3]["comment_1"] == "near"
    assert (declared.script, declared.script_path) == ("experiments/start_words.py", "experiments/start_words.py")


def write_script(study, added):
    main(["quickstart", "words", "--item-pattern", "([a-d])_", "--minutes", "0"])
    script = Path("experiments", "start_words.py")
    script.write_text(f"{script.read_text()}\n{added}\n")
    return script


def test_an_error_of_all_steps_is_reported_and_ends_the_command(study, capfd):
    main(["quickstart", "words", "--item-pattern", "([a-d])_", "--minutes", "0"])
    script = study / "experiments" / "start_words.py"
    script.write_text(script.read_text().replace("num_folds=4", "num_folds=9"))
    assert main(["quickstart", "words"]) == 2
    printed = capfd.readouterr()
    assert printed.err.startswith("error: num_folds=9 is more than the 4 items of the dataset")
    assert printed.out.count("Left out") == 1


def test_the_steps_of_numbers_are_instances_that_can_be_run(project, monkeypatch):
    monkeypatch.setattr(baseline_steps, "_is_available", lambda _: False)
    monkeypatch.chdir(project.folder)
    monkeypatch.setattr(sys.modules["__main__"], "__file__", "xval", raising=False)
    array_corpus = open_corpus("toy", project.folder / "data")
    index = array_corpus.index.assign(sample_rate_hz=8000)
    audio_corpus = replace(array_corpus, corpus="table", index=index, task_type="regression")
    monkeypatch.setattr(baseline_steps, "judge_folds", lambda *_: FoldsVerdict())
    baseline_steps.write_steps(Path("experiments/start_numbers.py"), audio_corpus, 3)

    instances = resolve(baseline_steps.read_steps(Path("experiments/start_numbers.py")))

    assert [instance.settings.architecture for instance in instances] == ["constant", "ridge", "svr", "cnn_small"]


def test_two_folders_whose_names_end_differently_are_two_corpora(study):
    main(["quickstart", "words", "--item-pattern", "([a-d])_", "--minutes", "0"])
    (study / "words").rename(study / "words.v2")
    main(["quickstart", "words.v2", "--item-pattern", "([a-d])_", "--minutes", "0"])
    assert sorted(path.name for path in (study / "data").iterdir()) == ["words", "words_v2"]


@pytest.mark.parametrize(
    ("patterns", "match"),
    [
        (["--item-pattern", "([a-d])_"], "another item for 16 of 16 clips .* for high/a_1.wav 'high/a_1.wav', now 'a'"),
        (["--label-pattern", "_([12])"], "another label for 16 of 16 clips .* for high/a_1.wav 'high', now '1'"),
        (["--label-pattern", "(["], r"--label-pattern .*not a regular expression"),
        (["--reader", "ravdess"], "was read by 'folders', not by 'ravdess'"),
    ],
)
def test_other_speakers_or_classes_than_a_prepared_corpus_has_are_refused(patterns, match, study, capfd):
    main(["quickstart", "words", "--minutes", "0"])
    assert main(["quickstart", "words", "--minutes", "0", *patterns]) == 2
    assert re.search(match, capfd.readouterr().err)


def test_a_prepared_corpus_is_used_again_with_the_patterns_that_it_was_made_with(study, capfd):
    patterns = ["--item-pattern", "([a-d])_", "--minutes", "0"]
    main(["quickstart", "words", *patterns])
    assert main(["quickstart", "words", *patterns]) == 0
    assert "Dataset    data/words, unchanged. To prepare it again, " in capfd.readouterr().out


def test_a_table_that_was_corrected_is_not_passed_over(study, capfd):
    rows = [f"words/{path.parent.name}/{path.name},{path.name[0]},{path.parent.name}" for path in study.rglob("*.wav")]
    table = study / "clips.csv"
    table.write_text("\n".join(["path,item,label", *rows]))
    main(["quickstart", "clips.csv", "--minutes", "0"])
    assert main(["quickstart", "clips.csv", "--minutes", "0"]) == 0
    table.write_text(table.read_text().replace(",a,low", ",a,high"))
    assert main(["quickstart", "clips.csv", "--minutes", "0"]) == 2
    assert re.search("another label for 2 of 16 clips .* 'low', now 'high'.*start_clips.py", capfd.readouterr().err)


def test_a_folder_of_the_same_name_elsewhere_is_another_corpus(study, capfd):
    main(["quickstart", "words", "--minutes", "0"])
    shutil.copytree(study / "words", study / "other" / "words")
    assert main(["quickstart", "other/words", "--minutes", "0"]) == 2
    assert re.search("was made from .*/words, not from .*other/words. Give another name with --dataset", capfd.readouterr().err)


def test_an_option_of_preprocessing_is_reported_with_the_command_that_has_it(study, capfd):
    (study / "clips.csv").write_text("file,item,label\nwords/low/a_1.wav,a,low\n")
    assert main(["quickstart", "clips.csv"]) == 2
    error = capfd.readouterr().err
    assert "give --path file. `quickstart` has no --path: xval prepare table clips.csv ... --dataset clips, and" in error


def test_a_corpus_of_a_low_rate_is_prepared_as_its_script_reads_it(study, capfd):
    main(["quickstart", "words", "--item-pattern", "([a-d])_", "--minutes", "0"])
    assert "lower rate" not in capfd.readouterr().out
    (store,) = (study / "data" / "words" / "features").glob("*/store.json")
    assert json.loads(store.read_text())["feature_settings"]["hop_length"] == 80


def test_a_step_that_cannot_run_is_skipped_and_the_others_are_ranked(study, in_process, monkeypatch, capfd):
    wrong = {"architecture": "knn", "features": "embedding", "embedding_model": "onnx:gone.onnx"}
    monkeypatch.setattr(baseline_steps, "_steps", lambda **_: [wrong, STEPS[0]])

    assert main(["quickstart", "words", "--item-pattern", "([a-d])_"]) == 1

    printed = capfd.readouterr().out
    assert "Left out: " in printed
    assert "no such file" in printed
    assert len(records(study)) == 4


@pytest.mark.parametrize(
    ("source", "match"),
    [
        ("wrods", "no such folder or table, nor a dataset.*Available: other, words. Did you mean 'words'"),
        ("gone/words", "no such folder or table"),
        ("other", "its task is multilabel"),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_is_trained(source, match, study):
    store.write("words", {"a": np.zeros((2, 3)), "b": np.zeros((2, 3))}, {"a": ["x", "y"], "b": ["x", "y"]})
    store.write(
        "other",
        {"a": np.zeros((2, 3)), "b": np.zeros((2, 3))},
        {"a": [["x"], []], "b": [["x"], []]},
        task_type="multilabel_classification",
    )
    with pytest.raises((CorpusError, SettingsError), match=match):
        start.start(StartRequest([source], 1), make_console())
    assert not list(study.glob("experiments/*"))


def test_the_steps_of_a_corpus_are_declared_as_a_script_with_its_rate_and_folds(project, monkeypatch):
    monkeypatch.setattr(baseline_steps, "_is_available", lambda _: False)
    monkeypatch.chdir(project.folder)
    monkeypatch.setattr(sys.modules["__main__"], "__file__", "xval", raising=False)
    array_corpus = open_corpus("toy", project.folder / "data")
    audio_corpus = replace(array_corpus, corpus="table", index=array_corpus.index.assign(sample_rate_hz=8000))

    baseline_steps.write_steps(Path("experiments/start_toy.py"), audio_corpus, 3)
    declared = baseline_steps.read_steps(Path("experiments/start_toy.py"))
    baseline_steps.write_steps(Path("experiments/start_arrays.py"), array_corpus, 3)
    array_steps = baseline_steps.read_steps(Path("experiments/start_arrays.py"))

    assert declared.script == "experiments/start_toy.py"
    assert [list(own) for own in array_steps.instances.values()] == [["architecture", "comment_1"]] * 3
    rate = {"sample_rate_hz": 8000, "n_fft": 512, "win_length": 200, "hop_length": 80}
    assert declared.parameters == {"dataset": "toy", "num_experiment": 3, "task_type": "classification"} | rate
    assert [own["architecture"] for own in declared.instances.values()] == ["constant", "svm", "svm", "cnn_small"]


@pytest.mark.parametrize(
    ("durations_s", "expected"),
    [([0.5] * 199 + [0.91, 2.3], {"clip_length_s": 0.5}), ([3.0] * 150 + [4.31] * 50 + [5.3], {}), ([], {})],
)
def test_the_network_does_not_read_the_silence_that_a_few_long_clips_bring(durations_s, expected):
    length = baseline_steps.typical_length(np.array(durations_s))

    steps = baseline_steps._steps(has_classes=True, length=length)

    assert length == expected
    (network,) = (step for step in steps if step["architecture"] == "cnn_small")
    assert {name: network[name] for name in network if name == "clip_length_s"} == expected


@pytest.mark.parametrize("has_gpu", [False, True])
def test_encoders_on_this_machine_are_steps_after_the_network_and_are_fine_tuned_on_a_gpu(has_gpu, monkeypatch):
    here = {"praat", "wav2vec2-base"}
    monkeypatch.setattr(baseline_steps, "_is_available", here.__contains__)
    monkeypatch.setattr(baseline_steps, "find_gpus", lambda: ("a GPU",) * has_gpu)

    steps = baseline_steps._steps(has_classes=True, length={})

    models = [(step["architecture"], step.get("embedding_model", step.get("encoder"))) for step in steps]
    encoded = [("logistic", "wav2vec2-base"), ("svm", "wav2vec2-base")]
    assert models[3:] == [("svm", "praat"), ("cnn_small", None), *encoded, *[("encoder", "wav2vec2-base")] * has_gpu]


def test_an_encoder_is_available_if_its_package_or_its_files_are(monkeypatch, tmp_path):
    pytest.importorskip("huggingface_hub")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    assert [baseline_steps._is_available(name) for name in ("duration_level", "wav2vec2-base")] == [True, False]
