"""Files that no experiment writes, in the place of model.skops."""

import io
import pickle
import zipfile

import numpy as np
import pytest
import skops.io
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import SVC

from xval.base.errors import ResultsError, UnsafeModelError
from xval.training.classical.pipeline_file import load_pipeline


@pytest.fixture
def parts():
    fitted = Pipeline([("scaler", StandardScaler()), ("last", Ridge())])
    fitted.fit(np.random.default_rng(0).normal(size=(5, 3)), np.arange(5))
    with zipfile.ZipFile(io.BytesIO(skops.io.dumps(fitted))) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def write(tmp_path):
    def write_archive(parts, compression=zipfile.ZIP_STORED):
        with zipfile.ZipFile(tmp_path / "model.skops", "w", compression) as archive:
            for name, content in parts.items():
                archive.writestr(name, content)
        return tmp_path / "model.skops"

    return write_archive


def array_of(parts):
    """Return the name of an array among the members."""
    return next(name for name in parts if name.endswith(".npy"))


def test_a_good_pipeline_is_loaded(parts, write):
    np.testing.assert_array_equal(load_pipeline(write(parts)).named_steps["scaler"].n_samples_seen_, 5)


def test_a_pickle_is_refused(tmp_path, payload):
    path = tmp_path / "model.skops"
    path.write_bytes(pickle.dumps(payload(tmp_path / "marker")))
    with pytest.raises(UnsafeModelError, match="it is a pickle, which runs code"):
        load_pipeline(path)
    assert not (tmp_path / "marker").exists()


def test_a_pickled_array_is_refused(parts, write, tmp_path, payload):
    file = io.BytesIO()
    np.save(file, np.array([payload(tmp_path / "marker")], dtype=object), allow_pickle=True)
    with pytest.raises(ResultsError, match="contains Python objects"):
        load_pipeline(write(parts | {array_of(parts): file.getvalue()}))
    assert not (tmp_path / "marker").exists()


@pytest.mark.parametrize("name", ["../escaped.npy", "/escaped.npy", "1.pkl", "run.py", "1.npz"])
def test_members_of_other_names_are_refused(parts, write, name, tmp_path):
    with pytest.raises(UnsafeModelError, match=r"has a path outside the archive|does not belong in such a file"):
        load_pipeline(write(parts | {name: b"payload"}))
    assert not (tmp_path.parent / "escaped.npy").exists()


def test_a_bomb_is_not_unpacked(parts, write, monkeypatch):
    monkeypatch.setattr("xval.base.size_limits._UNCHECKED_BYTES", 1 << 20)
    with pytest.raises(UnsafeModelError, match=r"unpacks to .* a zip bomb"):
        load_pipeline(write(parts | {array_of(parts): bytes(15 << 20)}, compression=zipfile.ZIP_DEFLATED))


def test_an_array_that_announces_terabytes_is_refused(parts, write):
    name = array_of(parts)
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f8", "fortran_order": False, "shape": (10**12,)})
    with pytest.raises(ResultsError, match="announces 8000000000000 bytes, but 8 follow"):
        load_pipeline(write(parts | {name: header.getvalue() + bytes(8)}))


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    path = tmp_path / "model.skops"
    with path.open("wb") as file:
        file.truncate((8 << 30) + 1)  # of holes, which take no room on the disk
    with pytest.raises(UnsafeModelError, match="larger than 8589934592 bytes"):
        load_pipeline(path)


@pytest.mark.parametrize("content", [b"", b"{", b"[" * 200_000, b"[]", b"{}"], ids=["empty", "cut", "deep", "list", "nothing"])
def test_a_schema_that_is_none_is_refused(parts, write, content):
    with pytest.raises(ResultsError, match="missing or damaged"):
        load_pipeline(write(parts | {"schema.json": content}))


def test_functions_of_python_are_refused(tmp_path):
    path = tmp_path / "model.skops"
    skops.io.dump(Pipeline([("any", FunctionTransformer(eval))]), path)
    with pytest.raises(ResultsError, match="has parts that no classifier of xval has"):
        load_pipeline(path)


def fitted_on_noise(estimator):
    features = np.random.default_rng(0).normal(size=(60, 3))
    return Pipeline([("scaler", StandardScaler()), ("last", estimator)]).fit(features, np.arange(60) % 3)


@pytest.mark.parametrize(
    ("field", "value"), [("left", 10_000), ("right", 0), ("feature_idx", 3), ("feature_idx", -1), ("is_categorical", 1)]
)
def test_a_boosted_tree_that_points_outside_is_refused(tmp_path, field, value):
    pipeline = fitted_on_noise(HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=5, early_stopping=False))
    path = tmp_path / "model.skops"
    skops.io.dump(pipeline, path)
    assert load_pipeline(path)[-1].n_iter_ == 2

    pipeline[-1]._predictors[1][2].nodes[field][0] = value
    skops.io.dump(pipeline, path)
    with pytest.raises(ResultsError, match="a tree of its boosting points at nodes or features that do not exist"):
        load_pipeline(path)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("_n_support", lambda counts: counts * 1000),
        ("support_vectors_", lambda vectors: vectors[:, :1].copy()),
        ("_dual_coef_", lambda weights: weights[:, :3].copy()),
        ("_intercept_", lambda values: values[:1].copy()),
        ("kernel", lambda _: "precomputed"),
    ],
)
def test_an_svm_whose_arrays_do_not_fit_each_other_is_refused(tmp_path, name, change):
    pipeline = fitted_on_noise(SVC())
    path = tmp_path / "model.skops"
    skops.io.dump(pipeline, path)
    load_pipeline(path)

    setattr(pipeline[-1], name, change(getattr(pipeline[-1], name)))
    skops.io.dump(pipeline, path)
    with pytest.raises(ResultsError, match="the arrays of its SVM do not fit each other"):
        load_pipeline(path)


def test_another_estimator_than_those_of_xval_is_refused(tmp_path):
    path = tmp_path / "model.skops"
    skops.io.dump(fitted_on_noise(StandardScaler()), path)
    with pytest.raises(ResultsError, match="StandardScaler is not an estimator of xval"):
        load_pipeline(path)
