"""The texts that end up in papers: methods, table with caption and notes, BibTeX, the card of a model."""

import html
import re
import shutil
import subprocess

import numpy as np
import pandas as pd
import pytest

from tests.outside.conftest import write_two_classes

SVM = {"architecture": "svm", "C": (1.0,)}
LINEAR = {"architecture": "logistic", "C": (1.0,)}


def protocol(study, *options):
    """Return the paragraphs of the section Protocol of a page that is written anew, and its BibTeX."""
    ended = study.xval("report", study.EXPERIMENT, "--no-audit", "--no-audio", *options)
    assert ended.returncode == 0, ended.stderr
    page = (study.results / "report.html").read_text(encoding="utf-8")
    section = page[page.index('<section id="protocol">') :].partition("</section>")[0]
    entries = html.unescape(section.partition("<pre>")[2].partition("</pre>")[0])
    return [html.unescape(text) for text in re.findall(r"<p>(.*?)</p>", section)], entries


def without_hash(text):
    return re.sub(r"hash [0-9a-f]{16}", "hash", text)


ALONE = (
    "We evaluated one model with leave-one-speaker-out cross-validation (6 folds) on 72 clips of 6 speakers (small). A fold "
    "had 4 training, 1 validation, 1 test speakers (seed 1, hash). No speaker occurred in more than one part of a fold."
)
SPLIT = (
    "We evaluated one model on one speaker-independent split of 72 clips of 6 speakers (small). The split was stratified by "
    "label (4 training, 1 validation, 1 test speakers; seed 1, hash). No speaker occurred in more than one part of the split. "
    "Only 1 speaker was tested."
)
UNEVEN = (
    "We evaluated one model with speaker-independent 4-fold cross-validation on 72 clips of 6 speakers (small). Folds were "
    "stratified by label (3 to 4 training, 1 validation, 1 to 2 test speakers; seed 1, hash). No speaker occurred in more than "
    "one part of a fold."
)


@pytest.mark.long
def test_repeats_of_the_cross_validation_do_not_read_as_leave_one_speaker_out(study):
    study.train(SVM, LINEAR, num_folds=2, fold_repeats=3, item_name="speaker")

    paragraphs, _ = protocol(study)

    assert without_hash(paragraphs[0]) == (
        "We evaluated 2 models with speaker-independent 2-fold cross-validation, repeated 3 times with different partitions, "
        "on 72 clips of 6 speakers (small). Folds were stratified by label and identical for all models (2 training, "
        "1 validation, 3 test speakers; seed 1, hash). No speaker occurred in more than one part of a fold. Each speaker was "
        "tested 3 times, and its values were averaged."
    )
    assert (
        "on the same 6 test folds of 6 speakers from 3 repeats of the cross-validation, fitted once per fold" in paragraphs[4]
    )

    latex = study.xval("report", study.EXPERIMENT, "--latex").stdout
    assert caption_of(latex) == (
        "Test scores of 2 models on small in 2-fold cross-validation over 6 speakers, repeated 3 times with different "
        "partitions."
    )


@pytest.mark.parametrize(
    ("parameters", "text"),
    [({"fold_strategy": "leave_one_out"}, ALONE), ({"fold_strategy": "holdout"}, SPLIT), ({"num_folds": 4}, UNEVEN)],
)
def test_folds_of_each_kind_are_described_as_a_paper_has_them(study, parameters, text):
    study.train(SVM, item_name="speaker", **parameters)

    assert without_hash(protocol(study)[0][0]) == text


def test_clips_that_are_items_of_their_own_are_no_independent_speakers(empty):
    from preprocessing.store import write

    rng = np.random.default_rng(0)
    clips = {f"clip{number}": rng.normal(size=(1, 12, 8)).astype("float32") for number in range(12)}
    write("small", clips, {name: ["ab"[int(name[4:]) % 2]] for name in clips}, data_folder=empty.folder / "data")
    empty.train(SVM)

    (text, *_), _ = protocol(empty)

    assert without_hash(text) == (
        "We evaluated one model with 2-fold cross-validation on 12 clips of 12 items (small). Folds were stratified by label "
        "(5 training, 1 validation, 6 test items; seed 1, hash). No item occurred in more than one part of a fold. Clips of "
        "one speaker may be in training and test, because each clip was an item of its own."
    )


def test_folds_that_are_not_finished_are_named(study):
    study.train(SVM, item_name="speaker")
    (study.fold(1, 2) / "record.json").unlink()

    assert protocol(study)[0][0].endswith(" These results are preliminary: 1 of 2 folds is finished.")


@pytest.mark.long
def test_augmentation_optimizer_search_and_calibration_are_cited(study):
    masks = {"augment_time_masks": 1, "augment_time_mask_frames": 2}
    network = {"architecture": "mlp", "n_units": (4,)}
    augmented = network | masks | {"calibration": "temperature", "augment_mixup": 0.2}
    study.script(augmented, head="from xval import log_uniform", repeats=2)
    search = "experiment.search({'learning_rate': log_uniform(1e-3, 1e-2)}, n_trials=1, architecture='mlp', n_units=(4,))"
    script = (study.folder / "exp.py").read_text()
    study.file("exp.py", script.replace("if __name__", f"{search}\nif __name__"))
    assert study.run().returncode == 0

    paragraphs, entries = protocol(study)

    assert (
        "Training examples of model 1 were augmented in each epoch by masks over time (Park et al., 2019), mixup (Zhang et "
        "al., 2018). Probabilities of networks were calibrated by temperature scaling (Guo et al., 2017). Hyper-parameters of "
        "model 2 were searched in each fold with 1 trial of Optuna (Akiba et al., 2019), scored by its validation items; test "
        "items took no part."
    ) in paragraphs[1]
    assert "on TensorFlow (Abadi et al., 2016) for at most 2 epochs" in paragraphs[1]
    assert "were trained with 2 seeds per fold, and their values were averaged." in paragraphs[1]
    assert "The nested value, for which each fold selects by its own validation items, avoids this bias." in paragraphs[2]
    keys = re.findall(r"@\w+\{(\w+),", entries)
    assert keys[:4] == ["xval", "chollet2015keras", "abadi2016tensorflow", "akiba2019optuna"]
    assert {"kingma2015adam", "park2019specaugment", "zhang2018mixup", "guo2017calibration"} <= set(keys)
    assert "pedregosa2011scikit" not in keys


def test_the_card_of_a_final_model_has_the_parts_of_model_cards(study):
    study.train(SVM, item_name="speaker")
    ended = study.xval("refit", study.EXPERIMENT)
    assert ended.returncode == 0, ended.stderr

    card = (study.results / "instance_1" / "refit" / "model_card.md").read_text(encoding="utf-8")

    headings = re.findall("^## (.*)$", card, re.MULTILINE)
    assert headings == ["Model details", "Intended use", "Training data", "Evaluation", "How to use it"]
    assert "All 6 speakers of the dataset small (72 clips). Seed " in card
    assert (
        "**This model is untested: no speaker is left to test it.** The scores are the mean and sample standard deviation over "
        "the folds, whose models were tested on unseen speakers. They are the estimate of cross-validation for a model trained "
        "like this, not a test of this model."
    ) in card
    assert "    xval predict model.skops FILE" in card


def caption_of(latex):
    return latex.partition(r"\caption{")[2].partition("}\n")[0]


def test_the_caption_is_short_and_the_notes_have_the_rest(finished):
    latex = finished.xval("report", finished.EXPERIMENT, "--latex").stdout

    caption, (_, notes) = caption_of(latex), latex.split(r"\footnotesize")
    assert caption == "Test scores of 3 models on small in 3-fold cross-validation over 6 items."
    assert len(caption.split()) <= 45
    assert r"Model & Balanced accuracy (UAR) $\uparrow$" in latex
    for text in (
        "over all test examples; chance 0.500.",
        r"In brackets: 95 \% interval over items",
        "First row: nested selection",
    ):
        assert text in notes


def test_table_and_entries_compile(copied, tmp_path):
    if shutil.which("pdflatex") is None or shutil.which("bibtex") is None:
        pytest.skip("no LaTeX on this machine")
    _, entries = protocol(copied)
    latex = copied.xval("report", copied.EXPERIMENT, "--latex").stdout
    packages = re.findall(r"% needs (\\usepackage.*)", latex)
    assert packages == [r"\usepackage{booktabs}"]
    lines = [r"\documentclass{article}", *packages, r"\begin{document}", latex, r"\nocite{*}"]
    lines += [r"\bibliographystyle{plain}", r"\bibliography{sources}", r"\end{document}"]
    (tmp_path / "paper.tex").write_text("\n".join(lines), encoding="utf-8")
    (tmp_path / "sources.bib").write_text(entries, encoding="utf-8")

    logs = [
        subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=True).stdout
        for command in (
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"],
            ["bibtex", "paper"],
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"],
        )
    ]

    assert "Warning" not in logs[1].replace("empty year", ""), logs[1]
    assert (tmp_path / "paper.pdf").stat().st_size > 0


def table_for_papers(study, *options):
    """Return the rows of the table in Markdown, a list of cells by the row's name, its caption and its notes."""
    ended = study.xval("report", study.EXPERIMENT, "--markdown", *options)
    assert ended.returncode == 0, ended.stderr
    lines = ended.stdout.splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("|")]
    assert set(rows.pop(1)) == {"---"}
    notes = [line.removeprefix("- ") for line in lines if line.startswith("- ")]
    return {name: cells for name, *cells in rows}, lines[len(rows) + 2], notes


def test_metrics_that_were_added_have_the_marks_of_their_comparison(study):
    write_two_classes(study, 1)
    study.train(SVM, {"architecture": "constant"}, num_folds=3, metrics="f1", positive_class="sick")
    assert study.xval("add-metrics", study.EXPERIMENT, "sensitivity").returncode == 0

    rows, _, notes = table_for_papers(study)

    for metric in ("f1", "sensitivity"):
        ended = study.xval("compare", study.EXPERIMENT, "--metric", metric, "--output", "out.csv")
        assert ended.returncode == 0, ended.stderr
        assert pd.read_csv(study.folder / "out.csv")["verdict"].tolist() == ["worse"]
    header = rows["model"]
    for name in ("F1 of 'sick' ↑", "Sensitivity of 'sick' ↑"):
        assert rows["constant"][header.index(name)].endswith(" -")
    assert not any("no marks" in note for note in notes)


def test_a_metric_that_cannot_be_compared_has_no_marks_and_is_named(study):
    write_two_classes(study, 1)
    study.train(SVM | {"metrics": "f1"}, {"architecture": "constant"}, num_folds=3, positive_class="sick")

    rows, _, notes = table_for_papers(study)

    assert [rows["constant"][rows["model"].index(name)][-1] for name in ("Accuracy ↑", "F1 of 'sick' ↑")] == ["-", "–"]
    assert "F1 of 'sick' has no marks, because these models cannot be compared by it." in notes


FOREST = {"architecture": "forest", "n_trees": 3}


@pytest.mark.long
def test_variants_that_differ_only_in_their_seed_are_one_row(study):
    """The first is named by its comment, which holds of this seed only."""
    write_two_classes(study, 6)
    seeds = [FOREST | {"seed": 2, "comment_1": "second"}, FOREST | {"seed": 1}, FOREST | {"seed": 3}]
    study.script(LINEAR, *seeds, {"architecture": "constant"}, num_folds=3, fold_repeats=1, item_name="speaker")
    assert study.run("1-3,5").returncode == 0
    assert study.run("4", "--folds", "1").returncode == 0

    rows, caption, notes = table_for_papers(study, "--baseline", "1")

    forest = next(name for name in rows if name.startswith("forest"))
    assert forest.partition(", selected")[0] == "forest, mean of seeds 1, 2"
    assert [name.partition(",")[0] for name in rows if name != "model"] == ["chosen among 3", "logistic", "forest", "constant"]
    assert caption.startswith("Test scores of 3 models on small")
    by_seed = pd.concat([study.predictions(number, fold).assign(seed=number) for number in (2, 3) for fold in (1, 2, 3)])
    tested = by_seed[by_seed["side"] == "test"]
    accuracy = (tested["target"] == tested["predicted"]).groupby(tested["seed"]).mean()
    assert accuracy[2] != accuracy[3]
    assert rows[forest][rows["model"].index("Accuracy ↑")].split(" ")[0] == f"{accuracy.mean():.3f}"
    compared = study.xval("compare", study.EXPERIMENT, "--baseline", "1", "--metric", "accuracy", "--output", "out.csv")
    assert compared.returncode == 0, compared.stderr
    assert "Variants that differ only in their seed are one row, with the mean of their seeds." in notes
    assert "'forest, mean of seeds 1, 2' is without seed 3, which has other finished folds." in notes
    assert protocol(study)[0][0].startswith("We evaluated 3 models with ")
    assert " Models 2-4 differ only in their seed and count as one model." in protocol(study)[0][0]


@pytest.mark.long
def test_the_bias_of_a_row_of_seeds_is_that_of_their_mean(study):
    write_two_classes(study, 6)
    study.train(*[FOREST | {"seed": seed} for seed in (1, 2)], {"architecture": "constant"}, num_folds=3)

    for baseline in "12":
        rows, _, _ = table_for_papers(study, "--baseline", baseline)

        nested, selected, constant = list(rows)[1:]
        assert nested == "chosen among 2, nested"
        assert constant == "constant"
        bias = [float(rows[name][0].split(" ")[0]) for name in (selected, nested)]
        assert selected.startswith("forest, mean of seeds 1, 2, selected (bias ")
        shown = float(selected.rpartition("bias ")[2].strip(")"))
        assert shown == pytest.approx(bias[0] - bias[1], abs=0.0011)

    _, _, notes = table_for_papers(study, "1,3")
    assert (
        "In brackets: 95 % interval of 'chosen among 2, nested' over items and seeds; of 'forest' over items, for these "
        "trained models; training again would widen it."
    ) in notes
    (choice,) = [note for note in notes if "First row" in note]
    assert re.search(r"estimated as Balanced accuracy \(UAR\): [+-]0\.\d{3}; Accuracy: [+-]0\.\d{3}\.", choice)


SQUARED = """
from xval import metric

@metric(higher_is_better=True)
def squared_accuracy(targets, predictions):
    return float((predictions.argmax(axis=1) == targets).mean()) ** 2
"""


@pytest.mark.long
def test_a_row_of_seeds_has_a_metric_of_the_user_of_the_kind_that_other_rows_have(study):
    """It is not linear, so that a mean over folds is another number."""
    write_two_classes(study, 6)
    study.file("mine.py", SQUARED)
    study.train(
        *[FOREST | {"seed": seed} for seed in (1, 2)],
        LINEAR,
        num_folds=3,
        metrics="mine.squared_accuracy",
    )

    rows, _, notes = table_for_papers(study)

    values = []
    for number in (1, 2):
        clips = pd.concat([study.predictions(number, fold) for fold in (1, 2, 3)]).query("side == 'test'")
        values.append((clips["target"] == clips["predicted"]).mean() ** 2)
    forest = next(cells for name, cells in rows.items() if name.startswith("forest, mean of seeds 1, 2"))
    assert forest[rows["model"].index("Squared accuracy ↑")].partition(" ")[0] == f"{np.mean(values):.3f}"
    assert "Squared accuracy: mean over folds or pooled" not in " ".join(notes)


def test_seeds_of_one_model_are_a_table_of_one_row(study):
    study.train(*[FOREST | {"seed": seed} for seed in (1, 2)], num_folds=3)

    rows, caption, _ = table_for_papers(study)

    assert list(rows) == ["model", "forest, mean of seeds 1, 2"]
    assert caption.startswith("Test scores of one model on small")


@pytest.mark.long
def test_the_caption_has_the_seeds_of_some_models_and_notes_name_rows(study):
    networks = [{"architecture": "mlp", "n_units": (4,)}, {"architecture": "mlp", "n_units": (3,), "normalization": "per_item"}]
    study.train(SVM, *networks, num_folds=3, repeats=2)

    rows, caption, notes = table_for_papers(study)

    assert caption == (
        "Test scores of 3 models on small in 3-fold cross-validation over 6 items; 2 seeds per fold for models with "
        "random parts."
    )

    per_item = next(name.partition(", selected")[0] for name in rows if "per_item" in name)
    assert any(note.startswith(f"Features of '{per_item}' were scaled for each item") for note in notes)
    assert (
        "In brackets: 95 % interval of 'chosen among 3, nested' and 'svm' over items, for these trained models; training "
        "again would widen it; of the other rows over items and seeds."
    ) in notes
    for note in notes:
        assert "instance" not in note
        assert "↑" not in note
