"""A store that is not what was written is refused before anything is trained on it."""

import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from preprocessing.store import FeatureStore, checksums, write
from preprocessing.store.checksums import CHECKSUMS_NAME, find_damage, refuse_damage
from xval.base.errors import CorpusError
from xval.experiment import feature_stores
from xval.experiment.feature_stores import check_store


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    rng = np.random.default_rng(0)
    x = {item: rng.normal(size=(5, 4)) for item in ("a", "../B")}
    return write("toy", x, {item: ["x", "y", "x", "y", "x"] for item in x}, data_folder=tmp_path)


def test_a_flipped_bit_anywhere_is_found_and_its_file_named(store: FeatureStore) -> None:
    assert find_damage(store.folder) == []
    files = [path for path in sorted(store.folder.rglob("*")) if path.is_file() and path.name != "left_out.csv"]
    assert len(files) == 6  # both arrays, store.json, examples.parquet, moments.npz, checksums.json
    rng = np.random.default_rng(1)
    for path in files:
        whole = path.read_bytes()
        for place in (0, len(whole) - 1, *rng.integers(0, len(whole), 8)):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << int(rng.integers(8))
            path.write_bytes(damaged)
            faults = find_damage(store.folder)
            if path.name != CHECKSUMS_NAME:
                assert faults == [f"{path}: changed since it was written (another checksum)"]
            else:
                assert faults != [] or json.loads(damaged)["crc32"] == json.loads(whole)["crc32"]
        path.unlink()
        assert find_damage(store.folder) == (None if path.name == CHECKSUMS_NAME else [f"{path}: missing"])
        path.write_bytes(whole)
    assert find_damage(store.folder) == []


def test_a_run_refuses_a_damaged_store_and_says_how_to_make_it_again(
    store: FeatureStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = store.folder / "predictors.npy"
    path.write_bytes(path.read_bytes()[:-1] + b"\x00")
    with pytest.raises(CorpusError, match=r"predictors\.npy: changed since it was written.* Run the script that writes it"):
        check_store(store, Console(quiet=True))

    monkeypatch.setattr(feature_stores, "MOST_CHECKED_MB", 0)
    check_store(store, Console(soft_wrap=True))
    assert "too large to be checked for damage in each run. To check it: xval audit" in capsys.readouterr().out


def test_a_store_of_an_earlier_version_gets_checksums_unless_it_holds_nan(store: FeatureStore) -> None:
    (store.folder / CHECKSUMS_NAME).unlink()
    assert (
        str(refuse_damage(store.folder))
        == f"An earlier version of xval made {store.folder} without checksums, so they are stored now."
    )
    assert refuse_damage(store.folder) is None

    values = np.array(store.predictors())
    values[2, 1] = np.nan
    np.save(store.folder / "predictors.npy", values)
    (store.folder / CHECKSUMS_NAME).unlink()
    with pytest.raises(CorpusError, match=r"predictors\.npy: row 2 has NaN or infinite numbers"):
        refuse_damage(store.folder)
    assert not (store.folder / CHECKSUMS_NAME).exists()


@pytest.mark.parametrize("name", ["../../x", "/etc/passwd", "predictors.npy/../../x", "other.npy"])
def test_checksums_from_elsewhere_make_no_other_file_be_read(store: FeatureStore, name: str) -> None:
    (store.folder / CHECKSUMS_NAME).write_text(json.dumps({"crc32": {name: ["00000000"]}}))
    assert find_damage(store.folder) == [f"{store.folder / CHECKSUMS_NAME}: damaged, names {name!a}"]


def test_damage_behind_the_first_block_of_a_large_file_is_found(store: FeatureStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checksums, "_BLOCK_BYTES", 64)
    monkeypatch.setattr(checksums, "_CHUNK_BYTES", 16)
    checksums.write_checksums(store.folder)
    assert find_damage(store.folder) == []
    path = store.folder / "predictors.npy"
    whole = path.read_bytes()
    assert len(whole) > 4 * 64
    for damaged in (whole[:200] + b"\xff" + whole[201:], whole[:-64], whole + bytes(64), whole[:-1], whole + b"\x00", b""):
        path.write_bytes(damaged)
        assert find_damage(store.folder) == [f"{path}: changed since it was written (another checksum)"]
