"""Files beside a model that no experiment writes: model.json, seen_audio.npy and whatever is read as JSON."""

import json
import os
import pickle
import struct

import keras
import numpy as np
import pytest

from xval.base.errors import ResultsError, UnsafeModelError
from xval.base.json_files import read_json
from xval.base.size_limits import LARGEST_TEXT_BYTES
from xval.models.saved.description import check_description, read_description
from xval.models.saved.load import read_keras_model
from xval.models.saved.provenance import Provenance

DEEP = b'{"a":' + b"[" * 200_000


@pytest.fixture
def describe(tmp_path, make_description):
    """Return a function that writes a model.json with some changes, and gives the path of its model."""
    audio = {"features": "logmel", "n_mels": 40}

    def write(features=None, **changes):
        described = make_description(audio | (features or {}), **{"clip_samples": 16000} | changes)
        (tmp_path / "model.json").write_text(json.dumps(described))
        return tmp_path / "model.keras"

    return write


def test_a_good_description_is_read(trap, describe):
    assert read_description(describe()).class_names == ("a", "b")


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "not readable as JSON"),
        (b"\x80\x04\x95", "not readable as JSON"),
        (DEEP, "nested too deeply"),
        (b"[]", "not a JSON object"),
        (b'{"format_version": "9"}', "format_version is damaged; received '9'; expected 1"),
        (b'{"format_version": null}', "format_version is damaged; received None; expected 1"),
        (b'{"format_version": 99}', "newer version of xval; received format_version 99; expected 1. Update"),
        (b'{"a": ' + b"1" * 5000 + b"}", "not readable as JSON"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_json_that_is_no_file_of_results_is_refused(trap, tmp_path, tiny_parts, write_model, content, match):
    path = tmp_path / "model.json"
    path.write_bytes(content)

    with pytest.raises(ResultsError, match=match):
        read_json(path)
    with pytest.raises(ResultsError, match=match):
        read_keras_model(write_model(tiny_parts))


def test_json_that_is_too_large_is_not_read_to_its_end(trap, tmp_path):
    path = tmp_path / "model.json"
    path.touch()
    os.truncate(path, LARGEST_TEXT_BYTES + 1)
    with pytest.raises(ResultsError, match="larger than 268435456 bytes"):
        read_json(path)


@pytest.mark.parametrize(
    ("features", "changes", "match"),
    [
        ({"n_fft": 10**12}, {}, "n_mels times the bins of n_fft is 2e"),
        ({"n_mels": 10**9}, {}, "n_mels times the bins of n_fft"),
        ({"sample_rate_hz": 10**12}, {}, "length of an example in samples"),
        ({"stretch_frames": 10**12, "clip_length_s": None, "example_length_s": None}, {}, "stretch_frames times"),
        ({"clip_length_s": 1e12}, {}, "length of an example in samples"),
        ({"n_fft": "many"}, {}, "feature_settings.n_fft"),
        ({"top_db": float("nan")}, {}, "feature_settings.top_db"),
        ({}, {"clip_samples": 10**12}, "length of an example in samples"),
        ({}, {"clip_samples": -1}, "clip_samples"),
        ({}, {"example_s": 1e12}, "length of an example in samples"),
        ({}, {"example_s": float("inf")}, "example_s"),
        ({}, {"example_s": float("nan")}, "example_s"),
        ({}, {"class_names": "ab"}, "class_names"),
        ({}, {"class_names": [1, 2]}, "class_names"),
        ({}, {"class_names": ["a", "a"]}, "the name 'a' is there 2 times"),
        ({}, {"class_names": ["a" * 10_000, "b"]}, "has 10000 characters"),
        ({}, {"class_names": ["\x1b[2J", "b"]}, "has control characters"),
        ({}, {"architecture": ["mlp"]}, "architecture"),
        ({}, {"backend": "pickle"}, "backend"),
        ({}, {"seen_items": ["s1"]}, "seen_items"),
        ({}, {"task_type": "multilabel_classification"}, "thresholds do not match the labels"),
        ({}, {"task_type": "multilabel_classification", "thresholds": {"zz": 0.5}}, "thresholds do not match the labels"),
        ({}, {"thresholds": {"a": 1e9}}, "thresholds.a"),
        (
            {"features": "waveform"},
            {"task_type": "frame_classification", "label_form": "multi_label", "label_frame_s": 1.0, "sequence_frames": 10**12}
            | {"event_threshold": 0.5, "event_median_frames": 1, "event_min_duration_s": 0, "segment_s": 1.0}
            | {"frame_overlap": 0.5, "annotation_policy": "union"},
            "length of an example in samples",
        ),
    ],
    ids=lambda value: str(value)[:50],
)
def test_a_description_that_asks_for_too_much_or_is_none_is_refused(trap, describe, features, changes, match):
    with pytest.raises(ResultsError, match=rf"model\.json: does not describe a model .*{match}"):
        read_description(describe(features, **changes))


@pytest.fixture
def model():
    inputs = keras.Input((50, 40))
    return keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(inputs)))


def test_a_description_of_the_model_agrees(trap, describe, model):
    path = describe()
    check_description(model, read_description(path), path)
    check_description(model, read_description(describe({"n_mels": 64}, is_custom=True)), path)


@pytest.mark.parametrize(
    ("features", "changes", "match"),
    [
        (
            {},
            {"class_names": ["a", "b", "c"]},
            r"model\.json: names 3 outputs, but model\.keras has 2\. It belongs to another model",
        ),
        ({}, {"task_type": "regression", "class_names": [], "target_names": ["x"]}, "names 1 outputs, but .* has 2"),
        ({"n_mels": 64}, {}, r"features have shape \(None, 64\) \(None: any\), but model\.keras reads \(50, 40\)"),
        ({"features": "mfcc", "n_mfcc": 13}, {}, r"features have shape \(None, 13\)"),
        ({"features": "stft"}, {}, r"features have shape \(None, \d+\)"),
        ({"features": "waveform"}, {}, r"features have shape \(None,\)"),
    ],
    ids=str,
)
def test_a_description_of_another_model_is_refused(trap, describe, model, features, changes, match):
    path = describe(features, **changes)
    with pytest.raises(UnsafeModelError, match=match):
        check_description(model, read_description(path), path)


def npy(descr, shape, content=b""):
    header = f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + content


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (npy("<u8", "(10**12,)"), "damaged"),
        (npy("<u8", f"({10**12},)"), "announces 8000000000000 bytes, but 0 follow"),
        (npy("<u8", "(3,)", bytes(8)), "announces 24 bytes, but 8 follow"),
        (npy("<u8", "(1,)", bytes(800)), "announces 8 bytes, but 800 follow"),
        (npy("<u8", "(-1,)"), "announces -8 bytes"),
        (npy("<u8", "(1, 2)", bytes(16)), r"holds uint64 \(1, 2\); expected uint64 \(n_clips,\)"),
        (npy("<f4", "(1,)", bytes(4)), "holds float32"),
        (b"\x93NUMPY\x09\x00", "form"),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\x7f", "damaged"),
        (b"PK\x03\x04", "damaged"),
        (b"", "damaged"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_hashes_of_audio_that_are_none_are_refused(trap, tmp_path, content, match):
    (tmp_path / "seen_audio.npy").write_bytes(content)
    with pytest.raises(ResultsError, match=match):
        _ = Provenance(tmp_path / "model.keras").audio


def test_pickled_hashes_are_refused(trap, tmp_path, payload):
    path = tmp_path / "seen_audio.npy"
    np.save(path, np.array([payload(trap)], dtype=object), allow_pickle=True)
    with pytest.raises(ResultsError, match="contains Python objects"):
        _ = Provenance(tmp_path / "model.keras").audio
    path.write_bytes(pickle.dumps(payload(trap)))
    with pytest.raises(ResultsError, match="damaged"):
        _ = Provenance(tmp_path / "model.keras").audio


def test_good_hashes_are_read(trap, tmp_path):
    np.save(tmp_path / "seen_audio.npy", np.array([1, 2], np.uint64))
    assert Provenance(tmp_path / "model.keras").audio.tolist() == [1, 2]


@pytest.mark.parametrize("change", [(b"}", b"{"), (b"'descr'", b"'descr "), (b"(2,)", b"(2,]")])
def test_hashes_with_a_damaged_header_are_refused(tmp_path, change):
    path = tmp_path / "seen_audio.npy"
    np.save(path, np.arange(2, dtype=np.uint64))
    assert Provenance(path).audio.tolist() == [0, 1]
    path.write_bytes(path.read_bytes().replace(*change))

    with pytest.raises(ResultsError, match=r"seen_audio\.npy: damaged"):
        _ = Provenance(path).audio
