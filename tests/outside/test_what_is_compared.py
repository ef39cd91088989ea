"""A sentence on a comparison names what was compared: a variant, another seed of it, or the choice by validation."""

import re

import numpy as np
import openpyxl
import pandas as pd
import pytest

NETWORK = {"architecture": "mlp", "n_units": (4,), "num_epochs": 1}
LOGISTIC = {"architecture": "logistic", "C": (1.0,)}
SVM = {"architecture": "svm", "C": (1.0,), "kernel": "linear"}


def write_corpus(study, *, seed=0, n_items=6, n_clips=24, difference=0.3):
    """Write a corpus of two classes that can be told as strongly as is said."""
    from preprocessing.store import write

    rng = np.random.default_rng(seed)
    labels = np.arange(n_clips) % 2
    predictors = {
        f"s{item}": (rng.normal(size=(n_clips, 6, 4)) + difference * labels[:, None, None]).astype("float32")
        for item in range(n_items)
    }
    targets = {item: ["ab"[label] for label in labels] for item in predictors}
    write("small", predictors, targets, data_folder=study.folder / "data")


def compare(study, *arguments):
    """Return what a comparison prints, in one line."""
    ended = study.xval("compare", study.EXPERIMENT, *arguments)
    return " ".join((ended.stdout + ended.stderr).split())


def next_line(printed):
    return re.search(r"^Next: +(.*)$", printed, re.MULTILINE)[1]


def test_the_choice_is_named_where_it_is_what_equals_a_variant(empty):
    write_corpus(empty)
    same = SVM | {"gamma": ("scale",)}, SVM | {"gamma": ("0.1",)}
    printed = empty.train(*same, num_folds=3, item_name="speaker").stdout
    assert next_line(printed) == (
        "Use whichever of variants 1 and 2 is cheapest, because choosing by validation and variant 2 have the same score for "
        "every speaker."
    )
    assert "because they have the same score for every speaker" in compare(empty, "1", "2")  # which compares the two
    assert "Use variant 1, because choosing by validation and variant 1 have the same score" in compare(empty, "nested", "1")


def test_the_choice_is_named_as_itself_in_sentences(empty):
    write_corpus(empty)
    empty.train(LOGISTIC, SVM, {"architecture": "constant"}, num_folds=3, item_name="speaker")
    text = compare(empty, "nested", "3")
    assert "You can claim that choosing by validation is better than instance 3." in text
    assert "was compared between choosing by validation and the baseline, model 3" in text
    assert "Results. Choosing by validation (chosen among 3) reached" in text
    assert "instance nested" not in text
    assert "Baseline: choosing by validation (as chosen)" in compare(empty, "3", "--baseline", "nested")


def test_results_to_publish_begin_with_a_capital_letter(empty):
    write_corpus(empty)
    empty.train(LOGISTIC, {"architecture": "constant"}, num_folds=3, item_name="speaker")
    assert re.search(r"Results\. .*\. Model 2 \(constant\) reached 0\.\d{3}, .*: the model is worse\.", compare(empty))


def test_seeds_of_a_variant_are_named_as_such_and_each_counts_once(empty):
    write_corpus(empty, n_items=9)
    seeds = [NETWORK | {"seed": seed} for seed in (1, 2, 2)]
    details = " ".join(empty.train(*seeds, LOGISTIC, num_folds=3).stdout.split())
    assert "XV305 variants-differ-in-seed: Variants 1-2 differ only in their seed" in details
    assert "Variants 2 and 3 have the same settings and seed" in details
    assert "repeats = 2" in empty.run("--details").stdout
    refused = compare(empty)
    assert "instances 1, 2, 3 are one variant with different seeds (1, 2), so a difference between them is chance." in refused
    assert f"Compare one of them with other variants: xval compare {empty.EXPERIMENT} 1 4." in refused
    assert "declare one variant with repeats = 2" in refused
    assert "verdict" in compare(empty, "1", "4")
    assert "Compare one of them" not in compare(empty, "1", "2")


def test_the_choice_is_no_other_seed_of_a_variant(empty):
    """Its settings are those of the selected variant, of which another seed may be compared with it."""
    write_corpus(empty, difference=0.6)
    empty.train(NETWORK | {"seed": 1, "num_epochs": 8}, NETWORK | {"seed": 2, "num_epochs": 8}, {"architecture": "constant"})
    for seed in "12":
        text = compare(empty, "nested", seed)
        assert "one variant with different seeds" not in text
        assert "verdict" in text


def test_seeds_have_one_rank_by_their_common_mean_in_all_views(empty):
    write_corpus(empty, n_items=9)
    seeds = [NETWORK | {"seed": seed} for seed in (1, 2)]
    printed = " ".join(empty.train(*seeds, LOGISTIC, num_folds=3, item_name="speaker").stdout.split())
    own = [empty.scores(instance, fold, side="validation")["balanced_accuracy"] for instance in (1, 2) for fold in (1, 2, 3)]
    common = np.mean(own)
    assert np.mean(own[:3]) != pytest.approx(common)
    text = (
        "Variants 1-2 differ only in their seed, so they are ranked by their common mean "
        f"(validation balanced accuracy (UAR) {common:.3f})."
    )
    assert text in printed
    assert f"worse than the estimator logistic (3): validation balanced accuracy (UAR) {common:.3f} at best" in printed
    sheet = openpyxl.load_workbook(empty.results / "results.xlsx")["ranking"]
    rows = [row for row in sheet.iter_rows(min_row=35, max_col=4, values_only=True) if row[1]]
    table = pd.DataFrame(rows, columns=["rank", "instance", "name", "score"]).set_index("instance")
    assert table["rank"].to_dict() == {3: 1, 1: 2, 2: 2}
    assert table["score"][[1, 2]].tolist() == pytest.approx([common, common])
    assert empty.xval("report", empty.EXPERIMENT, "--no-audio", "--no-audit").returncode == 0
    assert text in " ".join((empty.results / "report.html").read_text().split())
