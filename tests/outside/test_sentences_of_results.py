"""Sentences beside results that were false in some study: each study is small, and what it says is held."""

import json
import re

import numpy as np
import pytest

from preprocessing.store import write
from tests.outside.conftest import FEATURES, prepare_repeated_recordings

pytestmark = pytest.mark.long

N_ITEMS, N_CLIPS = 8, 10


def study_of(study, targets_of, *, difference=1.0, task="classification", n_items=N_ITEMS):
    """Write a corpus of arrays, whose values follow from their targets as strongly as is said; targets are of (item, clip)."""
    rng = np.random.default_rng(0)
    predictors, targets = {}, {}
    for item in range(n_items):
        own = [targets_of(item, clip) for clip in range(N_CLIPS)]
        levels = np.array([float(target == "b") if isinstance(target, str) else target for target in own])
        noise = rng.normal(size=(N_CLIPS, 6, 4))
        predictors[f"s{item}"] = (noise + difference * levels[:, None, None]).astype("float32")
        targets[f"s{item}"] = own if isinstance(own[0], str) else np.array(own, "float32")
    write("small", predictors, targets, data_folder=study.folder / "data", task_type=task)


def even(_item, clip):
    return "ab"[clip % 2]


def rare(_item, clip):
    return "ab"[clip == 0]


def said(study, *instances, **settings):
    """Return what a run prints, with all findings."""
    study.train(*instances, **{"num_folds": 4, "fold_strategy": "balanced"} | settings)
    return study.run("--details").stdout


SVM = {"architecture": "svm", "C": (1.0,), "kernel": "linear"}


def test_identical_instances_have_no_difference_to_show(empty):
    study_of(empty, even, difference=0.35)
    text = said(empty, SVM | {"gamma": ("scale",)}, SVM | {"gamma": ("0.1",)}, fold_repeats=3)
    compared = r"(they|choosing by validation and variant \d)"
    same = rf"Use whichever of variants 1 and 2 is cheapest, because {compared} have the same score for every item\."
    assert re.search(same, " ".join(text.split())), text
    assert "to confirm the difference" not in text
    compared = empty.xval("compare", empty.EXPERIMENT).stdout
    assert "to confirm the difference" not in compared
    assert "Both have the same scores for every item" in compared


def test_variants_that_differ_only_in_the_seed_are_to_be_one_variant(empty):
    study_of(empty, even, difference=0.35)
    text = said(empty, *({"architecture": "forest", "n_trees": 10, "seed": seed} for seed in (1, 2, 3)))
    because = "There is no second model to compare it with, because the variants differ only in their seed."
    assert because in text
    assert "Next:     Declare one variant with repeats = 3: it reports the mean over seeds, not the best of them." in text


def test_variants_with_the_same_settings_are_one_model(empty):
    study_of(empty, even, difference=0.35)
    named = SVM | {"comment_1": "first"}, SVM | {"comment_1": "again"}
    text = said(empty, *named)
    removing = "Remove variant 2, or change the setting in which they should differ."
    because = "There is no second model to compare it with, because variants 1 and 2 have the same settings and seed."
    assert f"Evidence: Above chance. {because}\nNext:     {removing}" in text
    assert f"XV308 same-settings: Variants 1 and 2 have the same settings and seed, so they are one model. {removing}" in text
    assert "significantly" not in text
    assert "Choosing among" not in text
    compared = empty.xval("compare", empty.EXPERIMENT).stdout
    assert "Variants 1 and 2 have the same settings and seed" in compared
    assert removing in compared
    assert "cheapest" not in compared
    with_another = said(empty, *named, {"architecture": "logistic"}, num_experiment=2)
    (evidence,) = [line for line in with_another.splitlines() if line.startswith("Evidence")]
    assert "significantly better than" in evidence
    assert "again (2)" not in evidence


def test_validation_without_a_class_is_said(empty):
    """Of eight speakers three have class b, so that some fold's two that validate have none of it."""
    study_of(empty, lambda item, _: "ab"[item in (1, 4, 6)], difference=1.0)
    text = said(empty, SVM, num_folds=3, validation="next_fold", item_name="speaker")
    record = [empty.record(1, fold)["validation_classes"] for fold in (1, 2, 3)]
    assert "XV106" not in text, record
    for fold in (1, 3):
        changed = empty.record(1, fold)
        changed["validation_classes"]["b"] = 0
        (empty.fold(1, fold) / "record.json").write_text(json.dumps(changed))
    (finding,) = [line for line in empty.run("--details").stdout.splitlines() if "XV106" in line]
    assert finding == (
        "- XV106 missing-classes: Validation speakers of folds 1, 3 lack the class 'b', so validation balanced accuracy (UAR) "
        "is undefined there and its mean is of the other fold. Let more speakers validate (validation = fraction, with a "
        "larger validation_fraction), so that each class is among them."
    )


def test_an_error_is_better_than_chance_and_not_above_it(empty):
    study_of(empty, lambda item, clip: 0.2 * clip + 0.1 * item, task="regression")
    text = said(empty, {"architecture": "ridge"}, task_type="regression")
    assert "Evidence: Better than chance." in text
    assert "above chance" not in text


def test_an_error_that_is_no_better_is_not_above_chance_either(empty):
    study_of(empty, lambda item, clip: 0.2 * clip + 0.1 * item, task="regression", difference=0.0)
    text = said(empty, {"architecture": "ridge"}, task_type="regression")
    assert "Not better than chance: the interval includes " in text
    assert "Not better than chance" in text
    assert "above chance" not in text


def test_a_model_with_weighted_classes_is_not_overconfident(empty):
    """Its probabilities are too even for a rare class, and the loss is worse than that of guessing by shares."""
    study_of(empty, rare, difference=1.5)
    text = said(empty, {"architecture": "mlp", "n_units": (4,), "class_weights": "balanced"}, num_epochs=10)
    assert "XV206 overconfident: Probabilities of mlp (1) do not match how often classes occur" in text
    assert "class_weights and sampling make rare classes look frequent" in text
    assert "is overconfident" not in text


def test_an_interval_that_does_not_exist_contains_nothing(empty):
    study_of(empty, even)
    text = said(empty, {"architecture": "constant"})
    assert "Not above chance: constant (1), because test balanced accuracy (UAR) is not above chance and has" in text
    assert "interval of test" not in text
    assert "Add a variant that reads the audio" in text
    assert "labels" not in text


def test_seeds_are_selected_by_their_common_mean(empty):
    """The mean of one seed beside a better one would contradict that it is the best."""
    study_of(empty, even, difference=0.5)
    network = {"architecture": "mlp", "n_units": (4,)}
    text = said(empty, network | {"seed": 1}, network | {"seed": 2}, {"architecture": "constant"}, num_epochs=20)
    assert re.search(r"best mean validation balanced accuracy \(UAR\) \(0\.\d{3}, mean of seeds 1, 2; its own 0\.\d{3}", text)


def test_perfect_instances_are_suspicious(empty):
    study_of(empty, even, difference=20.0)
    text = said(empty, SVM, {"architecture": "logistic"}, fold_repeats=3)
    assert "All variants are perfect, so look for what reveals the label" in text
    assert "Use whichever" not in text


def test_a_model_that_answers_the_frequent_class_lacks_weights(empty):
    study_of(empty, rare, difference=0.6)
    network = {"architecture": "mlp", "n_units": (4,)}
    text = said(empty, network, network | {"class_weights": "balanced"}, num_epochs=20)
    (finding,) = [line for line in text.splitlines() if "XV301" in line]
    assert "Set class_weights = balanced, because most predictions of variant 1 are the most frequent class." in finding
    assert "Check the labels" not in finding


def test_what_has_heard_the_tested_clips_is_not_to_be_reported(empty):
    """One item has the recordings of another at half of the level: the nested value has the same leak as any other."""
    prepare_repeated_recordings(empty, "item")
    text = said(empty, SVM, {"architecture": "logistic"}, fold_strategy="leave_one_out", **FEATURES)
    lines = text.splitlines()
    assert any("Some tested clips are nearly identical to training clips." in line for line in lines), text
    assert any("Do not report this estimate, which has the same leak; the chosen " in line for line in lines), text
    assert not any("Report " in line for line in lines), text
    compared = empty.xval("compare", empty.EXPERIMENT).stdout.splitlines()
    assert any("Claim nothing: models of instances 1-2 were trained on clips or speakers" in line for line in compared), (
        compared
    )
    assert not any("You can" in line for line in compared), compared
