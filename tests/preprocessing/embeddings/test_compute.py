"""Stores of embeddings: one for each set of weights, made part by part, and gone on with where a run was stopped."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from preprocessing.corpus import Corpus
from preprocessing.embeddings import compute
from preprocessing.store.make import make_store, store_folder


def test_other_weights_are_another_store_and_another_name_is_not(
    corpus: Corpus, settings: Callable[..., Any], write_onnx: Any
) -> None:
    first, _ = write_onnx("first.onnx")
    same, _ = write_onnx("same.onnx")
    same.with_name("moved").mkdir()
    same = same.rename(same.with_name("moved") / "first.onnx")
    other, _ = write_onnx("other.onnx", seed=1)
    folders = [store_folder(corpus, settings(f"onnx:{path}")) for path in (first, same, other)]
    assert folders[0] == folders[1] != folders[2]
    store, left_out = make_store(corpus, settings(f"onnx:{first}", embedding_layer="weighted"))
    assert left_out.empty
    assert store.example_shape == (6,)
    embedder = store.description.embedder
    assert embedder is not None
    assert (embedder.n_layers, embedder.n_values, embedder.sample_rate_hz) == (2, 3, 16000)
    assert embedder.seconds_per_hour > 0
    assert f"{embedder.seconds_per_hour:.3g} s per hour of audio on cpu" in embedder.describe()


def test_a_run_that_was_stopped_goes_on_where_it_was(
    corpus: Corpus, settings: Callable[..., Any], write_onnx: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = settings(f"onnx:{write_onnx()[0]}", embedding_pooling="none")
    monkeypatch.setattr(compute, "_CLIPS_OF_PART", 3)
    embedded: list[int] = []
    embed = compute.embed_pieces

    def count(waveforms: np.ndarray, *others: Any) -> np.ndarray:
        embedded.append(len(waveforms))
        return embed(waveforms, *others)

    monkeypatch.setattr(compute, "embed_pieces", count)

    def stop(done: int, _total: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_store(corpus, wanted, progress=stop)
    assert sum(embedded) == 6  # two parts of three
    folder = store_folder(corpus, wanted)
    parts = folder.parent / f".{folder.name}.parts"
    first, second = sorted(parts.iterdir())
    content = bytearray(first.read_bytes())
    content[content.index(b"PK\x01\x02") + 10] = 255  # how it is compressed
    first.write_bytes(content)  # both are damaged: embedded again
    second.write_bytes(second.read_bytes()[:50])
    make_store(corpus, wanted)
    assert sum(embedded) == 6 + 8
    assert not parts.exists()
    monkeypatch.setattr(compute, "_CLIPS_OF_PART", 256)
    folder.rename(folder.with_name("before"))
    again, _ = make_store(corpus, wanted)
    assert list(again.examples["clip"]) == list(corpus.index["clip"])
    np.testing.assert_array_equal(again.predictors(), np.load(folder.with_name("before") / "predictors.npy"))


def test_a_run_that_was_stopped_behind_its_last_part_says_the_same_of_the_embedder(
    corpus: Corpus, settings: Callable[..., Any], write_onnx: Any
) -> None:
    wanted = settings(f"onnx:{write_onnx()[0]}", embedding_layer="weighted")

    def stop(done: int, total: int) -> None:
        if done == total:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_store(corpus, wanted, progress=stop)
    embedder = make_store(corpus, wanted)[0].description.embedder
    assert embedder is not None
    assert (embedder.n_layers, embedder.n_values, embedder.device) == (2, 3, "cpu")


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"embedding_model": None}, "features=embedding needs embedding_model, such as wav2vec2-base"),
        ({"features": "logmel"}, "embedding_model=onnx:x has no effect without features=embedding"),
        ({"stretch_frames": 3}, "leaves no frames to stretch"),
        ({"crop_s": 1}, "works only on samples. Set features=waveform"),
    ],
)
def test_settings_that_contradict_an_embedding_are_refused(
    changes: dict[str, Any], match: str, settings: Callable[..., Any]
) -> None:
    with pytest.raises(ValidationError, match=match):
        settings("onnx:x", **changes)
