"""What a model has seen and how it scales: the audit names each model that knows what it is tested on."""

import json
import shutil

import numpy as np
import pytest

from preprocessing import corpus
from preprocessing.store import open_store
from xval.answers.leakage_kinds import leakage_by_kind


@pytest.mark.parametrize("instance", [1, 3])
def test_a_tested_clip_among_what_a_model_has_seen(copy, instance):
    opened = corpus.open_corpus("tones", copy.data)
    clip = f"{copy.record()['items']['test'][0]}_2.wav"
    number = int(opened.index.set_index("clip")["audio_hash"][clip][:16], 16)
    path = copy.fold(instance) / "seen_audio.npy"
    np.save(path, np.sort(np.append(np.load(path), np.uint64(number))))

    assert copy.only_failure() == (
        "seen audio", f"instance {instance}, fold 1: its model has seen the audio of the tested clip '{clip}'"
    )  # fmt: skip


def test_a_validation_clip_among_what_trained_a_model(copy):
    shutil.copy(copy.fold() / "seen_audio.npy", copy.fold() / "trained_audio.npy")
    assert "instance 1, fold 1: its model was trained on the audio of clip '" in copy.faults_of_only("seen audio")


def test_a_training_clip_that_is_missing_from_what_a_model_has_seen(copy):
    path = copy.fold() / "seen_audio.npy"
    np.save(path, np.load(path)[1:])

    assert "instance 1, fold 1: seen_audio.npy lacks clip '" in copy.faults_of_only("seen audio")
    kinds = {kind.name[:2]: kind.level for kind in leakage_by_kind([*copy.audit().values()], is_custom=False)}
    assert kinds["L2"] == "unknown"  # whether it has seen what is tested


def test_without_its_seen_audio_a_model_is_not_checkable(copy):
    (copy.fold() / "seen_audio.npy").unlink()

    verdict = copy.audit()["seen audio"]

    assert (verdict.state, verdict.n_checked) == ("not checkable", 5)
    assert "instance 1, fold 1: no seen_audio.npy" in verdict.not_checkable[0]


@pytest.mark.parametrize("instance", [1, 2])
def test_a_normaliser_that_was_changed(copy, instance):
    def shift(variables):
        variables["0"][...] += 0.01 * np.sqrt(variables["1"][...])

    copy.change_model(shift, instance)

    assert (
        f"instance {instance}, fold 1: the statistics of its model are not those of its training items"
        in copy.faults_of_only("normaliser")
    )


@pytest.mark.parametrize(
    ("sides", "whose"),
    [
        (("training", "test"), "training and test items"),
        (("training", "validation"), "training and validation items"),
        (("training", "validation", "test"), "all items"),
    ],
)
def test_a_normaliser_of_other_items_is_told_by_them(copy, sides, whose):
    record = copy.record()
    store = open_store(copy.corpus / "features" / record["store"])
    mean, variance = store.moments([item for side in sides for item in record["items"][side]]).scaling("per_bin")

    def leak(variables):
        variables["0"][...], variables["1"][...] = mean, variance

    copy.change_model(leak)

    assert copy.only_failure() == (
        "normaliser", f"instance 1, fold 1: the statistics of its model are those of {whose}, not those of its training items"
    )  # fmt: skip


def test_a_model_with_statistics_that_ought_to_have_none(copy):
    shutil.copy(copy.fold(1) / "model.keras", copy.fold(3) / "model.keras")
    copy.write_hashes(3)

    assert "instance 3, fold 1: normalization=per_clip, but its model has statistics" in copy.faults_of_only("normaliser")


def test_a_model_that_has_seen_a_tested_item(copy):
    item = copy.record()["items"]["test"][0]
    copy.edit(copy.fold(3) / "model.json", lambda content: content["seen_items"]["tones"].append(item))

    faults = copy.faults_of_only("earlier models")

    assert faults == f"instance 3, fold 1: its model, or one that it was made from, has seen the tested '{item}'"


def test_items_of_the_corpus_before_it_was_renamed_are_its_own(copy):
    item = copy.record()["items"]["test"][0]
    copy.edit(copy.fold(3) / "model.json", lambda content: content["seen_items"].update(former=[item]))
    assert copy.audit()["earlier models"].state == "ok"  # another corpus
    names = copy.corpus / "former_names.json"
    names.write_text(json.dumps({"names": ["former"]}))
    assert "has seen the tested" in copy.faults_of_only("earlier models")
    names.write_text("damaged")
    assert copy.audit()["earlier models"].state == "not checkable"


def test_a_model_that_was_trained_on_a_validation_item(copy):
    item = copy.record()["items"]["validation"][0]
    copy.edit(copy.fold(3) / "model.json", lambda content: content["trained_items"]["tones"].append(item))
    fault = f"instance 3, fold 1: its model, or one that it was made from, was trained on '{item}', which is in validation"
    assert copy.faults_of_only("earlier models") == fault


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"initial_model_items": "unknown"}, "initial_model (its training data are not known)"),
        ({"initial_model_items": "unknown", "initial_model_reason": "nobody knows"}, "initial_model (nobody knows)"),
        ({"models": [{"path": "a.keras", "leakage": "unknown", "leakage_reason": "nobody knows"}]}, "a.keras (nobody knows)"),
        ({"models": [{"path": "a.keras"}]}, "a.keras (its training data are not known)"),
    ],
)
def test_an_earlier_model_of_which_nothing_is_known(copy, change, reason):
    copy.edit(copy.fold(3) / "record.json", lambda record: record.update(change))

    verdict = copy.audit()["earlier models"]

    assert verdict.state == "not checkable"
    assert verdict.not_checkable == (f"instance 3, fold 1: pretrained part of unknown origin: {reason}",)


def test_an_initial_model_of_which_the_record_says_nothing(copy):
    path = copy.results / "instance_3" / "settings.json"
    copy.edit(path, lambda written: written["parameters"].update(initial_model="a.keras"))

    verdict = copy.audit()["earlier models"]

    assert verdict.state == "not checkable"
    reason = "pretrained part of unknown origin: initial_model a.keras (its training data are not known)"
    assert verdict.not_checkable == (f"instance 3, fold 1; instance 3, fold 2: {reason}",)
