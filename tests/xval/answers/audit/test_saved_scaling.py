"""The mean and variance in a .keras file, and files that are none or that nobody should trust."""

import io
import json
import zipfile

import h5py
import numpy as np
import pytest

from xval.answers.audit.evidence import NotCheckableError
from xval.answers.audit.saved_scaling import read_scaling

MEAN, VARIANCE = np.array([1.0, 2.0]), np.array([3.0, 4.0])
LAYER = {"class_name": "BatchNormalization", "config": {"name": "normalization", "center": False, "scale": False}}


def write(path, *, layers=(LAYER,), change=None, config=None):
    """Write a .keras file as Keras does, as far as the normalisation needs it."""
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        variables = file.create_group("layers/batch_normalization/vars")
        variables["0"], variables["1"] = MEAN.astype(np.float32), VARIANCE.astype(np.float32)
        if change:
            change(file, variables)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("config.json", json.dumps({"config": {"layers": layers}}) if config is None else config)
        archive.writestr("model.weights.h5", weights.getvalue())
    return path


def test_a_real_model_of_keras(tmp_path):
    keras = pytest.importorskip("keras")
    before = keras.layers.BatchNormalization(name="before")
    layer = keras.layers.BatchNormalization(center=False, scale=False, name="normalization")
    inputs = keras.Input((3, 2))
    model = keras.Model(inputs, keras.layers.Dense(1)(layer(before(inputs))))
    layer.set_weights([MEAN, VARIANCE])
    model.save(tmp_path / "m.keras")

    mean, variance = read_scaling(tmp_path / "m.keras")

    assert (mean.tolist(), variance.tolist()) == (MEAN.tolist(), VARIANCE.tolist())


@pytest.mark.parametrize("layers", [(), ({"class_name": "LayerNormalization", "config": {"name": "normalization"}},)])
def test_models_without_statistics(tmp_path, layers):
    assert read_scaling(write(tmp_path / "m.keras", layers=layers)) is None


def _outside(tmp_path):
    with h5py.File(tmp_path / "other.h5", "w") as other:
        other["secret"] = MEAN

    def change(file, variables):
        del variables["0"]
        variables["0"] = h5py.ExternalLink(str(tmp_path / "other.h5"), "secret")

    return change


def _soft(tmp_path):
    def change(file, variables):
        del variables["0"]
        variables["0"] = h5py.SoftLink("/layers/batch_normalization/vars/1")

    return change


def _external_storage(tmp_path):
    (tmp_path / "raw.bin").write_bytes(bytes(16))

    def change(file, variables):
        del variables["0"]
        variables.create_dataset("0", (2,), "f8", external=[(str(tmp_path / "raw.bin"), 0, 16)])

    return change


def _replaced_by(**options):
    def of(tmp_path):
        def change(file, variables):
            del variables["0"]
            variables.create_dataset("0", **options)

        return change

    return of


@pytest.mark.parametrize(
    "damage",
    [
        _outside,
        _soft,
        _external_storage,
        _replaced_by(shape=(10**9,), dtype="f4"),
        _replaced_by(shape=(2,), dtype="f4", chunks=(2,), compression="gzip"),
        _replaced_by(data="text"),
        _replaced_by(data=np.zeros((2, 2), np.float32)),
        _replaced_by(data=np.zeros(3, np.float32)),
    ],
)
def test_weights_that_are_no_plain_numbers_of_the_file_are_refused(tmp_path, damage):
    path = write(tmp_path / "m.keras", change=damage(tmp_path))

    with pytest.raises(NotCheckableError, match=r"m\.keras is damaged"):
        read_scaling(path)


def test_a_config_larger_than_any_is_not_read_to_its_end(tmp_path):
    path = write(tmp_path / "m.keras", config=b" " * (257 * 2**20))

    with pytest.raises(
        NotCheckableError, match=r"^m\.keras: not loaded, because its member 'config\.json' declares 269484032 bytes"
    ):
        read_scaling(path)


@pytest.mark.parametrize("config", ["[]", "{}", "no json", "[" * 100_000])
def test_a_config_of_something_else_is_refused(tmp_path, config):
    with pytest.raises(NotCheckableError, match=r"m\.keras is damaged"):
        read_scaling(write(tmp_path / "m.keras", config=config))


def test_what_is_no_archive_is_refused(tmp_path):
    path = tmp_path / "m.keras"
    path.write_bytes(b"\x80\x04pickle")
    with pytest.raises(NotCheckableError, match=r"m\.keras: not loaded, because it is a pickle"):
        read_scaling(path)

    whole = write(path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(NotCheckableError, match=r"m\.keras: not loaded, because its zip archive is cut short"):
        read_scaling(path)

    path.unlink()
    with pytest.raises(NotCheckableError, match=r"m\.keras is missing"):
        read_scaling(path)
