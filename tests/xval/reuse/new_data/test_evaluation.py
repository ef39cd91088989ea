"""A model on new data: what counts, what does not, and what is said about it."""

import numpy as np
import pandas as pd
import pytest

from preprocessing.clips.fingerprints import short_hashes
from preprocessing.corpus import make_corpus
from preprocessing.store import write
from xval.base.errors import AudioError, CorpusError, SettingsError, UndefinedAnswerError
from xval.measures import metrics
from xval.measures.confusion import class_metrics, confusion_matrix
from xval.measures.statistics.intervals import score_interval
from xval.reuse.new_data.evaluation import Choices, evaluate_on
from xval.reuse.new_data.labelled_clips import ReadOptions, read_labelled_clips

PATTERN = r"s\d"
NONE = Choices({})


def read(data, task_type="classification", **options):
    return read_labelled_clips(str(data), task_type, ReadOptions(**options))


def answers_of(seed=0):
    """Return probabilities for every file: those of its class are raised, not always enough."""
    rng = np.random.default_rng(seed)
    found = {}
    for label in "abc":
        for speaker in range(3):
            for take in range(2):
                values = rng.random(3) + 0.6 * (np.arange(3) == "abc".index(label))
                found[f"{label}_s{speaker}_{take}.wav"] = (values / values.sum()).astype(np.float32)
    return found


def hash_of(clips, *paths):
    from preprocessing.audio.read import describe_audio

    return short_hashes([describe_audio(clips.audio_folder / path).audio_hash for path in paths])


def test_the_figures_are_those_of_an_experiment_on_the_same_clips(animals, make_model, watch):
    answers = answers_of()
    clips = read(animals, item_pattern=PATTERN)
    found = evaluate_on(make_model(answers), clips, NONE, watch)

    names = [path.split("/")[1] for path in clips.table["path"]]
    targets = np.array(["abc".index(name[0]) for name in names])
    predictions = np.stack([answers[name] for name in names])
    scores = found.scores
    assert scores.metrics == metrics.compute("classification", targets, predictions)
    assert scores.confusion_matrix == confusion_matrix(targets, predictions)
    of_item = np.array(["_s1_" in name for name in names])
    assert scores.item_metrics["s1"] == {"n_clips": 6} | metrics.compute(
        "classification", targets[of_item], predictions[of_item]
    )
    assert scores.class_metrics.loc["a", "recall"] == class_metrics(targets, predictions, "abc")["a"]["recall"]
    assert scores.predictions["label"].tolist() == [name[0] for name in names]
    assert (scores.predictions["seen"] == "no").all()
    for name in ("accuracy", "balanced_accuracy"):  # against the metrics on the clips of the drawn items
        rows = [np.flatnonzero([f"_s{item}_" in each for each in names]) for item in range(3)]

        def over(items, name=name, rows=rows):
            drawn = np.concatenate([rows[item] for item in items])
            return metrics.find("classification", name).function(targets[drawn], predictions[drawn])

        assert scores.intervals[name][:3] == pytest.approx(score_interval(3, over)[:3])
    assert found.warnings == ()
    assert found.left_out.empty


def test_clips_that_the_model_has_no_answer_to_are_refused_and_not_left_out_of_the_figures(animals, make_model, watch):
    model = make_model(answers_of() | {"b_s1_1.wav": [np.nan] * 3})

    with pytest.raises(UndefinedAnswerError, match=r"b_s1_1\.wav: the model predicts NaN"):
        evaluate_on(model, read(animals), NONE, watch)


def test_unknown_labels_do_not_count_and_lacking_classes_are_named(animals, make_model, watch):
    (animals / "b").rename(animals / "B")
    (animals / "c").rename(animals / "x")
    clips = read(animals)
    found = evaluate_on(make_model(answers_of()), clips, NONE, watch)

    assert set(found.scores.predictions["label"]) == {"a"}
    assert found.scores.metrics["accuracy"] == found.scores.metrics["balanced_accuracy"]
    assert np.isnan(found.scores.metrics["auc"])
    assert found.unknown_labels == {"B": 6, "x": 6}
    assert found.lacking_classes == ("b", "c")
    assert "12 clips have labels that are not classes of the model" in found.warnings[0]
    assert "'B' (6); did you mean 'b'? --rename B=b; 'x' (6)." in found.warnings[0]
    assert "2 of 3 classes of the model do not occur in the data: b, c." in found.warnings[1]
    assert "balanced accuracy leaves it out" in found.warnings[2]
    assert found.left_out["reason"].value_counts().to_dict() == {
        "not a class of the model: B": 6,
        "not a class of the model: x": 6,
    }

    renamed = evaluate_on(make_model(answers_of()), clips, Choices({"B": "b", "x": "c"}), watch)
    assert len(renamed.warnings) == 1
    assert "18 of 18 clips are counted as separate" in renamed.warnings[0]
    assert len(renamed.clips) == 18


def test_audio_that_the_model_has_seen_is_found_under_another_name(animals, make_model, watch):
    clips = read(animals)
    seen = hash_of(clips, "a/a_s0_0.wav", "b/b_s1_1.wav")
    (animals / "b" / "b_s1_1.wav").rename(animals / "b" / "b_s9_9.wav")
    clips = read(animals)
    model = make_model(answers_of() | {"b_s9_9.wav": [0, 1, 0]}, seen)
    found = evaluate_on(model, clips, NONE, watch)

    assert found.warnings[0].startswith(
        "2 of 18 clips are in the training data of this model (2 by their audio; a/a_s0_0.wav, "
    )
    assert "the scores are optimistically biased. --leave-out-seen" in found.warnings[0]
    told = found.scores.predictions.set_index("path")["seen"]
    assert told[told == "audio"].index.tolist() == ["a/a_s0_0.wav", "b/b_s9_9.wav"]

    model.asked.clear()
    without = evaluate_on(model, clips, Choices({}, leave_out_seen=True), watch)
    assert len(without.clips) == 16
    assert len(model.asked) == 16
    assert without.left_out["path"].tolist() == ["a/a_s0_0.wav", "b/b_s9_9.wav"]
    assert "excluded" in without.warnings[0]


def test_items_of_the_same_corpus_are_seen_and_of_another_perhaps(animals, tmp_path, make_model, watch):
    listed = read(animals, item_pattern=PATTERN).table[["path", "item", "label"]]
    for dataset in ("toy", "other"):
        make_corpus(listed, animals, dataset=dataset, data_folder=tmp_path / "data", corpus="folders")
    model = make_model(answers_of(), seen_items={"toy": ("s0", "s1")})

    same = evaluate_on(model, read(tmp_path / "data" / "toy"), NONE, watch)
    assert same.warnings[0].startswith("12 of 18 clips are in the training data of this model (12 by their item; ")
    other = evaluate_on(model, read(tmp_path / "data" / "other"), NONE, watch)
    assert other.warnings == ("2 items with the same name as a training item of the model (s0, s1), perhaps the same.",)
    left = evaluate_on(model, read(tmp_path / "data" / "toy"), Choices({}, leave_out_seen=True), watch)
    assert set(left.scores.item_metrics) == {"s2"}

    everything = make_model(answers_of(), seen_items={"toy": ("s0", "s1", "s2")})
    with pytest.raises(CorpusError, match="all 18 clips are in the training data"):
        evaluate_on(everything, read(tmp_path / "data" / "toy"), Choices({}, leave_out_seen=True), watch)


def test_what_cannot_be_checked_is_said(animals, make_model, watch):
    found = evaluate_on(make_model(answers_of(), seen=None), read(animals), NONE, watch)

    assert "on these clips: seen_audio.npy is missing" in found.warnings[0]
    assert (found.scores.predictions["seen"] == "unknown").all()


def test_clips_that_cannot_be_read_are_listed_and_the_rest_counts(animals, make_model, watch):
    (animals / "a" / "a_s0_0.wav").write_text("no audio")
    model = make_model(answers_of(), unreadable=("b_s1_0.wav",))
    found = evaluate_on(model, read(animals), NONE, watch)

    assert len(found.clips) == 16
    assert found.left_out["path"].tolist() == ["a/a_s0_0.wav", "b/b_s1_0.wav"]
    assert "2 clips cannot be used" in found.warnings[0]
    told = found.scores.predictions.set_index("path")["probability_c"]
    for path, probability in told.items():  # each row still has its own answer
        assert probability == answers_of()[path.split("/")[1]][2]
    with pytest.raises(AudioError, match=r"None of the 18 clips can be read|None of the 17 clips can be read"):
        evaluate_on(make_model({}, unreadable=answers_of()), read(animals), NONE, watch)


def test_a_regression_has_its_own_metrics_and_no_confusions(animals, make_model, watch):
    rng = np.random.default_rng(0)
    paths = [f"{name[0]}/{name}" for name in answers_of()]
    table = pd.DataFrame({"path": paths, "label:arousal": rng.random(18), "label:valence": rng.random(18)})
    table.to_csv(animals / "clips.csv", index=False)
    answers = {path.split("/")[1]: rng.random(2) for path in paths}
    changes = {"task_type": "regression", "class_names": (), "target_names": ("valence", "arousal")}
    found = evaluate_on(make_model(answers, **changes), read(animals / "clips.csv", "regression"), NONE, watch)

    targets = table[["label:valence", "label:arousal"]].to_numpy(np.float32)
    predictions = np.stack([answers[path.split("/")[1]] for path in paths]).astype(np.float32)
    assert found.scores.metrics == pytest.approx(metrics.compute("regression", targets, predictions))
    assert set(found.scores.intervals) == set(found.scores.metrics)
    assert found.scores.confusion_matrix is None
    assert found.scores.calibration is None
    assert found.scores.predictions["target_valence"].tolist() == targets[:, 0].tolist()

    lacking = make_model(answers, **changes | {"target_names": ("valence", "dominance")})
    with pytest.raises(CorpusError, match=r"no numbers for the model's target 'dominance'.*It has: arousal, valence"):
        evaluate_on(lacking, read(animals / "clips.csv", "regression"), NONE, watch)
    with pytest.raises(SettingsError, match="--rename needs a model with classes"):
        evaluate_on(make_model(answers, **changes), read(animals / "clips.csv", "regression"), Choices({"a": "b"}), watch)


def test_an_autoencoder_has_its_error_alone(animals, make_model, watch):
    model = make_model(lambda name: [len(name) + ord(name[0]) + int(name[3])], task_type="representation", class_names=())
    found = evaluate_on(model, read(animals, "representation", item_pattern=PATTERN), NONE, watch)

    assert found.scores.metrics == {"mse": pytest.approx(len("a_s0_0.wav") + 98 + 1)}
    assert set(found.scores.item_metrics["s0"]) == {"n_clips", "mse"}
    assert set(found.scores.intervals) == {"mse"}


def test_ready_features_and_audio_do_not_mix(animals, tmp_path, make_model, watch):
    values = np.zeros((3, 4, 5), np.float32)
    write("mine", {"anna": values}, {"anna": ["a", "b", "c"]}, data_folder=tmp_path)
    custom = make_model(lambda number: np.eye(3)[number], is_custom=True)

    found = evaluate_on(custom, read(tmp_path / "mine"), NONE, watch)
    assert found.scores.metrics["accuracy"] == 1
    assert found.scores.predictions["path"].tolist() == ["anna#0", "anna#1", "anna#2"]
    with pytest.raises(CorpusError, match=r"has features made by a script, but .* reads audio"):
        evaluate_on(make_model({}), read(tmp_path / "mine"), NONE, watch)
    with pytest.raises(CorpusError, match=r"has audio, but .* reads features made by a script"):
        evaluate_on(custom, read(animals), NONE, watch)
    with pytest.raises(SettingsError, match="--annotation-policy needs a model that labels frames"):
        evaluate_on(make_model(answers_of()), read(animals), Choices({}, annotation_policy="union"), watch)
