"""What tables, errors and texts to publish say of results: names, numbers, and settings that mean nothing to an estimator."""

import html
import json
import re

import numpy as np
import openpyxl
import pandas as pd
import pytest

import xval
from preprocessing.store import write

EARLIER = "results/small/experiment_1"


def test_an_instance_is_named_behind_its_experiment(finished):
    with_colon, apart = finished.xval("compare", f"{EARLIER}:1", "2"), finished.xval("compare", EARLIER, "1", "2")
    alone = finished.mistake("-m", "xval", "compare", f"{EARLIER}:1")
    elsewhere = finished.mistake("-m", "xval", "status", f"{EARLIER}:1")

    assert with_colon.returncode == 0, with_colon.stderr
    assert with_colon.stdout == apart.stdout
    assert "1 instance to compare; expected at least two" in alone
    assert f"leave :1 out: {EARLIER}" in elsewhere


def test_what_an_estimator_does_not_use_leaves_it_done(copied):
    script = copied.folder / "exp.py"

    ended = copied.python(
        script.name, 3, "--set", "num_epochs=7", "--set", "patience=3", "--set", "batch_size=4", "--executor", "inline"
    )
    other = copied.python(script.name, 3, "--set", "n_mels=9", "--executor", "inline")
    network = copied.python(script.name, 1, "--set", "num_epochs=7", "--executor", "inline")

    assert ended.returncode == 0, ended.stderr
    assert "Nothing to do: all 3 jobs are done." in ended.stdout
    assert json.loads(copied.xval("status", EARLIER, "--format", "json").stdout)["stale"] == 0
    assert (other.returncode, network.returncode) == (2, 2)
    assert "num_epochs was 3, now 7" in network.stderr


@pytest.mark.parametrize("named", ["auto, mine.mine", "auto"])
def test_auto_is_among_the_metrics_that_are_named(study, named):
    study.file(
        "mine.py", "from xval import metric\n@metric(higher_is_better=True)\ndef mine(targets, predictions): return 0.5\n"
    )

    study.train({"architecture": "constant"}, metrics=named)

    assert set(study.scores()) >= {"accuracy", *(["mine"] if "mine" in named else [])}
    again = study.run("--set", f"metrics={named.replace('auto, ', '').replace(', auto', '')}")
    assert "Nothing to do" in again.stdout, again.stderr


def test_a_column_of_speakers_is_written_out(study):
    clips = study.recordings().rename(columns={"item": "spk_id"})
    clips.to_csv(study.folder / "audio" / "clips.csv", index=False)
    prepared = study.prepare("table", "audio/clips.csv", "--dataset", "small", "--item", "spk_id")
    assert prepared.returncode == 0, prepared.stderr
    features = {"n_mels": 8, "sample_rate_hz": 4000, "n_fft": 64, "win_length": 64, "hop_length": 32}
    study.train({"architecture": "constant"}, {"architecture": "logistic", "C": (1.0,)}, **features)

    compared = study.xval("compare", study.EXPERIMENT)

    assert "6 speakers" in compared.stdout, compared.stderr
    assert "spk" not in compared.stdout


def test_no_number_is_minus_nothing_and_a_column_has_the_same_decimals(copied):
    # Two instances whose figures differ by less than three decimals show.
    for fold in (1, 2, 3):
        rows = copied.score_table(1, fold)
        rows.loc[(rows["item"] != "") & (rows["metric"] == "accuracy"), "value"] -= 0.0004 + 1e-6 * len(f"fold_{fold}")
        rows.to_parquet(copied.fold(2, fold) / "scores.parquet", index=False)

    compared = copied.xval("compare", EARLIER, "2", "3", "--baseline", "1", "--metric", "accuracy")

    assert compared.returncode == 0, compared.stderr
    rows = [line for line in compared.stdout.splitlines() if re.match(r"\s*[23]\s", line)]
    assert len(rows) == 2, compared.stdout
    numbers = [number for row in rows for number in re.findall(r"[-+]?\d+\.\d+", row)]
    assert {len(number.partition(".")[2]) for number in numbers} == {3}, rows
    assert not re.search(r"-0(\.0+)?(?![\d.])", compared.stdout)


@pytest.fixture(scope="module")
def repeated(study_in, tmp_path_factory):
    """Return a study whose folds choose different variants, with repeats and a page."""
    study, rng = study_in(tmp_path_factory.mktemp("repeated")), np.random.default_rng(0)
    clips = np.arange(12)
    noise = {f"s{item}": rng.normal(size=(12, 6, 4)) for item in range(9)}
    predictors = {item: (values + 0.3 * (clips % 2)[:, None, None]).astype("float32") for item, values in noise.items()}
    targets = {item: ["ab"[clip % 2] for clip in clips] for item in predictors}
    write("small", predictors, targets, data_folder=study.folder / "data")
    instances = [{"architecture": "logistic", "C": (c,)} for c in (0.001, 1.0)] + [{"architecture": "knn", "n_neighbors": (1,)}]
    parameters = {"num_folds": 3, "fold_repeats": 2, "item_name": "speaker", "validation": "next_fold", "page": "complete"}
    study.said = study.train(*instances, **parameters).stdout
    return study


def page_of(study):
    return html.unescape((study.results / "report.html").read_text())


@pytest.mark.long
def test_another_p_value_than_that_of_the_line_is_explained(repeated):
    """The line Evidence is of the choice; the table of the page and of compare is of the selected variant."""
    selected = int(re.search(r"^ *(\d) \*", repeated.said, re.MULTILINE)[1])
    others = [number for number in (1, 2, 3) if number != selected]
    chosen = xval.compare_instances(repeated.results, others, baseline="nested")
    listed = ", ".join(f"instance {pair.instance}: {pair.p_holm:.3f}" for pair in chosen.pairs)
    sentence = f"The line Evidence rests on other p values ({listed}), because it tests the choice among 3 variants (nested)"

    compared = repeated.xval("compare", repeated.EXPERIMENT).stdout
    assert sentence in compared
    assert sentence in page_of(repeated).partition('id="comparison"')[2]


def test_the_speakers_that_the_page_shows_are_those_it_names(repeated):
    page = page_of(repeated)
    selected = int(re.search(r"<h2>Where it fails: .*\(instance (\d)\)", page)[1])
    tested = pd.concat([repeated.predictions(selected, fold).query("side == 'test'") for fold in range(1, 7)])
    scores = (tested["target"] == tested["predicted"]).groupby(tested["item"]).mean().reset_index(name="score")
    worst = scores.sort_values(["score", "item"])["item"].head(6).tolist()
    assert re.findall(r'<article class="item">\s*<h4>(s\d) ', page) == worst
    assert "The 6 speakers with the worst scores, the worst first." in page
    assert "calibrated on the predictions for 8 validation speakers (conformal prediction)" in page


def test_sheets_and_groups_have_the_names_of_metrics(repeated):
    book = openpyxl.load_workbook(repeated.results / "results.xlsx")
    for name in ("metrics", "folds", "intervals"):
        texts = [str(cell.value) for row in book[name].iter_rows(max_row=2) for cell in row]
        assert any(text.endswith("balanced accuracy (UAR)") for text in texts), texts
        assert not [text for text in texts if text.endswith((" balanced_accuracy", " macro_f1", " auc"))]
    comments = {cell.value: cell.comment.text for cell in book["metrics"][1] if cell.comment}
    assert comments["test balanced accuracy (UAR)"].startswith("--metric balanced_accuracy: ")


def test_groups_have_the_names_of_metrics(finished):
    shown = finished.xval("groups", finished.EXPERIMENT, "--by", "gender").stdout
    assert "balanced accuracy (UAR)" in shown
    assert "balanced_accuracy" not in shown
