from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from preprocessing.features.feature_settings import FeatureSettings
from preprocessing.features.windows import make_examples
from xval.settings.classical import STATISTICS
from xval.training.classical.pooling import Pooling

SETTINGS = FeatureSettings(sample_rate_hz=8000, n_fft=256, win_length=200, hop_length=80)


def test_padding_changes_nothing():
    samples = np.random.default_rng(0).normal(scale=0.1, size=4000).astype(np.float32)
    alone, padded = (make_examples(samples, SETTINGS, n_samples) for n_samples in (4000, 9000))
    pooling = Pooling(STATISTICS, 3, SETTINGS)

    found = [pooling.pool(each.predictors, each.end_s - each.start_s) for each in (alone, padded)]

    assert found[0].shape == (1, len(STATISTICS) * 3 * SETTINGS.n_mels)
    # The last two frames hear samples behind the end, which are mirrored there without padding.
    np.testing.assert_allclose(found[0], found[1], rtol=0.2, atol=4)
    longer = replace(pooling, settings=None).pool(padded.predictors, padded.end_s)
    assert np.abs(longer - found[0]).max() > 10


def test_statistics_and_parts_stand_in_their_order():
    frames = np.arange(12, dtype=np.float32).reshape(1, 6, 2) ** 2

    found = Pooling(("mean", "maximum", "delta_mean"), 2, None).pool(frames, np.array([np.nan]))[0]

    first, second = frames[0, :3], frames[0, 3:]
    wanted = [each for part in (first, second) for each in (part.mean(0), part.max(0), np.diff(part, axis=0).mean(0))]
    np.testing.assert_allclose(found, np.concatenate(wanted), rtol=1e-6)


@pytest.mark.parametrize("shape", [(4, 7), (4, 1, 7)])
def test_a_vector_is_read_as_it_is_and_a_single_frame_fills_every_part(shape):
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)

    found = Pooling(("mean",), 3, None).pool(values, np.ones(4))

    np.testing.assert_allclose(found, values if len(shape) == 2 else np.tile(values[:, 0], 3))


def test_vectors_of_an_item_are_scaled_by_its_clips_and_copies_do_not_count():
    rng = np.random.default_rng(0)
    frames = rng.normal(size=(20, 9, 3)).astype(np.float32) * np.repeat([1, 5], 10)[:, None, None]
    items, augmented = np.repeat(["quiet", "loud"], 10), np.tile(np.arange(10) >= 8, 2)
    table = pd.DataFrame({"item": items, "augmented": augmented, "start_s": 0.0, "end_s": 1.0})

    class Examples(SimpleNamespace):
        def __len__(self):
            return len(self.table)

    examples = Examples(table=table, predictors=lambda rows: frames[rows])
    pooling = Pooling(("mean", "maximum"), 2, None)
    plain = pooling.pool_examples(examples)
    scaled = replace(pooling, scales_pooled=True).pool_examples(examples)

    for item in ("quiet", "loud"):
        originals = plain[(items == item) & ~augmented]
        wanted = (plain[items == item] - originals.mean(axis=0)) / originals.std(axis=0)
        np.testing.assert_allclose(scaled[items == item], wanted, rtol=1e-4, atol=1e-4)
