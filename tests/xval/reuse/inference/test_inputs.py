from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.features.feature_settings import FeatureSettings
from xval.reuse.inference.inputs import clip_inputs, cut_stream


def in_blocks(samples, sizes):
    """Return samples in blocks of these sizes, over and over."""
    blocks, first, turn = [], 0, 0
    while first < samples.size:
        size = sizes[turn % len(sizes)]
        blocks.append(samples[first : first + size])
        first, turn = first + size, turn + 1
    return blocks


@given(
    n=st.integers(0, 60),
    length=st.integers(1, 12),
    step=st.integers(1, 12),
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=4),
    moved_back=st.booleans(),
)
def test_segments_do_not_depend_on_the_blocks(n, length, step, sizes, moved_back):
    samples = np.arange(n, dtype=np.float32)

    found = list(cut_stream(in_blocks(samples, sizes), length, step, moved_back=moved_back))

    for first, segment in found:
        np.testing.assert_array_equal(segment, samples[first : first + segment.size])
    starts = [first for first, _ in found]
    whole = list(range(0, n - length + 1, step))
    assert starts[: len(whole)] == whole
    assert all(segment.size == length for _, segment in found[: len(whole)])
    if step <= length:
        assert {sample for first, segment in found for sample in range(first, first + segment.size)} == set(range(n))
    assert len(found) <= len(whole) + 1


def test_the_last_segment_ends_with_the_stream():
    samples = np.arange(10, dtype=np.float32)

    assert [first for first, _ in cut_stream([samples], 4, 4, moved_back=True)] == [0, 4, 6]
    assert [(first, len(of)) for first, of in cut_stream([samples], 4, 4, moved_back=False)] == [(0, 4), (4, 4), (8, 2)]
    assert [(first, len(of)) for first, of in cut_stream([samples[:3]], 4, 4, moved_back=True)] == [(0, 3)]


@pytest.mark.parametrize("step", [3, 50])
def test_only_what_is_needed_is_held(step):
    """Segments that are far apart do not make the stream between them pile up."""
    seen = []

    def blocks():
        for _ in range(1000):
            seen.append(1)
            yield np.zeros(10, np.float32)

    segments = cut_stream(blocks(), 5, step, moved_back=True)
    next(segments)
    assert len(seen) == 1
    assert sum(1 for _ in segments) >= 10_000 // step - 1


@pytest.mark.parametrize("features", ["logmel", "waveform"])
def test_the_detector_of_voice_hears_a_clip_once(features, monkeypatch):
    heard = []
    monkeypatch.setattr("preprocessing.features.extract.find_voice", lambda *given: heard.append(given) or (1600, 8000))
    samples = np.random.default_rng(0).normal(size=16000).astype(np.float32)
    settings = FeatureSettings(vad="silero", features=features)
    source = SimpleNamespace(samples=lambda *_: samples, name="a.wav", offset_s=2.0)
    description = SimpleNamespace(is_custom=False, feature_settings=settings, clip_samples=4800)

    inputs = clip_inputs(source, description, with_basic=False)

    assert len(heard) == 1
    assert inputs.is_cut
    np.testing.assert_allclose((inputs.start_s, inputs.end_s), ([2.1], [2.4]))
