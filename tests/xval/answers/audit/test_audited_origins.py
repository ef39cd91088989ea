"""Near-duplicates across the sides of a fold, and parts of models from elsewhere: leaked or unknown, never ok."""

import numpy as np
import pytest

from preprocessing import corpus
from preprocessing.clips.fingerprints import FILE_NAME as FINGERPRINTS
from preprocessing.clips.fingerprints import N_VALUES, Fingerprints, short_hashes, to_array, write_fingerprints
from xval.models.saved import provenance


def change_settings(copy, instance=3, **parameters):
    path = copy.results / f"instance_{instance}" / "settings.json"
    copy.edit(path, lambda written: written["parameters"].update(parameters))


def test_near_duplicates_on_two_sides_fail(copy):
    items = copy.record()["items"]
    tested, trained = items["test"][0], items["training"][0]
    copy.search_pairs([(f"{trained}_1.wav", trained, f"{tested}_2.wav", tested, 0.99)])

    faults = copy.faults_of_only("near-duplicates")

    assert f"fold 1: 1 tested clip nearly equal to one in training or validation: '{tested}_2.wav'" in faults


def test_near_duplicates_that_conditions_leave_out_do_not_count(copy):
    items = copy.record()["items"]
    tested, trained = items["test"][0], items["training"][0]
    copy.search_pairs([(f"{trained}_1.wav", trained, f"{tested}_2.wav", tested, 0.99)])
    for instance in copy.instances():
        change_settings(copy, instance, test_where=f"clip != '{tested}_2.wav' and clip != '{trained}_1.wav'")

    assert copy.audit()["near-duplicates"].state == "ok"


def test_where_near_duplicates_were_not_searched_the_rule_says_so(copy):
    (copy.corpus / "near_duplicates.csv").unlink()

    verdict = copy.audit()["near-duplicates"]

    assert verdict.state == "not checkable"
    assert verdict.not_checkable[0].startswith("not checked: its clips were not compared")


@pytest.mark.parametrize("rule", ["earlier models", "seen audio"])
def test_an_embedder_from_elsewhere_is_unknown(copy, rule):
    change_settings(copy, features="embedding", embedding_model="onnx:encoder.onnx")

    verdict = copy.audit()[rule]

    assert verdict.state == "not checkable"
    assert "pretrained part of unknown origin: onnx:encoder.onnx" in verdict.not_checkable[0]


def test_the_word_of_the_user_is_quoted_and_is_no_proof(copy):
    change_settings(copy, features="embedding", embedding_model="onnx:encoder.onnx", pretrained_on="AudioSet")

    verdicts = copy.audit()

    assert verdicts["earlier models"].state == "warning"
    assert "pretrained part onnx:encoder.onnx, trained as stated on AudioSet" in verdicts["earlier models"].warnings[0]
    assert verdicts["seen audio"].state == "not checkable"


def test_weights_that_build_has_from_elsewhere_are_named(copy):
    change_settings(copy, architecture="own.network")
    copy.edit(copy.fold(3) / "record.json", lambda record: record.update(outside_weights=["conv/kernel", "dense/kernel"]))
    copy.edit(copy.fold(3, 2) / "record.json", lambda record: record.update(outside_weights=[]))

    verdict = copy.audit()["earlier models"]

    assert len(verdict.not_checkable) == 1  # and fold 2 is fine
    assert "unknown origin: own.network, conv/kernel and 1 more weight (its build() gives" in verdict.not_checkable[0]


@pytest.fixture
def heard_again(copy):
    """Return the clip of instance 1, fold 1 that its model has heard in another form, as that of instance 2 has."""
    opened = corpus.open_corpus("tones", copy.data)
    hashes = short_hashes(opened.index["audio_hash"])
    rng = np.random.default_rng(0)
    values = rng.integers(-100, 100, (len(hashes), N_VALUES)).astype(np.int8)
    order = np.argsort(hashes)
    write_fingerprints(copy.corpus, Fingerprints(hashes[order], values[order]))
    item = copy.record()["items"]["test"][0]
    clip = opened.index["clip"][opened.index["item"] == item].iloc[0]
    other = np.uint64(1)  # of another corpus
    heard = Fingerprints(np.array([other]), values[[opened.index["clip"].tolist().index(clip)]])
    for instance in (1, 2):
        path = copy.fold(instance) / "seen_audio.npy"
        np.save(path, np.sort(np.append(np.load(path), other)))
        np.save(copy.fold(instance) / "seen_fingerprints.npy", to_array(heard))
    return clip


def test_a_tested_clip_that_was_heard_in_another_form(copy, heard_again, monkeypatch):
    compared = []
    find_alike = provenance.find_alike
    monkeypatch.setattr(provenance, "find_alike", lambda *prints: compared.append(prints) or find_alike(*prints))

    faults = copy.faults_of_only("seen audio").splitlines()

    said = f"its model was trained on another version of the tested clip '{heard_again}'"
    assert faults == [f"instance {instance}, fold 1: {said}" for instance in (1, 2)]
    assert len(compared) == 1  # both have heard the same

    for instance in (1, 2):
        (copy.fold(instance) / "seen_fingerprints.npy").unlink()
    verdict = copy.audit()["seen audio"]
    assert verdict.state == "not checkable"
    assert "it has no fingerprints of its training clips" in verdict.not_checkable[0]


def test_damaged_fingerprints_cannot_be_compared(copy, heard_again):
    (copy.corpus / FINGERPRINTS).write_bytes(b"damaged")

    verdict = copy.audit()["seen audio"]

    assert verdict.state == "not checkable"
    assert f"{FINGERPRINTS}: damaged" in verdict.not_checkable[0]
