import keras
import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="module")
def fold(save_untrained):
    return save_untrained.save(example_length_s=0.1)


def columns(table):
    return table.filter(regex="^embedding_")


def test_each_file_has_the_mean_of_its_windows(command, fold, save_untrained, tmp_path):
    files = [save_untrained.audio / "0_0.wav", save_untrained.audio / "0_1.wav"]

    assert command("embed", fold, *files, "--output", tmp_path / "files.parquet").code == 0
    assert command("embed", fold, *files, "--examples", "--output", tmp_path / "windows.parquet").code == 0

    whole, windows = (pd.read_parquet(tmp_path / f"{name}.parquet") for name in ("files", "windows"))
    assert whole["path"].tolist() == list(map(str, files))
    assert len(windows) > 2
    means = columns(windows).groupby(windows["path"], sort=False).mean()
    np.testing.assert_allclose(columns(whole), means, atol=1e-6)


def test_layers_are_counted_or_named(command, fold, save_untrained, tmp_path):
    saved = keras.saving.load_model(fold / "model.keras")
    network = next(layer for layer in saved.layers if hasattr(layer, "layers") and layer.layers)
    audio, output = save_untrained.audio / "0_0.wav", tmp_path / "e.parquet"
    sizes = {}
    for option in (["--layers-dropped", "0"], [], ["--layers-dropped", "2"], ["--layer", network.layers[1].name]):
        assert command("embed", fold, audio, "--output", output, *option).code == 0
        sizes[" ".join(option[:2])] = columns(pd.read_parquet(output)).shape[1]
    assert sizes["--layers-dropped 0"] == 2
    assert sizes[""] > 2

    ended = command("embed", fold, audio, "--layer", "nosuch")
    assert ended.code == 2
    assert "layer 'nosuch'" in ended.err
    assert network.layers[1].name in ended.err


def test_an_ensemble_has_no_embeddings(command, save_untrained, tmp_path):
    import shutil

    for number in (1, 2):
        shutil.copytree(save_untrained.save(number), tmp_path / f"fold_{number}")

    ended = command("embed", tmp_path, save_untrained.audio)

    assert ended.code == 2
    assert "embeddings of different folds are not comparable. Give one model" in ended.err


@pytest.mark.parametrize("name", ["e.csv", "nowhere/e.npy"])
def test_other_outputs_are_refused_before_a_model_is_loaded(command, name):
    ended = command("embed", "no_model", "a.wav", "--output", name)

    assert ended.code == 2
    assert f"--output {name}: expected a file that ends in .parquet or .npy" in ended.err
