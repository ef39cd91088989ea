"""Weights that no experiment saves: each file is refused for its reason, and nothing outside it is read."""

import io
import zipfile

import h5py
import keras
import numpy as np
import pytest

from xval.base.errors import UnsafeModelError
from xval.models.saved.load import read_keras_model

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")

WEIGHTS = "model.weights.h5"
KERNEL = "layers/dense/vars/0"
NAN_BFLOAT16, INFINITE_BFLOAT16 = 0x7FC0, 0xFF80


@pytest.fixture
def refused(trap, tiny_parts, write_model):
    """Return a function that changes the weights of a model, and asserts that it is refused for a reason."""

    def check(change, match):
        file = io.BytesIO(tiny_parts[WEIGHTS])
        with h5py.File(file, "r+") as weights:
            change(weights)
        path = write_model(tiny_parts | {WEIGHTS: file.getvalue()})
        with pytest.raises(UnsafeModelError, match=match):
            read_keras_model(path)

    return check


def put(**options):
    """Return a change that puts another dataset in the place of the kernel."""

    def change(weights):
        del weights[KERNEL]
        weights.create_dataset(KERNEL, **options)

    return change


def link(place, target):
    def change(weights):
        if place in weights:
            del weights[place]
        weights[place] = target

    return change


def fill(place, position, value):
    def change(weights):
        weights[place][position] = value

    return change


@pytest.mark.parametrize("place", [KERNEL, "layers/dense/vars", "layers", "unused"])
def test_links_out_of_the_file_are_refused(refused, place, tmp_path):
    with h5py.File(tmp_path / "elsewhere.h5", "w") as elsewhere:
        elsewhere["secret"] = np.ones((3, 2), np.float32)

    refused(link(place, h5py.ExternalLink(str(tmp_path / "elsewhere.h5"), "secret")), r"is a link to .*\(ExternalLink\)")


def test_soft_links_are_refused(refused):
    refused(link(KERNEL, h5py.SoftLink("/layers/dense/vars/1")), r"/layers/dense/vars/0 is a link to '/layers/dense/vars/1'")


def test_weights_in_another_file_are_refused(refused, tmp_path):
    (tmp_path / "elsewhere.h5").write_bytes(bytes(24))

    refused(put(shape=(3, 2), dtype="f4", external=[(str(tmp_path / "elsewhere.h5"), 0, 24)]), r"is stored in another file")


def test_virtual_datasets_are_refused(refused, tmp_path):
    with h5py.File(tmp_path / "elsewhere.h5", "w") as elsewhere:
        elsewhere["secret"] = np.ones((3, 2), np.float32)

    def change(weights):
        del weights[KERNEL]
        layout = h5py.VirtualLayout((3, 2), "f4")
        layout[:] = h5py.VirtualSource(str(tmp_path / "elsewhere.h5"), "secret", (3, 2))
        weights.create_virtual_dataset(KERNEL, layout)

    refused(change, "made of the datasets of other files")


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"shape": (10**6, 10**6), "dtype": "f4"}, r"declares 4000000000000 bytes, but stores 0"),
        ({"shape": (10**6, 10**6), "dtype": "f4", "chunks": (100, 100)}, "stored in pieces or compressed"),
        ({"data": np.zeros((4000, 1000), "f4"), "compression": "gzip"}, "stored in pieces or compressed"),
        ({"data": "text"}, "holds object; expected numbers"),
        ({"data": b"bytes"}, r"holds \|S5; expected numbers|holds object"),
        ({"shape": (2,), "dtype": h5py.ref_dtype}, "holds object; expected numbers"),
        ({"shape": (2,), "dtype": h5py.vlen_dtype(np.int32)}, "holds object; expected numbers"),
        ({"data": np.zeros(2, [("a", "f4"), ("b", "i8")])}, "expected numbers"),
        ({"data": np.zeros(2, "V2")}, r"holds \|V2; expected numbers"),
        ({"data": h5py.Empty("f4")}, "expected numbers"),
        ({"data": np.ones((3, 2), "c8")}, "holds complex64; expected numbers"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_datasets_that_keras_does_not_write_are_refused(refused, options, match):
    refused(put(**options), f"{KERNEL} .*{match}|{match}")


def test_many_datasets_of_the_same_bytes_are_refused(refused):
    def change(weights):
        weights["layers/dense/vars/2"] = np.ones((100, 100))
        weights["layers/dense/vars/3"] = weights["layers/dense/vars/2"]

    refused(change, r"vars/3 and those before it declare \d+ bytes; the file has \d+")


def test_groups_that_hold_each_other_are_refused(refused):
    def change(weights):
        weights["layers/dense/again"] = weights["layers"]

    refused(change, "groups that hold each other")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_weights_that_are_no_numbers_are_refused(refused, value):
    refused(fill(KERNEL, (2, 1), value), "/layers/dense/vars/0 holds NaN or infinite numbers: its training diverged")


def test_a_single_value_that_is_nan_is_found(refused):
    refused(put(data=np.float64(np.nan)), "holds NaN or infinite numbers")


@pytest.mark.parametrize("content", [b"", b"no HDF5", b"\x89HDF\r\n\x1a\n" + bytes(500)])
def test_what_is_no_hdf5_is_refused(trap, tiny_parts, write_model, content):
    with pytest.raises(UnsafeModelError, match="its weights are damaged"):
        read_keras_model(write_model(tiny_parts | {WEIGHTS: content}))


def test_truncated_weights_are_refused(trap, tiny_parts, write_model):
    with pytest.raises(UnsafeModelError, match="its weights are damaged"):
        read_keras_model(write_model(tiny_parts | {WEIGHTS: tiny_parts[WEIGHTS][:-500]}))


@pytest.mark.parametrize(
    "change", [put(data=np.ones((2, 3), "f4")), lambda weights: weights.pop("layers/dense"), lambda weights: weights.clear()]
)
def test_weights_that_do_not_fit_the_layers_are_refused(refused, change):
    refused(change, "do not match|layers need 8 weights")


@pytest.fixture
def bfloat16_model(tmp_path):
    policy = keras.DTypePolicy("bfloat16")
    layers = [keras.Input((3,)), keras.layers.Dense(2, dtype=policy), keras.layers.Dropout(0.5)]
    path = tmp_path / "model.keras"
    keras.Sequential(layers).save(path)
    return path


def test_weights_of_half_precision_load(trap, bfloat16_model):
    (kernel, _) = read_keras_model(bfloat16_model).get_weights()
    assert str(kernel.dtype) == "bfloat16"
    np.testing.assert_array_equal(kernel, keras.saving.load_model(bfloat16_model).get_weights()[0])


@pytest.mark.parametrize("bits", [NAN_BFLOAT16, INFINITE_BFLOAT16])
def test_weights_of_half_precision_that_are_no_numbers_are_refused(trap, bfloat16_model, write_model, bits):
    with zipfile.ZipFile(bfloat16_model) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    file = io.BytesIO(parts[WEIGHTS])
    with h5py.File(file, "r+") as weights:
        weights[KERNEL][1, 1] = np.array(bits, np.uint16).view("V2")
    with pytest.raises(UnsafeModelError, match="holds NaN or infinite numbers"):
        read_keras_model(write_model(parts | {WEIGHTS: file.getvalue()}))
