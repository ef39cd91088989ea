"""The text, the tables and the pictures of an evaluation."""

import json
import re
from io import BytesIO

import matplotlib.image
import numpy as np
import pandas as pd
import pytest

from xval.base.errors import ResultsError
from xval.measures.calibration import measure_calibration
from xval.report.new_data.folder import check_output, report_folder, write_report
from xval.report.new_data.pictures import draw_confusion, draw_reliability
from xval.report.new_data.text import describe, worst_items


def size_of(png):
    height, width, _ = matplotlib.image.imread(BytesIO(png)).shape
    return width, height


def test_the_report_is_short_and_warns_before_it_counts(make_outcome):
    subject, outcome = make_outcome(warnings=("37 of 120 clips are in the training data.",))
    lines = describe(subject, outcome)

    assert len(lines) < 45
    assert max(map(len, lines)) <= 100
    text = "\n".join(lines)
    assert text.index("Warning      37 of 120") < text.index("accuracy ")
    assert "Data         new: 120 clips of 6 items" in text
    assert "Left out     1 clip," in text
    assert f"accuracy  {outcome.scores.metrics['accuracy']:.3f}".split()[1] in text
    assert "(95 %, t on the logit scale, over 6 items)" in text
    assert "little about others" not in text
    assert re.search(rf"\ncalibration error \(ECE\) +{outcome.scores.calibration.ece:.3f} .*95 %", text)
    worst = min(outcome.scores.item_metrics.items(), key=lambda entry: entry[1]["balanced_accuracy"])[0]
    assert worst_items(outcome.scores, "classification")[0][0] == worst
    assert lines[[line.split()[:1] for line in lines].index(["item"]) + 1].startswith(worst)


def test_the_report_calls_an_item_what_it_is_in_the_data(make_outcome):
    text = "\n".join(describe(*make_outcome(item_word="actor")))

    assert "120 clips of 6 actors" in text
    assert ", over 6 actors)" in text
    assert "\nactor " in text
    assert "5 of 6 actors, the worst first; all are in items.csv" in text
    assert re.search(r"\bitems?\b(?!\.csv)", text) is None
    assert "(4 actors tell little" in "\n".join(describe(*make_outcome(n_items=4, item_word="actor")))


def test_a_report_over_few_items_says_how_little_they_tell(make_outcome):
    lines = describe(*make_outcome(n_items=4))

    assert [line for line in lines if line.startswith("(4 items tell little about others")]
    lines = describe(*make_outcome(n_items=2))
    assert any(line.startswith("(2 items tell little") and line.endswith("; intervals need 3 items)") for line in lines)


def test_many_classes_do_not_fill_the_screen(make_outcome):
    subject, outcome = make_outcome(n_classes=150, n_clips=600)

    lines = describe(subject, outcome)

    assert len(lines) < 60
    assert any("20 of 150 classes" in line for line in lines)


def test_the_folder_holds_all_figures(make_outcome, tmp_path):
    subject, outcome = make_outcome()
    lines = describe(subject, outcome)
    with report_folder(tmp_path / "out", overwrite=False) as folder:
        write_report(folder, subject, outcome, (), lines)

    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {
        "report.txt", "metrics.json", "predictions.csv", "items.csv", "classes.csv", "confusion_matrix.csv",
        "confusion_matrix.png", "calibration.csv", "reliability.png", "left_out.csv",
    }  # fmt: skip
    assert (tmp_path / "out" / "report.txt").read_text().splitlines() == lines
    content = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert content["metrics"] == pytest.approx(outcome.scores.metrics)
    assert content["unknown_labels"] == {"wolf": 2}
    assert content["lacking_classes"] == ["class 0"]
    matrix = pd.read_csv(tmp_path / "out" / "confusion_matrix.csv", index_col=0)
    assert matrix.to_numpy().tolist() == outcome.scores.confusion_matrix
    told = pd.read_csv(tmp_path / "out" / "predictions.csv")
    assert (told["label"] == told["predicted"]).mean() == pytest.approx(outcome.scores.metrics["accuracy"])
    assert len(pd.read_csv(tmp_path / "out" / "items.csv")) == 6
    bins = pd.read_csv(tmp_path / "out" / "calibration.csv")
    assert bins["n"].sum() == 120
    assert bins.loc[bins["n"] == 0, "accuracy"].isna().all()


def test_only_an_evaluation_is_replaced_and_only_when_asked(make_outcome, tmp_path):
    subject, outcome = make_outcome()
    with report_folder(tmp_path / "out", overwrite=False) as folder:
        write_report(folder, subject, outcome, (), ["first"])
    with pytest.raises(ResultsError, match=r"already exists.*--overwrite"):
        check_output(tmp_path / "out", overwrite=False)
    (tmp_path / "out" / "stale.csv").write_text("x")
    with report_folder(tmp_path / "out", overwrite=True) as folder:
        write_report(folder, subject, outcome, (), ["second"])

    assert (tmp_path / "out" / "report.txt").read_text() == "second\n"
    assert not (tmp_path / "out" / "stale.csv").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.txt").write_text("years of work")
    for folder in (tmp_path / "other", tmp_path / "other" / "thesis.txt"):
        with pytest.raises(ResultsError, match="is not an evaluation"):
            check_output(folder, overwrite=True)


def test_a_disk_that_fills_leaves_the_evaluation_that_was_there(make_outcome, tmp_path, monkeypatch):
    subject, outcome = make_outcome()
    with report_folder(tmp_path / "out", overwrite=False) as folder:
        write_report(folder, subject, outcome, (), ["first"])

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("xval.report.new_data.folder.write_json", full)
    with pytest.raises(OSError, match="No space left"), report_folder(tmp_path / "out", overwrite=True) as folder:
        write_report(folder, subject, outcome, (), ["second"])
    assert (tmp_path / "out" / "report.txt").read_text() == "first\n"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("n_classes", [2, 60, 300])
def test_confusion_matrices_have_room_for_their_names(n_classes):
    counts = np.full((n_classes, n_classes), 3)
    counts[1] = 0  # a class that does not occur
    width, height = size_of(draw_confusion(counts.tolist(), [f"$\\class {n}" for n in range(n_classes)], "clips"))

    assert 300 < width < 2000
    assert 300 < height < 2000


def test_a_reliability_diagram_is_drawn_with_empty_bins():
    targets = np.array([0, 1, 1])
    found = measure_calibration(targets, np.array([[0.9, 0.1], [0.2, 0.8], [0.95, 0.05]]))

    assert size_of(draw_reliability(found, "clips"))[0] > 300
