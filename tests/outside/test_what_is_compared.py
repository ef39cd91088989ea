"""A sentence on a comparison names what was compared: a variant, another seed of it, or the choice by validation."""

import json
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


def table_below(sheet, first):
    """Return the table of a sheet whose header begins with a word, by instance."""
    rows = list(sheet.iter_rows(values_only=True))
    start = next(place for place, row in enumerate(rows) if row[0] == first)
    table = pd.DataFrame(rows[start + 1 :], columns=rows[start], dtype=object)
    return table[table["instance"].map(lambda value: isinstance(value, int))].set_index("instance")


def sheet_text(sheet):
    """Return all words of a sheet in one line."""
    return " ".join(str(cell) for row in sheet.iter_rows(values_only=True) for cell in row if cell is not None)


def next_line(printed):
    return re.search(r"^Next: +(.*)$", printed, re.MULTILINE)[1]


@pytest.mark.long
def test_the_choice_is_named_where_it_is_what_equals_a_variant(empty):
    write_corpus(empty)
    same = SVM | {"gamma": ("scale",)}, SVM | {"gamma": ("0.1",)}
    printed = empty.train(*same, num_folds=3, item_name="speaker").stdout
    assert next_line(printed) == (
        "Use whichever of variants 1 and 2 is cheapest, because choosing by validation and variant 2 have the same score for "
        "every speaker."
    )
    assert "because they have the same score for every speaker" in compare(empty, "1", "2")  # which compares the two
    same = compare(empty, "nested", "selected")
    assert "Use variant 1, because" not in same
    assert "Validation selects variant 1, so the difference" in same


def test_a_choice_that_is_the_same_in_all_folds_is_a_variant(empty):
    write_corpus(empty, difference=3)
    empty.train(LOGISTIC, {"architecture": "constant"}, num_folds=3, item_name="speaker")

    text = compare(empty, "nested", "selected")

    assert "Every fold chooses variant 1, so choosing by validation is variant 1, and this is no comparison of two" in text
    assert "optimistic the score" not in text


def test_a_choice_that_is_compared_with_its_own_variant_shows_the_optimism_of_choosing(empty):
    write_corpus(empty, n_items=9)
    shuffled = [NETWORK | {"seed": seed, "n_units": (units,)} for seed, units in ((1, 4), (2, 5), (3, 6))]
    empty.train(*shuffled, num_folds=3, item_name="speaker")
    selected = json.loads((empty.results / "summary.json").read_text())["selected"]

    for arguments in (("nested", "selected"), ("selected", "--baseline", "nested"), ("nested", "1", "2", "3")):
        text = compare(empty, *arguments)
        assert f"Validation selects variant {selected}, so the difference between choosing by validation and variant" in text
        assert f"estimates how optimistic the score of variant {selected} is because it was chosen." in text
        assert f"Use variant {selected} and report the nested score." in text
        assert f"of variant {selected} is cheapest" not in text
        assert "same score for every" not in text


@pytest.mark.long
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


@pytest.mark.long
def test_seeds_of_a_variant_are_named_as_such_and_each_counts_once(empty):
    write_corpus(empty, n_items=9)
    seeds = [NETWORK | {"seed": seed} for seed in (1, 2, 2)]
    details = " ".join(empty.train(*seeds, LOGISTIC, num_folds=3).stdout.split())
    assert "XV305 variants-differ-in-seed: Variants 1-2 differ only in their seed" in details
    assert "Variants 2 and 3 have the same settings and seed" in details
    assert "repeats = 2" in empty.run("--details").stdout
    refused = compare(empty, "1-4")
    assert "instances 1, 2, 3 are one variant with different seeds (1, 2), so a difference between them is chance." in refused
    assert f"Compare one of them with other variants: xval compare {empty.EXPERIMENT} 1 4." in refused
    assert "declare one variant with repeats = 2" in refused
    one = "Variants 1-3 differ only in their seed and are compared as instance 1, by the mean of seeds 1, 2."
    assert one in compare(empty)
    for form in ("--markdown", "--latex"):
        table = empty.xval("report", empty.EXPERIMENT, form)
        assert table.returncode == 0, table.stderr
        assert "mlp, mean of seeds 1, 2" in table.stdout
        assert "Test scores of 2 models on" in table.stdout
    assert "are compared as" not in compare(empty, "1", "4")
    assert "verdict" in compare(empty, "1", "4")
    assert "Compare one of them" not in compare(empty, "1", "2")


@pytest.mark.long
def test_the_choice_is_no_other_seed_of_a_variant(empty):
    """Its settings are those of the selected variant, of which another seed may be compared with it."""
    write_corpus(empty, difference=0.6)
    empty.train(NETWORK | {"seed": 1, "num_epochs": 8}, NETWORK | {"seed": 2, "num_epochs": 8}, {"architecture": "constant"})
    for seed in "12":
        text = compare(empty, "nested", seed)
        assert "one variant with different seeds" not in text
        assert "verdict" in text


@pytest.mark.long
def test_seeds_have_one_rank_by_their_common_mean_in_all_views(empty):
    write_corpus(empty, n_items=9)
    seeds = [NETWORK | {"seed": seed} for seed in (1, 2)]
    printed = " ".join(empty.train(*seeds, LOGISTIC, num_folds=3, item_name="speaker").stdout.split())
    own = [empty.scores(instance, fold, side="validation")["balanced_accuracy"] for instance in (1, 2) for fold in (1, 2, 3)]
    common = np.mean(own)
    assert np.mean(own[:3]) != pytest.approx(common)
    score = f"validation balanced accuracy (UAR) {common:.3f}"
    ranked = f"Variants 1-2 differ only in their seed, so the mean of seeds 1, 2 ranks them ({score})."
    text = f"{ranked} Each row has the score of its own seed."
    assert text in printed
    assert f"worse than the estimator logistic (3): {score} (mean of seeds 1, 2) against" in printed
    book = openpyxl.load_workbook(empty.results / "results.xlsx")
    rows = table_below(book["ranking"], "rank")
    assert rows["rank"].to_dict() == {3: 1, 1: 2, 2: 2}
    assert rows["validation balanced accuracy (UAR)"][[1, 2]].tolist() == pytest.approx([common, common])
    assert rows["seeds"].to_dict() == {3: None, 1: "mean of seeds 1, 2", 2: "mean of seeds 1, 2"}
    summary = table_below(book["summary"], "name")["validation balanced accuracy (UAR)"]
    assert summary[[1, 2]].tolist() == pytest.approx([np.mean(own[:3]), np.mean(own[3:])])
    assert text in sheet_text(book["summary"])
    assert "Each row has" not in sheet_text(book["ranking"])
    assert empty.xval("report", empty.EXPERIMENT, "--no-audio", "--no-audit").returncode == 0
    page = " ".join((empty.results / "report.html").read_text().split())
    table, _, below = page.partition('id="instance-table"')[2].partition("</table>")
    assert below.removeprefix("</div>").lstrip().startswith('<p class="note">Small print: ')
    assert text in below.partition("</p>")[0]  # at the table whose rows it is about
    for value in (np.mean(own[:3]), np.mean(own[3:])):
        assert f">{value:.3f}</td>" in table
    shown = empty.python("-c", f"import xval; print(xval.Results({empty.EXPERIMENT!r}))").stdout
    assert text in " ".join(shown.split())


@pytest.mark.long
def test_experiments_that_are_compared_whole_have_the_seeds_of_a_variant_as_one(empty):
    write_corpus(empty, n_items=9)
    empty.train(LOGISTIC, {"architecture": "constant"}, num_folds=3)
    seeds = [{"architecture": "forest", "n_trees": 3, "seed": seed} for seed in (1, 2)]
    empty.script(*seeds, name="seeds.py", num_experiment=2, num_folds=3)
    assert empty.run(script="seeds.py").returncode == 0

    said = compare(empty, "results/small/experiment_2")
    alone = empty.xval("report", "results/small/experiment_2", "--markdown")

    one = "Variants 1-2 of results/small/experiment_2 differ only in their seed and are compared as instance 1, by the mean of"
    assert f"{one} seeds 1, 2." in said
    assert "one variant with different seeds" not in said
    assert alone.returncode == 0, alone.stderr
    assert "forest" in alone.stdout


def ranks_of(study):
    """Return the ranks, validation scores and seeds in the sheet *ranking*."""
    return table_below(openpyxl.load_workbook(study.results / "results.xlsx")["ranking"], "rank")


@pytest.mark.long
def test_a_seed_with_missing_folds_has_no_part_in_the_mean_of_the_others(empty):
    write_corpus(empty, n_items=9)
    forest = {"architecture": "forest", "n_trees": 2}
    empty.script(*[forest | {"seed": seed} for seed in (1, 2, 3)], num_folds=3, item_name="speaker")
    empty.run("1-2")
    printed = " ".join(empty.run("3", "--folds", "1").stdout.split())

    rows = ranks_of(empty)

    assert "Variants 1-2 differ only in their seed, so the mean of seeds 1, 2 ranks them" in printed
    assert rows["rank"].to_dict() == {1: 1, 2: 1, 3: 2}
    assert rows["seeds"].to_dict() == {1: "mean of seeds 1, 2", 2: "mean of seeds 1, 2", 3: None}
    own = {
        instance: [empty.scores(instance, fold, side="validation")["balanced_accuracy"] for fold in folds]
        for instance, folds in {1: (1, 2, 3), 2: (1, 2, 3), 3: (1,)}.items()
    }
    common = np.mean([*own[1], *own[2]])
    expected = {1: common, 2: common, 3: own[3][0]}
    assert rows["validation balanced accuracy (UAR)"].to_dict() == pytest.approx(expected)


@pytest.mark.long
def test_a_copy_of_a_seed_counts_once_in_the_mean_of_seeds(empty):
    write_corpus(empty, n_items=9)
    empty.train(*[{"architecture": "forest", "n_trees": 2, "seed": seed} for seed in (1, 1, 2)], num_folds=3)

    rows = ranks_of(empty)

    own = {i: np.mean([empty.scores(i, fold, side="validation")["balanced_accuracy"] for fold in (1, 2, 3)]) for i in (1, 2, 3)}
    assert own[1] == own[2] != own[3]
    assert rows["seeds"].to_dict() == dict.fromkeys((1, 2, 3), "mean of seeds 1, 2")
    common = (own[1] + own[3]) / 2
    assert rows["validation balanced accuracy (UAR)"].to_list() == pytest.approx([common] * 3)


@pytest.mark.long
def test_seeds_of_the_best_variant_are_compared_as_one_method(empty):
    """In the sheet *summary*, on the page, and where another one to compare with is suggested."""
    write_corpus(empty, n_items=9, difference=0.8)
    seeds = [{"architecture": "forest", "n_trees": 3, "seed": seed} for seed in (1, 2)]
    empty.train(*seeds, LOGISTIC, {"architecture": "constant"}, num_folds=3, item_name="speaker", page="complete")
    page = " ".join((empty.results / "report.html").read_text().split())
    assert "Variants 1-2 differ only in their seed and are compared as instance 1, by the mean of seeds 1, 2." in page
    assert "are one variant with different seeds" not in page
    assert f"For example: xval compare {empty.EXPERIMENT} 1 3;" in compare(empty, "1")


SCORES_OF_A_COMPARISON = """
import xval

compared = xval.compare_instances({experiment!r}, baseline={baseline}, metric={metric!r})
for pair in compared.pairs:
    print(pair.instance, pair.mean, pair.baseline_mean, pair.n_repeats, pair.n_runs, sep=";")
"""


def pairs_of(study, *, baseline, metric="accuracy"):
    """Return the pairs of a comparison of a whole experiment, by instance."""
    code = SCORES_OF_A_COMPARISON.format(experiment=study.EXPERIMENT, baseline=baseline, metric=metric)
    lines = [line.split(";") for line in study.python("-c", code).stdout.splitlines()]
    return {name: (float(mean), float(baseline_mean), repeats, int(runs)) for name, mean, baseline_mean, repeats, runs in lines}


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1"])
@pytest.mark.long
def test_a_comparison_has_the_mean_over_all_seeds_of_a_variant(empty, metric):
    """No seed is chosen by its own validation score; those with missing folds have no part."""
    write_corpus(empty, n_items=9)
    forest = {"architecture": "forest", "n_trees": 2}
    empty.script(*[forest | {"seed": seed} for seed in (1, 2, 2, 3)], LOGISTIC, num_folds=3, item_name="speaker")
    empty.run("1-3,5")
    empty.run("4", "--folds", "1")
    empty.xval("add-metrics", empty.EXPERIMENT, "macro_f1")
    own = pairs_of(empty, baseline=5, metric=metric)
    single = {seed: float(alone_in(empty, seed, 5, metric)) for seed in (1, 2)}
    assert single[1] != single[2]
    assert own["1"][0] == pytest.approx((single[1] + single[2]) / 2)
    assert own["1"][2:] == ("(1, 2)", 2)
    assert own.keys() == {"1"}
    said = compare(empty)
    assert (
        "Variants 1-4 differ only in their seed and are compared as instance 1, by the mean of seeds 1, 2 (without variant 4: "
        "folds missing)." in said
    )
    chosen = pairs_of(empty, baseline=2, metric=metric)  # the name of the user stays
    assert chosen["5"][1] == pytest.approx(own["1"][0])


@pytest.mark.long
def test_the_chosen_method_has_the_score_of_all_its_seeds(empty):
    """So that it differs from the nested estimate only where folds choose other methods, and has one name everywhere."""
    write_corpus(empty, n_items=9, difference=0.5)
    forest = {"architecture": "forest", "n_trees": 3}
    printed = empty.train(*[forest | {"seed": seed} for seed in (1, 2)], {"architecture": "constant"}, num_folds=3).stdout
    details = " ".join(empty.run("--details").stdout.split())
    mean = np.mean([float(alone_in(empty, seed, 3, "balanced_accuracy")) for seed in (1, 2)])

    assert f"The chosen one, forest (1; mean of seeds 1, 2), scored {mean:.3f}." in " ".join(printed.split())
    assert "the chosen forest (1; mean of seeds 1, 2) reaches" in details
    assert "which is no better." in details  # every fold chooses the forest
    text = compare(empty, "--baseline", "3")
    assert re.search(rf" 1 forest, mean of seeds 1, 2 {mean:.3f} ", text)
    assert "forest (1; mean of seeds 1, 2) is selected: best mean validation" in details
    assert "Baseline: instance 1 (mean of seeds 1, 2; selected by the best mean" in compare(empty, "selected", "3")
    assert re.search(rf" 1 forest, mean of seeds 1, 2 {mean:.3f} ", compare(empty, "selected", "--baseline", "3"))
    assert json.loads(empty.xval("list", "--format", "json").stdout)[0]["value"] == pytest.approx(mean, abs=0.0005)
    assert f"Model 1 (forest, mean of seeds 1, 2) reached {mean:.3f}" in text


@pytest.mark.long
def test_one_method_that_all_folds_choose_is_no_varied_choice_whatever_the_seeds(empty):
    write_corpus(empty, n_items=9, difference=1)
    forest = {"architecture": "forest", "n_trees": 2}
    constant = {"architecture": "constant"}
    printed = empty.train(*[forest | {"seed": seed} for seed in (1, 2)], constant, num_folds=3).stdout
    assert "Evidence: forest (1; mean of seeds 1, 2) is significantly better than constant (3)" in printed
    assert "Every fold chooses variant 1, so choosing by validation is variant 1" in compare(empty, "nested", "selected")
    text = compare(empty, "nested", "1")
    assert (
        "Every fold chooses the method of variant 1, so choosing by validation is the mean of its seeds, and this is no "
        "comparison of two variants." in text
    )
    assert "optimistic the score" not in text
    # The choice stays the baseline where an experiment is named whole.
    assert "Baseline: choosing by validation (as chosen)" in compare(empty, "--baseline", "nested")


@pytest.mark.long
def test_the_lines_on_seeds_of_one_method_judge_the_score_that_they_show(empty):
    """Where one seed alone is at chance and the mean of all is above, or the other way round."""
    forest = {"architecture": "forest", "n_trees": 2}
    for corpus in range(6):
        write_corpus(empty, seed=corpus, n_items=9, difference=0.12)
        printed = empty.train(*[forest | {"seed": seed} for seed in (1, 2, 3)], num_folds=3, num_experiment=corpus + 1).stdout
        numbers = re.search(r"(?:scored|reaches) balanced accuracy \(UAR\) (0\.\d+) \[(0\.\d+), (0\.\d+)\]", printed)
        score, low, high = map(float, numbers.groups())
        assert low <= score <= high
        assert ("Above chance" in printed) == (low > 0.5), printed
        assert ("Not above chance" in printed) == (low <= 0.5), printed
        assert "worse than 0.5" not in printed or high < 0.5, printed
        assert ("XV301" in printed) == (low <= 0.5), printed


@pytest.mark.long
def test_seeds_with_other_finished_folds_are_no_mean(empty):
    write_corpus(empty, n_items=9)
    forest = {"architecture": "forest", "n_trees": 2}
    empty.script(forest | {"seed": 1}, forest | {"seed": 2}, LOGISTIC, num_folds=3)
    for arguments in (("1", "--folds", "1,2"), ("2", "--folds", "2,3"), ("3",)):
        assert empty.run(*arguments).returncode == 0
    table = empty.xval("report", empty.EXPERIMENT, "--markdown").stdout
    assert "mean of seeds" not in table.partition("\n\n")[0]
    assert "| forest, seed 1 (2 of 3 folds) |" in table
    assert "'forest, seed 1' is without seed 2, which has other finished folds." in table
    assert "by seed 1 (without variant 2: other folds)." in compare(empty)


@pytest.mark.long
def test_a_baseline_that_lacks_folds_stands_for_the_seeds_that_have_them(empty):
    write_corpus(empty, n_items=9)
    forest = {"architecture": "forest", "n_trees": 2}
    empty.script(*[forest | {"seed": seed} for seed in (1, 2, 3)], LOGISTIC, num_folds=3)
    assert empty.run("1-2,4").returncode == 0
    assert empty.run("3", "--folds", "1").returncode == 0
    table = empty.xval("report", empty.EXPERIMENT, "--markdown", "--baseline", "3").stdout
    assert re.search(r"^\| forest, mean of seeds 1, 2", table, re.MULTILINE), table
    assert "'forest, mean of seeds 1, 2' is without seed 3" in table
    assert "of 3 folds" not in table
    assert "nested" in table


@pytest.mark.long
def test_the_seed_of_a_model_that_draws_nothing_changes_nothing_and_counts_once(empty):
    write_corpus(empty, n_items=9)
    svm = {"architecture": "svm", "C": (1.0,)}  # with a grid of gamma, searched in inner folds
    printed = empty.train(svm | {"seed": 1}, svm | {"seed": 2}, {"architecture": "forest", "n_trees": 2}, num_folds=3).stdout
    assert "mean of seeds" not in printed
    one, other = (
        pd.concat(pd.read_parquet(path) for path in sorted(empty.results.glob(f"instance_{number}/fold_*/predictions.parquet")))
        for number in (1, 2)
    )
    pd.testing.assert_frame_equal(one, other)
    assert "and are compared as instance 1, by seed 1, as another one gives the same model." in compare(empty)
    table = empty.xval("report", empty.EXPERIMENT, "--markdown").stdout
    assert re.search(r"^\| svm, seed 1", table, re.MULTILINE)
    assert "over speakers and seeds" not in table
    assert "1 to 2 seeds" not in table


@pytest.mark.long
def test_experiments_with_other_seeds_of_one_variant_are_no_two_methods(empty):
    write_corpus(empty, n_items=9)
    forest = {"architecture": "forest", "n_trees": 2}
    empty.train(forest | {"seed": 1}, forest | {"seed": 2}, LOGISTIC, num_folds=3)
    empty.script(forest | {"seed": 3}, forest | {"seed": 4}, name="more.py", num_experiment=2, num_folds=3)
    empty.script(forest | {"seed": 5}, name="one.py", num_experiment=3, num_folds=3)
    for script in ("more.py", "one.py"):
        assert empty.run(script=script).returncode == 0
    refused = compare(empty, "results/small/experiment_2")
    assert "are one variant with different seeds (1 and 2, 3 and 4), so a difference between them is chance." in refused
    assert "declare one variant with repeats = 4" in refused
    refused = compare(empty, "results/small/experiment_3")
    assert "are one variant with different seeds (1 and 2, 5), so a difference" in refused
    assert "declare one variant with repeats = 3" in refused


OWN_METRIC = """
import numpy as np
from xval import metric


@metric(higher_is_better=True, bounds=(0, 1))
def hits(targets, predictions):
    return float(np.mean(predictions.argmax(-1) == targets))
"""


@pytest.mark.long
def test_the_mean_of_seeds_in_a_metric_of_the_users_own_has_its_chance_and_no_interval(empty):
    write_corpus(empty, n_items=6, difference=1)
    empty.file("own.py", OWN_METRIC)
    forest = {"architecture": "forest", "n_trees": 2}
    empty.train(*[forest | {"seed": seed} for seed in (1, 2)], LOGISTIC, num_folds=6, metrics="own.hits")
    table = empty.xval("report", empty.EXPERIMENT, "--markdown").stdout
    rows = {line.split("|")[1].strip(): line.split("|")[3].strip() for line in table.splitlines() if line.count("|") == 4}
    assert rows["model"] == "Hits ↑"
    assert re.fullmatch(r"0\.\d{3}", rows["forest, mean of seeds 1, 2"]), rows
    assert "- Hits: mean over items; chance 0.5" in table


@pytest.mark.long
def test_a_variant_with_more_seeds_is_no_other_method(empty):
    write_corpus(empty, n_items=9)
    forest = {"architecture": "forest", "n_trees": 3, "seed": 1}
    empty.train(forest, num_folds=3)
    empty.script(forest, LOGISTIC, name="more.py", num_experiment=2, num_folds=3, repeats=3)
    assert empty.run(script="more.py").returncode == 0
    refused = compare(empty, "1", "results/small/experiment_2:1")
    assert "are one variant with different seeds (seed 1, repeats 1; seed 1, repeats 3), so a difference" in refused
    assert "declare one variant with repeats = 4" in refused
    assert "verdict" in compare(empty, "1", "results/small/experiment_2:2")


def test_nobody_is_told_to_use_the_constant_prediction(empty):
    write_corpus(empty, n_items=9, difference=0.05)
    empty.train(LOGISTIC, {"architecture": "constant"}, num_folds=3, item_name="speaker")
    for text in (compare(empty, "1", "--baseline", "2"), compare(empty, "2", "--baseline", "1")):
        assert "You cannot claim" in text
        assert "cheapest" not in text
        assert "Do not use a model that is not shown to be better than the constant prediction. Test more speakers" in text
        assert "The line Evidence" not in text  # which is of chance


def test_evidence_names_the_compared_metric_where_another_one_chooses(empty):
    write_corpus(empty, n_items=9, difference=0.5)
    printed = empty.train(LOGISTIC, {"architecture": "constant"}, rank_by="auc", num_folds=3, page="none").stdout
    assert re.search(r"^Evidence: .*is significantly better in balanced accuracy \(UAR\) than constant", printed, re.MULTILINE)


def alone_in(study, instance, baseline, metric):
    """Return the score of an instance that is compared alone."""
    code = (
        f"import xval; print(xval.compare_instances({study.EXPERIMENT!r}, {instance}, baseline={baseline}, metric={metric!r})"
    )
    return study.python("-c", f"{code}.pairs[0].mean)").stdout


REVERSED = """
import keras
import numpy as np

def build(input_shape, output_shape):
    sound = keras.Input(input_shape)
    output = keras.layers.Dense(output_shape[-1], use_bias=False)
    model = keras.Model(sound, output(keras.layers.Flatten()(sound)))
    output.set_weights([np.tile([1.0, -1.0], (output.kernel.shape[0], 1))])
    return model
"""


@pytest.mark.long
def test_a_network_is_not_measured_against_an_estimator_that_reads_nothing(empty):
    """The baseline ``constant`` is called what it is, whatever its name, and nobody is told to use it."""
    write_corpus(empty, n_items=9, difference=0.8)
    empty.file("reversed_network.py", REVERSED)  # it takes each class for the other one
    network = {"architecture": "reversed_network.build", "num_epochs": 1, "learning_rate": 1e-9}
    empty.train(network, {"architecture": "constant", "comment_1": "the most frequent class"}, num_folds=3)
    text = " ".join(empty.run("--details").stdout.split())
    (found,) = re.findall(r"XV205 below-baseline: (.*? 0\.500\.) (Train longer .*?\.)", text)
    assert "(1) is worse than the baseline constant (2): validation balanced accuracy (UAR) 0." in found[0]
    assert found[1] == "Train longer (num_epochs), with another learning_rate or a smaller network."


@pytest.mark.long
def test_a_pilot_has_two_methods_and_no_second_seed(empty):
    write_corpus(empty, n_items=9)
    forest = {"architecture": "forest", "n_trees": 50, "max_features": ("sqrt",), "min_samples_leaf": (1,)}
    empty.train(forest | {"seed": 1}, forest | {"seed": 2}, {"architecture": "knn", "n_neighbors": (1,)}, num_folds=3)
    plan = empty.xval("sample-size", "--from", empty.EXPERIMENT)
    assert plan.returncode == 0, plan.stderr
    assert f"Measured on {empty.EXPERIMENT}, instances 3 and 1:" in plan.stdout  # both seeds are better than 3
    plan = empty.xval("sample-size", "--from", f"{empty.EXPERIMENT}:2")
    assert plan.returncode == 0, plan.stderr
    assert f"Measured on {empty.EXPERIMENT}, instances 2 and 3:" in plan.stdout
    of_two_seeds = empty.xval("sample-size", "--from", f"{empty.EXPERIMENT}:2", "--baseline", "1")
    assert of_two_seeds.returncode == 2
    assert "are one variant with different seeds" in of_two_seeds.stderr
