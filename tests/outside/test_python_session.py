"""A plain Python session: `Experiment.run`, `Results`, `cross_validate`, `load_*`."""

import json
import re

import pandas as pd
import pytest

FIRST = """
import pandas as pd
import xval
from xval import Experiment, Results
"""
SETTINGS = "dataset='small', num_folds=2, fold_repeats=1, num_epochs=1, page='none', executor='inline'"


def python(study, code, **variables):
    """Run code as a session does, and return what it printed."""
    ended = study.python("-c", FIRST + code, **variables)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def last_json(printed):
    return json.loads(printed.strip().splitlines()[-1])


def test_an_experiment_is_declared_run_and_read(study):
    read = last_json(python(study, f"""
import json
experiment = Experiment("In a session", {SETTINGS})
experiment.grid(architecture=["knn", "svm"])
first = experiment.run(1, folds=[1], quiet=True)
assert first.not_done
results = experiment.run(quiet=True)
print(json.dumps({{
    "rows": len(results.summary), "columns": list(results.summary.columns), "best": results.best,
    "folds": len(results.folds), "tested": int((results.predictions["side"] == "test").sum()),
    "figures": len(results.scores), "not_done": len(results.not_done), "text": str(results),
    "better": len(results.compare(1, 2, baseline=1).table),
}}))
"""))  # fmt: skip

    assert read["rows"] == 2
    assert {"test_accuracy_mean", "test_accuracy_std", "test_accuracy_low", "test_accuracy_chance"} <= set(read["columns"])
    assert read["best"] in (1, 2)
    assert read["tested"] == 2 * 72
    assert read["not_done"] == 0
    assert "knn" in read["text"]


def test_results_of_an_earlier_run_are_opened(finished):
    read = last_json(python(finished, f"""
import json
results = Results({finished.EXPERIMENT!r})
accuracy = results.folds.query("side == 'test' and metric == 'accuracy' and instance == 1")["value"].mean() \\
    if "metric" in results.folds else results.folds.query("instance == 1")["test_accuracy"].mean()
print(json.dumps({{"summary": results.summary["test_accuracy_mean"].tolist(), "accuracy": accuracy, "best": results.best}}))
"""))  # fmt: skip

    means = [sum(finished.scores(n, f)["accuracy"] for f in (1, 2, 3)) / 3 for n in (1, 2, 3)]
    assert read["summary"] == pytest.approx(means)
    assert read["accuracy"] == pytest.approx(means[0])
    assert read["best"] == 3


def test_tables_of_an_experiment_agree_with_its_files(finished):
    read = last_json(python(finished, f"""
import json
where = {finished.EXPERIMENT!r}
results, jobs = xval.load_results(where), xval.load_jobs(where)
scores, predictions = xval.load_scores(where), xval.load_predictions(where, instances=[1])
print(json.dumps({{"results": sorted(results.columns), "jobs": sorted(jobs.columns), "states": sorted(set(jobs["status"])),
    "scores": sorted(scores.columns), "predictions": sorted(predictions.columns), "n": [len(jobs), len(predictions)],
    "accuracy": results.query("instance == 1 and fold == 1 and side == 'test' and metric == 'accuracy'")["value"].tolist()}}))
"""))  # fmt: skip

    assert {"instance", "fold", "repeat", "side", "metric", "value"} <= set(read["results"])
    assert {"instance", "fold", "status", "seconds", "error"} <= set(read["jobs"])
    assert read["states"] == ["done"]
    assert {"instance", "side", "metric", "chance"} <= set(read["scores"])
    assert {"item", "side", "target", "predicted", "probability_high", "instance", "fold"} <= set(read["predictions"])
    assert read["n"] == [9, sum(len(finished.predictions(1, fold)) for fold in (1, 2, 3))]
    assert read["accuracy"] == [finished.scores()["accuracy"]]


def test_instances_are_compared_from_python(finished):
    printed = python(finished, f"""
pairs = Results({finished.EXPERIMENT!r}).compare(1, 2, baseline=3)
print(len(pairs.table), isinstance(pairs.table, pd.DataFrame))
""")  # fmt: skip

    assert printed.split()[-2:] == ["2", "True"]


def test_a_model_is_loaded_and_answers_files_and_samples(finished):
    read = last_json(python(finished, f"""
import json, soundfile
model = xval.load_model({finished.EXPERIMENT + "/instance_1"!r})
samples, rate = soundfile.read("audio/low/s0_0.wav")
file = model.predict(["audio/low/s0_0.wav"])
array = model.predict(samples, sampling_rate=rate)
both = model.predict_proba(["audio/low/s0_0.wav", "audio/high/s0_1.wav"])
print(json.dumps({{"names": list(model.class_names), "classes": list(model.classes_), "shape": both.shape,
    "sums": both.sum(axis=1).tolist(), "file": float(file["probability_low"].iloc[0]),
    "array": float(array["probability_low"].iloc[0]), "rate": model.settings["feature_settings"]["sample_rate_hz"],
    "stretch": len(model.predict([xval.Segment("audio/low/s0_0.wav", 0.0, 0.1)]))}}))
"""))  # fmt: skip

    assert read["names"] == read["classes"] == ["high", "low"]
    assert read["shape"] == [2, 2]
    assert read["sums"] == pytest.approx([1, 1], abs=1e-5)
    assert read["file"] == pytest.approx(read["array"], abs=1e-3)
    assert (read["rate"], read["stretch"]) == (4000, 1)


def test_results_report_refit_and_load(copied):
    printed = python(copied, f"""
results = Results({copied.EXPERIMENT!r})
print(results.report())
path = results.refit(3)
print(path)
print(list(results.load_model(2).class_names), xval.load_model(path).class_names)
""")  # fmt: skip

    assert "report.html" in printed
    assert (copied.results / "instance_3" / "refit" / "model.skops").exists()


FEATURES = {"sample_rate_hz": 4000, "n_fft": 64, "win_length": 64, "hop_length": 32, "n_mels": 8}
FRAME = "pd.read_csv('audio/clips.csv').assign(path=lambda t: 'audio/' + t['path']), dataset='small'"


@pytest.mark.parametrize(
    "data", ["'audio', item_pattern='(s[0-9])_'", pytest.param("'audio/clips.csv'", marks=pytest.mark.slow), FRAME]
)
def test_cross_validate_is_one_call(empty, data):
    empty.recordings()

    printed = python(empty, f"""
given = dict(num_folds=2, fold_repeats=1, executor="inline", {", ".join(f"{key}={value}" for key, value in FEATURES.items())})
results, model = xval.cross_validate({data}, architecture="knn", **given)
print(results.summary["test_accuracy_mean"].iloc[0] > 0.5, xval.load_model(model).class_names)
again, none = xval.cross_validate({data}, architecture="logistic", refit=False, **given)
print(len(again.summary), none)
""")  # fmt: skip

    assert "True" in printed
    assert "2 None" in printed


def test_cross_validate_names_variants_by_the_settings_that_differ(study):
    printed = python(study, """
given = dict(num_folds=2, fold_repeats=1, executor="inline", page="none", refit=False, quiet=True)
xval.cross_validate("small", architecture="svm", C=1, gamma=0.1, **given)
xval.cross_validate("small", architecture="svm", C=10, gamma=0.1, **given)
""")  # fmt: skip

    shown = study.xval("status", study.EXPERIMENT).stdout
    names = [re.split(r"\s{2,}", line.strip())[1] for line in shown.splitlines() if re.match(r"\s*[12]\s{2,}", line)]
    assert names == ["svm, C 1.0", "svm, C 10.0"], printed + shown


def test_folds_serve_scikit_learn(study):
    printed = python(study, f"""
import numpy
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import cross_val_score
folds = Experiment("For scikit-learn", {SETTINGS}).folds()
scores = cross_val_score(DummyClassifier(), numpy.zeros((len(folds.clips), 1)), folds.clips["label"], cv=folds)
print(len(scores))
fewer = Experiment("For scikit-learn", {SETTINGS}).folds(validation="leave_out")
print(all({{*own}} < {{*all_of}} for (own, _), (all_of, _) in zip(fewer.split(), folds.split())))
try:
    cross_val_score(DummyClassifier(), numpy.zeros((5, 1)), folds.clips["label"][:5], cv=folds, error_score="raise")
except (xval.XvalError, ValueError) as error:
    print("refused")
""")  # fmt: skip

    assert printed.split()[-3:] == ["2", "True", "refused"]
    assert not (study.folder / "results").exists()


MISTAKES = {
    "Experiment('x', dataset='smal')": "small",
    "Experiment('x', datset='small')": "'dataset'",
    "Experiment('x', dataset='small', num_experiment=2, num_folds=40)": "40",
    "Results('results/nothing')": "nothing",
    "xval.load_results('results/nothing')": "nothing",
    "xval.load_model('results/nothing')": "nothing",
    "xval.load_predictions('results/small/experiment_1', instances=[9])": "1, 2, 3",
    "xval.cross_validate('nowhere', architecture='svm')": "nowhere",
    "xval.cross_validate('audio', architecture='knnn', item_pattern='(s[0-9])_')": "'knn'",
}


@pytest.mark.parametrize("code", sorted(MISTAKES))
def test_a_mistake_is_an_xval_error(copied, code):
    printed = python(copied, f"""
try:
    made = {code}
    if isinstance(made, Experiment):
        made[1] = {{"architecture": "knn"}}
        made.run()
except xval.XvalError as error:
    print("refused:", error)
""")  # fmt: skip

    assert printed.startswith("refused:") or "\nrefused:" in printed
    assert MISTAKES[code] in printed


@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("xval.Results('gone')", "gone: no such folder"),
        ("xval.load_predictions('gone')", "gone: no such folder"),
        ("xval.load_model('gone')", "gone: there is no such model or folder"),
        ("xval.cross_validate('audio', item_pattern='([a-z]+)', architecture='cnn_smal')", "Did you mean 'cnn_small'"),
        ("preprocessing.prepare('gone')", "gone: there is no such folder or table"),
    ],
)
def test_a_script_whose_first_call_is_a_mistake_ends_with_one_line(study, call, said):
    shown = study.mistake("-c", f"import preprocessing, xval\n{call}")

    assert said in shown
    assert shown.startswith("error: ")
    assert len(shown.splitlines()) == 1


CTRL_C = """
import os, signal, sys
class Press:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.kill(os.getpid(), signal.SIGINT)
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.meta_path.insert(0, Press())
"""


@pytest.mark.parametrize("module", ["difflib", "filelock", "pydantic"])
def test_ctrl_c_while_a_script_imports_ends_it_with_one_line(study, module):
    study.script({"architecture": "constant"}, head=CTRL_C.format(module=module))

    ended = study.python("exp.py", "--list", in_workers=True)

    assert (ended.returncode, ended.stderr) == (130, "Interrupted.\n")


@pytest.mark.parametrize("module", ["difflib", "filelock", "argparse"])
@pytest.mark.parametrize("program", ["xval", "preprocessing", "augmentation"])
def test_ctrl_c_at_the_start_of_a_command_ends_it_with_one_line(study, module, program):
    start = f"import runpy\nsys.argv[1:] = ['--help']\nrunpy.run_module({program!r}, run_name='__main__', alter_sys=True)"

    ended = study.python("-c", CTRL_C.format(module=module) + start, in_workers=True)

    assert ended.returncode == 130, ended.stderr
    assert ended.stderr.startswith("Interrupted.")
    assert len(ended.stderr.splitlines()) == 1


def test_ctrl_c_in_a_users_own_code_has_its_traceback(study):
    own = "import xval\ndef wait():\n    os.kill(os.getpid(), signal.SIGINT)\n    import time; time.sleep(9)\nwait()"

    ended = study.python("-c", CTRL_C.format(module="") + own, in_workers=True)

    assert "in wait" in ended.stderr
    assert ended.stderr.rstrip().endswith("KeyboardInterrupt")


@pytest.mark.long
def test_a_session_goes_on_after_failed_jobs(study):
    fails = "    def on_epoch_end(self, epoch, logs):\n        if epoch:\n            raise ValueError('cannot')\n"
    study.file("watch.py", f"import keras\nclass Fails(keras.callbacks.Callback):\n{fails}")

    printed = python(study, f"""
import warnings
experiment = Experiment("Some fail", {SETTINGS.replace("num_epochs=1", "num_epochs=2")})
experiment[1] = {{"architecture": "mlp", "n_units": (4,), "callbacks": "watch.Fails"}}
experiment[2] = {{"architecture": "knn"}}
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    results = experiment.run()
print(len(results.not_done), results.best, any("2 jobs failed" in str(one.message) for one in said))
try:
    experiment.run(1)
except xval.XvalError as error:
    print("refused", type(error).__name__ == "JobError", "2 jobs failed" in str(error), "cannot" in str(error))
""")  # fmt: skip

    assert "2 2 True" in printed
    assert "refused True True True" in printed


def test_verification_of_speakers_from_python(empty):
    printed = python(empty, """
import numpy
rng = numpy.random.default_rng(0)
who = [f"s{k % 5}" for k in range(20)]
close = numpy.eye(5)[[k % 5 for k in range(20)]] + 0.01 * rng.normal(size=(20, 5))
found = xval.verification_eer(close, who)
print(found.eer, found.n_same, found.n_different)
""")  # fmt: skip

    assert printed.split() == ["0.0", "30", "160"]


def test_the_main_figure_of_python_and_of_the_workbook_is_the_same(finished):
    table = pd.read_excel(finished.results / "results.xlsx", sheet_name=None, header=None)
    printed = python(finished, f"print(Results({finished.EXPERIMENT!r}).summary['test_accuracy_mean'].iloc[0])")

    numbers = [cell for sheet in table.values() for cell in sheet.to_numpy().ravel() if isinstance(cell, float)]
    assert any(number == pytest.approx(float(printed), abs=1e-9) for number in numbers)


def test_cross_validate_takes_the_columns_of_a_table(empty):
    clips = empty.recordings()
    clips.rename(columns={"path": "file", "item": "speaker", "label": "class"}).to_csv(
        empty.folder / "audio/clips.csv", index=False
    )
    ended = empty.python(
        "-c",
        "import xval; results, _ = xval.cross_validate('audio/clips.csv', path='file', item='speaker', label='class', "
        "architecture='knn', num_folds=2, refit=False, quiet=True); print(results.scores['n_items'].iloc[0])",
    )
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split()[-1] == str(clips["item"].nunique())


def test_cross_validate_names_the_argument_that_was_meant(study):
    said = study.mistake("-c", "import xval; xval.cross_validate('audio', architecture='svm', item_patern='x')")
    assert "cross_validate(): unknown argument 'item_patern'. Did you mean 'item_pattern'?" in said
    said = study.mistake("-c", "import xval; xval.cross_validate('audio', architecture='svm', lerning_rate=1)")
    assert "unknown parameter 'lerning_rate'. Did you mean 'learning_rate'?" in said


@pytest.mark.parametrize(
    ("call", "named"),
    [
        ("'x.npy', 'y.npy', list('aabb'), dataset='e'", "source: received the path 'x.npy'; arrays are not read from files."),
        ("'x.npy', dataset='e'", "Load it first, as with numpy.load('x.npy')"),
        ("x, 'y.npy', list('aabb'), dataset='e'", "targets: received the path 'y.npy'"),
        ("x, 'label', list('aabb'), dataset='e'", "targets: received 'label'; expected an array"),
        ("3, dataset='e'", "source: received 3; expected a folder, a table, a DataFrame or arrays."),
        ("'audio', dataset=3", "dataset: received 3; expected a name"),
        ("'audio', corpus=3, dataset='e'", "corpus: received 3; expected a name"),
        (
            "'audio', dataset='e', settings='n_mels=3'",
            "settings: received 'n_mels=3'; expected a dict, such as {'n_mels': 40}.",
        ),
        ("'audio', dataset='e', workers='2'", "workers: received '2'; expected a whole number from 1."),
    ],
)
def test_prepare_names_an_argument_of_a_wrong_type(study, call, named):
    study.recordings(n_speakers=1)
    code = (
        "import numpy as np, preprocessing; x = np.zeros((4, 3)); np.save('x.npy', x); np.save('y.npy', list('abab')); "
        f"preprocessing.prepare({call})"
    )

    said = study.mistake("-c", code)

    assert named in said
