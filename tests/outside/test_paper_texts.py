"""The texts that end up in papers: methods, table with caption and notes, BibTeX, the card of a model."""

import html
import re
import shutil
import subprocess

import numpy as np
import pytest

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


def test_repeats_of_the_cross_validation_do_not_read_as_leave_one_speaker_out(study):
    study.train(SVM, LINEAR, num_folds=2, fold_repeats=3, item_name="speaker")

    paragraphs, _ = protocol(study)

    assert without_hash(paragraphs[0]) == (
        "We evaluated 2 models with speaker-independent 2-fold cross-validation, repeated 3 times with different partitions, on "
        "72 clips of 6 speakers (small). Folds were stratified by label and identical for all models (2 training, 1 validation, "
        "3 test speakers; seed 1, hash). No speaker occurred in more than one part of a fold. Each speaker was tested 3 times, "
        "and its values were averaged."
    )
    assert "on the same 6 test folds of 6 speakers from 3 repeats of the cross-validation, one seed per fold." in paragraphs[4]


@pytest.mark.parametrize(
    ("parameters", "text"),
    [
        (
            {"fold_strategy": "leave_one_out"},
            "We evaluated one model with leave-one-speaker-out cross-validation (6 folds) on 72 clips of 6 speakers (small). A "
            "fold had 4 training, 1 validation, 1 test speakers (seed 1, hash). No speaker occurred in more than one part of a "
            "fold.",
        ),
        (
            {"fold_strategy": "holdout"},
            "We evaluated one model on one speaker-independent split of 72 clips of 6 speakers (small). The split was stratified "
            "by label (4 training, 1 validation, 1 test speakers; seed 1, hash). No speaker occurred in more than one part of "
            "the split. Only 1 speaker was tested.",
        ),
        (
            {"num_folds": 4},
            "We evaluated one model with speaker-independent 4-fold cross-validation on 72 clips of 6 speakers (small). Folds "
            "were stratified by label (3 to 4 training, 1 validation, 1 to 2 test speakers; seed 1, hash). No speaker occurred "
            "in more than one part of a fold.",
        ),
    ],
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
        "(5 training, 1 validation, 6 test items; seed 1, hash). No item occurred in more than one part of a fold. Clips of one "
        "speaker may be in training and test, because each clip was an item of its own."
    )


def test_folds_that_are_not_finished_are_named(study):
    study.train(SVM, item_name="speaker")
    (study.fold(1, 2) / "record.json").unlink()

    assert protocol(study)[0][0].endswith(" These results are preliminary: 1 of 2 folds are finished.")
