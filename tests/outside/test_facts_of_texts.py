"""What the page, the texts for papers and the advice say is true of what was computed."""

import html
import re

import numpy as np
import pytest

from preprocessing.store import write
from tests.outside.conftest import write_two_classes

CONSTANT, LOGISTIC = {"architecture": "constant"}, {"architecture": "logistic", "C": (1.0,)}
FOREST = {"architecture": "forest", "n_trees": 3, "min_samples_leaf": (1,)}


def page_of(study):
    """Return the text of a page that is written anew."""
    ended = study.xval("report", study.EXPERIMENT, "--no-audit", "--no-audio")
    assert ended.returncode == 0, ended.stderr
    return html.unescape((study.results / "report.html").read_text(encoding="utf-8"))


def protocol_of(page):
    """Return the paragraphs of the section Protocol as one text."""
    return " ".join(re.findall(r"<p>(.*?)</p>", page.partition('<section id="protocol">')[2].partition("</section>")[0]))


@pytest.mark.long
def test_intervals_over_seeds_are_called_so(study):
    ended = study.train(*(FOREST | {"seed": seed} for seed in (1, 2)), num_folds=3)

    clause = (
        "of each instance over items, for these trained models; training again would widen it; "
        "of the mean of seeds 1, 2 over items and seeds"
    )
    assert f"[ ]: 95 % interval {clause}." in ended.stdout
    assert f"The 95 % intervals are {clause} (items, not clips" in protocol_of(page_of(study))
    assert "In brackets: 95 \\% interval over items and seeds." in study.xval("report", study.EXPERIMENT, "--latex").stdout


@pytest.fixture(scope="module")
def regression(study_in, tmp_path_factory):
    """Return the page of an experiment with two targets, which have names, and a column of groups."""
    study = study_in(tmp_path_factory.mktemp("regression"))
    clips = study.recordings(n_speakers=6)
    clips["label:age"], clips["label:height"] = clips.pop("age") + clips.index % 4, 100 + 50 * clips.pop("pitch")
    clips.drop(columns="label").to_csv(study.folder / "audio" / "clips.csv", index=False)
    prepared = study.prepare("table", "audio/clips.csv", "--dataset", "small", "--task-type", "regression")
    assert prepared.returncode == 0, prepared.stderr
    features = {"n_mels": 8, "sample_rate_hz": 4000, "n_fft": 64, "win_length": 64, "hop_length": 32}
    ridge = {"architecture": "ridge", "alpha": (1.0, 10.0)}
    study.train(
        CONSTANT, ridge, {"architecture": "linear"}, task_type="regression", num_folds=3, item_name="speaker", **features
    )
    study.page = page_of(study)
    return study


@pytest.mark.long
def test_targets_of_a_regression_are_named_and_scored(regression):
    page = regression.page
    headings = re.findall(r"<h3>(Agreement: .*?)</h3>", page)
    assert headings == ["Agreement: predicted minus true age", "Agreement: predicted minus true height"]
    assert [name for name in ("age", "height") if f'"Bland-Altman plot of {name}"' in page] == ["age", "height"]
    selected = int(re.search(r"Model (\d), the selected one", page)[1])
    tested = {fold: regression.predictions(selected, fold).query("side == 'test'") for fold in (1, 2, 3)}
    rmse = {
        name: np.sqrt(np.mean(np.concatenate([t[f"predicted_{name}"] - t[f"target_{name}"] for t in tested.values()]) ** 2))
        for name in ("age", "height")
    }
    assert [float(text) for text in re.findall(r"The RMSE of this target is ([\d.]+)", page)] == pytest.approx(
        list(rmse.values()), abs=6e-4
    )
    assert "Scores are means over the 2 targets age and height, whose units may differ." in protocol_of(page)


@pytest.mark.long
def test_estimators_of_numbers_have_no_probabilities_and_a_constant_no_settings(regression):
    protocol = protocol_of(regression.page)
    assert (
        "(Pedregosa et al., 2011; linear, ridge) were fitted to features pooled over time of all items that were not tested; "
        "inner folds over whole items chose the settings of model 2, and validation values are out of fold. The baseline "
        "constant ignores the audio and predicts the mean of all items that were not tested."
    ).replace("items", "speakers") in protocol
    assert "probabilities" not in protocol


@pytest.mark.long
def test_groups_of_numbers_have_no_classes(regression):
    section = regression.page.partition('<details id="groups">')[2].partition("</details>")[0]
    assert "The gap is the largest difference between two groups." in section
    assert "class" not in re.sub(r'class="[^"]*"', "", section)


@pytest.mark.long
def test_equality_is_no_claim_of_two_folds(study):
    write_two_classes(study, deviation=2)
    study.train(CONSTANT, LOGISTIC, num_folds=2)

    compared = " ".join(study.xval("compare", study.EXPERIMENT).stdout.split())
    texts = [study.xval("report", study.EXPERIMENT, "--markdown").stdout, compared, protocol_of(page_of(study))]

    assert all("Paired" in text for text in texts), texts
    assert not any("two one-sided" in text or "practically equal" in text for text in texts), texts
    assert "Equality is not tested, because that needs at least 3 folds." in compared


@pytest.mark.long
def test_repeats_that_happen_to_agree_are_trainings(empty):
    rng = np.random.default_rng(0)
    labels = np.arange(12) % 2
    predictors = {f"s{item}": (rng.normal(size=(12, 6)) + 9 * labels[:, None]).astype("float32") for item in range(8)}
    targets = {item: ["ab"[label] for label in labels] for item in predictors}
    targets["s7"] = ["ab"[1 - label] for label in labels[:2]] + targets["s7"][2:]  # two labels that no model can predict
    write("small", predictors, targets, data_folder=empty.folder / "data")
    empty.train(CONSTANT, LOGISTIC, num_folds=4, fold_repeats=2)

    said = " ".join(empty.xval("compare", empty.EXPERIMENT).stdout.split())

    assert "This is a claim about this way of training, on" in said
    assert "these trained models" not in said
    assert "Each training run has the same difference, so the variance between training runs is 0." in said


@pytest.mark.long
def test_a_gap_names_the_classes_that_it_is_computed_from(finished):
    said = " ".join(finished.xval("groups", finished.EXPERIMENT, "--by", "gender").stdout.split())

    assert "the 2 classes that have at least 3 items in both), [" in said


@pytest.mark.long
def test_advice_on_undecided_variants_is_about_those_above_chance(empty):
    rng, labels = np.random.default_rng(0), np.arange(12) % 2
    predictors = {}
    for item in range(7):
        strength, noise = rng.uniform(0, 1.6), rng.normal(size=(12, 10, 3))
        predictors[f"s{item}"] = noise + 0.3 * rng.normal(size=(1, 1, 3)) + strength * labels[:, None, None]
    predictors = {item: values.astype("float32") for item, values in predictors.items()}
    targets = {item: ["ab"[label] for label in labels] for item in predictors}
    write("small", predictors, targets, data_folder=empty.folder / "data")
    poolings = ("mean",), ("mean", "minimum"), ("deviation",)  # the last cannot tell the classes apart
    empty.train(*(LOGISTIC | {"pooling": pooling} for pooling in poolings), num_folds=4, fold_repeats=2)

    said = empty.xval("report", empty.EXPERIMENT, "--details").stdout
    (at_chance,) = re.findall(r"XV301 .*", said)
    (undecided,) = re.findall(r"XV303 .*", said)
    (evidence,) = re.findall(r"Evidence: .*", said)

    assert "(3)" in at_chance
    assert "(3)" in evidence  # undecided, too
    assert "(2)" in undecided
    assert "(3)" not in undecided
    assert undecided.endswith("telling them apart would take more than 28 items (you have 7).")
    assert "variants 1 and 2 is cheapest" in undecided
