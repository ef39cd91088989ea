"""The three lines of an experiment, Result, Evidence and Next, on ordinary and on odd experiments: their exact texts."""

import html
import json
import re

import numpy as np
import openpyxl
import pytest

from preprocessing.store import write
from tests.outside.conftest import FEATURES, prepare_repeated_recordings

KNN = {"architecture": "knn", "n_neighbors": (1,)}
LOGISTIC = {"architecture": "logistic", "C": (1.0,)}
CONSTANT = {"architecture": "constant"}
SVM = {"architecture": "svm", "C": (1.0,), "kernel": "linear"}


def place(target):
    """Return a number for a target: a class, labels, or a number already."""
    return target if isinstance(target, float) else "abcd".index(target[0])


def corpus(study, target, *, difference=1.0, task="classification", n_items=6, n_clips=12, level=None):
    """Write arrays that follow from their targets, or from a level, both of (item, clip), as strongly as is said."""
    rng = np.random.default_rng(0)
    predictors, targets = {}, {}
    for item in range(n_items):
        own = [target(item, clip) for clip in range(n_clips)]
        levels = [level(item, clip) if level else place(one) for clip, one in enumerate(own)]
        noise = rng.normal(size=(n_clips, 6, 4))
        predictors[f"s{item}"] = (noise + difference * np.array(levels, float)[:, None, None]).astype("float32")
        targets[f"s{item}"] = np.array(own, "float32") if task == "regression" else own
    write("small", predictors, targets, data_folder=study.folder / "data", task_type=task)


def train(study, *instances, words=(), **settings):
    """Run these instances and return the three lines that the run prints."""
    study.script(*instances, **{"num_folds": 3, "item_name": "speaker"} | settings)
    ended = study.run(*words)
    found = dict(re.findall(r"^(Result|Evidence|Next): +(.*)$", ended.stdout, re.MULTILINE))
    assert list(found) == ["Result", "Evidence", "Next"], ended.stdout + ended.stderr
    return list(found.values())


def even(_item, clip):
    return "ab"[clip % 2]


def rare(_item, clip):
    return "ab"[clip == 0]


def by_speaker(item, _clip):
    return "ab"[item % 2]


def test_one_variant(empty):
    corpus(empty, even, difference=0.3)
    assert train(empty, LOGISTIC) == [
        "logistic reaches balanced accuracy (UAR) 0.778 [0.655, 0.866] on unseen speakers; chance is 0.500.",
        "Above chance. There is no second model to compare it with.",
        "Add a baseline, for example architecture = cnn_small.",
    ]


def test_two_speakers_are_too_few(empty):
    corpus(empty, even, n_items=2)
    empty.script(LOGISTIC, num_folds=2)
    assert "the dataset has 2 items (s0, s1), but training, validation and test need one each" in empty.mistake("exp.py")


def test_two_tested_speakers(empty):
    corpus(empty, even, difference=0.3)
    assert train(empty, LOGISTIC, num_folds=1, fold_strategy="holdout", test_fraction=0.33) == [
        "logistic reaches balanced accuracy (UAR) 0.833 on unseen speakers; chance is 0.500.",
        "There is no confidence interval, because there are only 2 speakers.",
        "Test more speakers.",
    ]


def test_one_fold(empty):
    corpus(empty, even, difference=0.3, n_items=12)
    assert train(empty, LOGISTIC, CONSTANT, fold_strategy="holdout", test_fraction=0.5) == [
        "logistic (1) reaches balanced accuracy (UAR) 0.792 [0.685, 0.869] on unseen speakers; chance is 0.500.",
        (
            "logistic (1) is significantly better than constant (2) (p < 0.001). These results hold for these trained "
            "models; retraining may change them."
        ),
        "Ready to report: xval report results/small/experiment_1 --latex.",
    ]


@pytest.mark.long
def test_equal_variants(empty):
    """One training each: whether another one would change the order is not known."""
    corpus(empty, even, difference=0.3)
    instances = LOGISTIC, LOGISTIC | {"C": (1.3,)}, SVM
    assert train(empty, *instances) == [
        (
            "Report balanced accuracy (UAR) 0.764 [0.647, 0.851] on unseen speakers (chance 0.500): the nested estimate "
            "for choosing among 3 variants. The chosen one, svm (3), scored 0.764."
        ),
        "svm (3) is above chance, but not significantly better than logistic, C 1.0 (1) and logistic, C 1.3 (2).",
        "Set fold_repeats = 3 and run again, because retraining may change these scores by more than the variants differ.",
    ]
    assert train(empty, *instances, fold_repeats=2, num_experiment=2) == [
        (
            "Report balanced accuracy (UAR) 0.778 [0.677, 0.854] on unseen speakers (chance 0.500): the nested estimate "
            "for choosing among 3 variants. The chosen one, svm (3), scored 0.757."
        ),
        (
            "Choosing by validation is above chance, but not significantly better than logistic, C 1.0 (1) and "
            "logistic, C 1.3 (2)."
        ),
        "Use whichever of variants 1-3 is cheapest: telling them apart would take more than 24 speakers (you have 6).",
    ]


def test_a_rare_class(empty):
    corpus(empty, rare, difference=0.3, n_clips=20)
    assert train(empty, LOGISTIC) == [
        "logistic scored balanced accuracy (UAR) 0.500.",
        "Not above chance, which is 0.500.",
        "Set class_weights = balanced, because most predictions are the most frequent class.",
    ]


def test_a_metric_to_minimise(empty):
    corpus(empty, lambda _, clip: float(clip), difference=0.0, task="regression")
    assert train(empty, {"architecture": "ridge"}, task_type="regression") == [
        "ridge scored RMSE 3.505 [3.352, 3.666].",
        "Not better than chance: the interval includes 3.452.",
        "Check the labels; then try other features or add speakers.",
    ]


def test_regression(empty):
    corpus(empty, lambda _, clip: float(clip), difference=0.1, task="regression")
    assert train(empty, {"architecture": "ridge"}, CONSTANT, task_type="regression") == [
        (
            "Report RMSE 1.686 [1.405, 2.023] on unseen speakers (chance 3.452): the nested estimate for choosing among 2 "
            "variants. The chosen one, ridge (1), scored 1.686."
        ),
        (
            "ridge (1) is significantly better than constant (2) (p < 0.001). These results hold for these trained "
            "models; retraining may change them."
        ),
        "Ready to report: xval report results/small/experiment_1 --latex.",
    ]


def test_several_labels(empty):
    labels = [["a", "c"], ["b"], ["a"], ["b", "c"]]
    corpus(empty, lambda _, clip: labels[clip % 4], task="multilabel_classification")
    network = {"architecture": "mlp", "n_units": (4,), "seed": 1}
    result, *others = train(empty, network, task_type="multilabel_classification", num_epochs=1)
    assert [re.sub(r"0\.\d{3}", "0.xxx", result), *others] == [
        "mlp reaches mean average precision (mAP) 0.xxx [0.xxx, 0.xxx] on unseen speakers; chance is 0.xxx.",
        "Above chance. There is no second model to compare it with.",
        "Add a baseline, for example architecture = cnn_small.",
    ]


@pytest.mark.long
def test_a_variant_that_fails(empty):
    corpus(empty, even, difference=0.3)
    network = {"architecture": "mlp", "n_units": (2,), "learning_rate": 1e36}
    assert train(empty, LOGISTIC, network, num_epochs=1) == [
        "logistic (1) reaches balanced accuracy (UAR) 0.778 [0.655, 0.866] on unseen speakers; chance is 0.500.",
        "Above chance. There is no second model to compare it with.",
        "Fix the error of 3 jobs of mlp (2), then run the same command again to finish.",
    ]
    assert train(empty, network, num_epochs=1, num_experiment=2) == [
        "No fold is finished: 3 jobs failed.",
        "There is nothing to report yet.",
        "Fix the error, then run the same command again.",
    ]


def test_missing_folds(empty):
    corpus(empty, even, difference=0.3)
    assert train(empty, LOGISTIC, words=("--folds", "1,2")) == [
        "Preliminary: balanced accuracy (UAR) 0.792 from 2 of 3 folds of logistic.",
        "Do not report this yet.",
        "Run the same command again to finish (without --folds, if you gave it).",
    ]
    assert train(empty, LOGISTIC, CONSTANT, words=("1",)) == [
        "logistic reaches balanced accuracy (UAR) 0.778 [0.655, 0.866] on unseen speakers; chance is 0.500.",
        "Above chance. There is no second model to compare it with.",
        "Add a baseline, for example architecture = cnn_small.",
    ]


def test_two_identical_variants(empty):
    corpus(empty, even, difference=0.3)
    assert train(empty, SVM | {"gamma": ("scale",)}, SVM | {"gamma": ("0.1",)}) == [
        (
            "Report balanced accuracy (UAR) 0.764 [0.647, 0.851] on unseen speakers (chance 0.500): the nested estimate "
            "for choosing among 2 variants. The chosen one, svm, gamma scale (1), scored 0.764."
        ),
        "Choosing by validation is above chance, but not significantly better than svm, gamma 0.1 (2).",
        (
            "Use whichever of variants 1 and 2 is cheapest, because choosing by validation and variant 2 have the same score "
            "for every speaker."
        ),
    ]


def test_perfect_variants(empty):
    corpus(empty, even, difference=20.0)
    assert train(empty, LOGISTIC) == [
        "logistic reaches balanced accuracy (UAR) 1.000 [0.541, 1.000] on unseen speakers; chance is 0.500.",
        "Every test speaker has the best possible score, which is suspicious.",
        "Look for what reveals the label, such as length, silence or names, or test harder clips.",
    ]


def test_a_random_split(empty):
    corpus(empty, by_speaker, difference=0.5, n_items=24, n_clips=1)
    assert train(empty, LOGISTIC) == [
        "Balanced accuracy (UAR) 0.917 [0.682, 0.983] on unseen clips; chance is 0.500.",
        "Not speaker-independent: clips of one speaker may be in training and test.",
        "Tell xval the speaker (--item-pattern, or a column item) and run again.",
    ]
    assert train(empty, LOGISTIC, silence="XV102") == [
        "logistic reaches balanced accuracy (UAR) 0.917 [0.682, 0.983] on unseen speakers; chance is 0.500.",
        "Above chance. There is no second model to compare it with.",
        "Add a baseline, for example architecture = cnn_small.",
    ]


def test_a_test_on_what_was_trained_on(empty):
    """One speaker has the recordings of another at half of the level."""
    prepare_repeated_recordings(empty, "speaker")
    assert train(empty, LOGISTIC, fold_strategy="leave_one_out", **FEATURES) == [
        "Not valid as a test: logistic scored 1.000.",
        "Some tested clips are nearly identical to training clips.",
        "xval audit results/small/experiment_1 lists them. Remove them and run again.",
    ]


def test_at_chance(empty):
    corpus(empty, even, difference=0.0)
    assert train(empty, LOGISTIC, KNN) == [
        (
            "Choosing among 2 variants scored balanced accuracy (UAR) 0.444 [0.343, 0.551] on unseen speakers. The chosen "
            "one, knn (2), scored 0.542."
        ),
        "Not above chance: the interval includes 0.500.",
        "Do not rank these models. Check the labels; then try other features or add speakers.",
    ]


def test_speakers_that_are_recognised(empty):
    """Half of the speakers have two of the classes, and the features tell only which half a speaker is of."""
    corpus(
        empty, lambda item, clip: "abcd"[2 * (item % 2) + clip % 2], level=lambda item, _: item % 2, difference=2.0, n_items=12
    )
    assert train(empty, LOGISTIC) == [
        "logistic reaches balanced accuracy (UAR) 0.472 [0.373, 0.574] on unseen speakers; chance is 0.250.",
        "Above chance (0.250), but no better than recognising the speaker (0.500).",
        "Compare with 0.500 instead of chance, or test speakers of other groups (train_where, test_where).",
    ]


def test_a_clear_winner(empty):
    corpus(empty, even, difference=0.5, n_items=9)
    assert train(empty, LOGISTIC, CONSTANT, CONSTANT | {"time_parts": 2}) == [
        (
            "Report balanced accuracy (UAR) 0.917 [0.859, 0.952] on unseen speakers (chance 0.500): the nested estimate "
            "for choosing among 3 variants. The chosen one, logistic (1), scored 0.917."
        ),
        (
            "logistic (1) is significantly better than both others (adjusted p < 0.001). These results hold for these "
            "trained models; retraining may change them."
        ),
        "Ready to report: xval report results/small/experiment_1 --latex.",
    ]


def test_one_decision_for_each_speaker(empty):
    corpus(empty, by_speaker, difference=0.2, n_items=20, n_clips=6)
    assert train(empty, LOGISTIC, item_decision="mean") == [
        "logistic reaches balanced accuracy (UAR) 0.800 [0.539, 0.932] on unseen speakers; chance is 0.500.",
        "Above chance. There is no second model to compare it with.",
        "Add a baseline, for example architecture = cnn_small.",
    ]


def test_page_workbook_and_a_later_run_have_the_same_lines(empty):
    corpus(empty, even, difference=0.3)
    printed = train(empty, LOGISTIC, CONSTANT, page="complete")
    assert train(empty, LOGISTIC, CONSTANT, page="complete") == printed
    summary = json.loads((empty.results / "summary.json").read_text())
    assert [line.replace("EXPERIMENT", empty.EXPERIMENT) for line in summary["lines"].values()] == printed
    page = html.unescape((empty.results / "report.html").read_text())
    sheet = openpyxl.load_workbook(empty.results / "results.xlsx")["summary"]
    for row, (label, line) in enumerate(zip(("Result", "Evidence", "Next"), printed, strict=True), start=1):
        assert f"<p><b>{label}</b> {line}</p>" in page
        assert sheet.cell(row, 1).value == f"{label}: {line}"


def test_findings_are_printed_with_code_name_and_message(empty):
    corpus(empty, by_speaker, difference=0.5, n_items=24, n_clips=1)
    empty.script(LOGISTIC, num_folds=3, item_name="speaker")
    message = "- XV102 random-split: Each of the 24 speakers has one clip, as in a random split."
    printed = empty.run().stdout
    assert f"1 finding (--details adds advice):\n{message}\n" in printed
    assert f"{message} If several clips are of one speaker" in empty.run("--details").stdout


def test_a_metric_with_the_values_of_another_has_no_column(empty):
    corpus(empty, even, difference=0.3)
    empty.script(LOGISTIC, num_folds=3, page="complete")
    printed = empty.run().stdout
    assert "test balanced accuracy (UAR)" in printed
    assert "test accuracy: the same as balanced accuracy (UAR)." in printed
    page = (empty.results / "report.html").read_text()
    assert "test accuracy: the same as balanced accuracy (UAR)." in page
    assert "= accuracy" not in printed + page


@pytest.mark.long
def test_a_constant_baseline_is_no_finding_unless_no_variant_is_above_chance(empty):
    corpus(empty, even, difference=0.3)
    empty.script(LOGISTIC, CONSTANT, num_folds=3, item_name="speaker")
    assert "XV301" not in empty.run().stdout
    empty.script(CONSTANT, CONSTANT | {"pooling": ("mean",)}, num_folds=3, item_name="speaker", num_experiment=2)
    assert "XV301 not-above-chance" in empty.run().stdout


def test_lines_of_another_version_are_made_anew(empty):
    corpus(empty, even, difference=0.3)
    printed = train(empty, LOGISTIC, CONSTANT)
    path = empty.results / "summary.json"
    summary = json.loads(path.read_text())
    path.write_text(
        json.dumps(summary | {"lines": dict.fromkeys(summary["lines"], "Told by an earlier version."), "texts": "other"})
    )
    assert train(empty, LOGISTIC, CONSTANT) == printed
    assert json.loads(path.read_text()) == summary
