"""Audio files of every usual kind are read; what cannot be used is refused with its reason."""

from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from preprocessing.audio import audio_hash, describe_audio, read_audio, resample
from xval.errors import AudioError

RATE_HZ = 16000


def sine(frequency_hz: float = 440.0, duration_s: float = 0.5, rate_hz: int = RATE_HZ) -> NDArray[np.float32]:
    time_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    return (0.5 * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.float32)


def write(path: Path, samples: NDArray[np.float32], rate_hz: int = RATE_HZ, **options: str) -> Path:
    soundfile.write(path, samples, rate_hz, **options)
    return path


@pytest.mark.parametrize(
    ("suffix", "subtype", "tolerance"),
    [
        ("wav", "PCM_16", 1e-4),
        ("wav", "PCM_24", 1e-6),
        ("wav", "PCM_U8", 1e-2),
        ("wav", "FLOAT", 0),
        ("wav", "DOUBLE", 0),
        ("flac", "PCM_16", 1e-4),
        ("flac", "PCM_24", 1e-6),
        ("aiff", "PCM_16", 1e-4),
        ("ogg", "VORBIS", 5e-2),
        ("mp3", "MPEG_LAYER_III", 2e-1),
    ],
)
def test_reads_every_usual_format(tmp_path: Path, suffix: str, subtype: str, tolerance: float) -> None:
    path = write(tmp_path / f"clip.{suffix}", sine(), subtype=subtype)
    samples, rate_hz = read_audio(path)
    assert rate_hz == RATE_HZ
    assert samples.dtype == np.float32
    assert samples.shape == sine().shape
    np.testing.assert_allclose(samples, sine(), atol=tolerance)


def test_reads_a_file_whose_name_has_no_suffix_or_odd_letters(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.wav", sine()).rename(tmp_path / "ünï cödé #1")
    np.testing.assert_allclose(read_audio(path)[0], sine(), atol=1e-4)


def test_mixes_channels_to_their_mean(tmp_path: Path) -> None:
    left, right = sine(440), sine(1000) * 0.5
    path = write(tmp_path / "stereo.wav", np.stack([left, right], axis=1), subtype="FLOAT")
    np.testing.assert_allclose(read_audio(path)[0], (left + right) / 2, atol=1e-7)
    assert describe_audio(path).n_channels == 2


def test_reads_a_long_recording_whole(tmp_path: Path) -> None:
    long = np.random.default_rng(0).uniform(-0.5, 0.5, (2_500_000, 2)).astype(np.float32)
    path = write(tmp_path / "long.wav", long, subtype="FLOAT")
    np.testing.assert_array_equal(read_audio(path)[0], long.mean(axis=1))
    stretch, _ = read_audio(path, start_s=1.0, end_s=150.0)
    np.testing.assert_array_equal(stretch, long[RATE_HZ : 150 * RATE_HZ].mean(axis=1))


@pytest.mark.parametrize("rate_hz", [44100, 48000, 8000])
def test_resamples_as_librosa_does(tmp_path: Path, rate_hz: int) -> None:
    original = sine(440, 0.5, rate_hz)
    path = write(tmp_path / "clip.wav", original, rate_hz, subtype="FLOAT")
    samples, got_hz = read_audio(path, sample_rate_hz=RATE_HZ)
    assert got_hz == RATE_HZ
    expected = librosa.resample(original, orig_sr=rate_hz, target_sr=RATE_HZ)
    np.testing.assert_allclose(samples, expected[: samples.size], atol=1e-6)
    assert samples.size == pytest.approx(0.5 * RATE_HZ, abs=1)


def test_reads_a_stretch_sample_by_sample(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.wav", sine(), subtype="FLOAT")
    np.testing.assert_array_equal(read_audio(path, start_s=0.1, end_s=0.25)[0], sine()[1600:4000])
    np.testing.assert_array_equal(read_audio(path, start_s=0.1)[0], sine()[1600:])
    np.testing.assert_array_equal(read_audio(path, end_s=0.1)[0], sine()[:1600])


def test_a_stretch_may_end_a_rounding_error_behind_the_file(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.wav", sine(), subtype="FLOAT")
    np.testing.assert_array_equal(read_audio(path, start_s=0.4, end_s=0.509)[0], sine()[6400:])


@pytest.mark.parametrize(("start_s", "end_s"), [(0.0, 0.52), (0.5, None), (0.6, 0.7), (-0.1, 0.2), (0.3, 0.3), (0.3, 0.2)])
def test_refuses_a_stretch_that_is_not_in_the_file(tmp_path: Path, start_s: float, end_s: float | None) -> None:
    path = write(tmp_path / "clip.wav", sine())
    with pytest.raises(AudioError, match=r"clip\.wav: the stretch from .* does not lie in the file \(0\.5 s\)"):
        read_audio(path, start_s=start_s, end_s=end_s)


def test_refuses_what_is_no_audio(tmp_path: Path) -> None:
    text = tmp_path / "text.wav"
    text.write_text("This is not audio, whatever its name says.\n" * 100)
    with pytest.raises(AudioError, match=r"text\.wav: cannot be decoded as audio \(Format not recognised\)"):
        read_audio(text)
    raw = tmp_path / "clip.raw"
    raw.write_bytes(bytes(1000))
    with pytest.raises(AudioError, match="headerless"):
        read_audio(raw)


def test_refuses_files_without_samples(tmp_path: Path) -> None:
    empty = tmp_path / "empty.wav"
    empty.touch()
    with pytest.raises(AudioError, match=r"empty\.wav: the file is empty \(0 bytes\)"):
        read_audio(empty)
    with pytest.raises(AudioError, match="holds no samples"):
        read_audio(write(tmp_path / "none.wav", np.zeros(0, np.float32)))


def test_refuses_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"gone\.wav: no such file"):
        read_audio(tmp_path / "gone.wav")
    with pytest.raises(AudioError, match="no such file"):
        read_audio(tmp_path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_refuses_samples_that_are_no_numbers(tmp_path: Path, value: float) -> None:
    samples = sine()
    samples[77] = value
    with pytest.raises(AudioError, match="NaN or infinite"):
        read_audio(write(tmp_path / "broken.wav", samples, subtype="FLOAT"))


@pytest.mark.parametrize("suffix", ["flac", "ogg"])
def test_refuses_a_file_that_is_cut_off(tmp_path: Path, suffix: str) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 3 * RATE_HZ).astype(np.float32)
    path = write(tmp_path / f"clip.{suffix}", noise)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    if suffix == "ogg":  # its header does not say how long it is: what is there is the clip
        assert 0 < read_audio(path)[0].size < noise.size
    else:
        with pytest.raises(AudioError, match=r"broken off|cannot be decoded"):
            read_audio(path)


def test_a_header_that_promises_too_much_is_refused_without_its_memory(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.flac", sine())
    content = bytearray(path.read_bytes())
    content[21] |= 0x0F  # the upper bits of the 36-bit number of samples: about 64 thousand million
    content[22] = 0xFF
    path.write_bytes(content)
    with pytest.raises(AudioError, match=r"broken off|cannot be decoded"):
        read_audio(path)


def test_refuses_what_is_too_short_to_resample(tmp_path: Path) -> None:
    path = write(tmp_path / "click.wav", np.full(1, 0.5, np.float32), 48000)
    with pytest.raises(AudioError, match=r"click\.wav: too short to resample: 1 samples at 48000 Hz"):
        read_audio(path, sample_rate_hz=8000)


def test_resampling_to_the_same_rate_changes_nothing() -> None:
    np.testing.assert_array_equal(resample(sine(), RATE_HZ, RATE_HZ), sine())


def test_describes_a_clip(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.wav", sine(duration_s=0.25, rate_hz=44100), 44100)
    facts = describe_audio(path)
    assert (facts.duration_s, facts.sample_rate_hz, facts.n_channels) == (0.25, 44100, 1)
    assert facts.audio_hash == audio_hash(*read_audio(path))
    assert describe_audio(path, 0.1, 0.2).duration_s == pytest.approx(0.1)


@pytest.mark.parametrize("suffix", ["wav", "flac"])
def test_silence_is_refused(tmp_path: Path, suffix: str) -> None:
    silence = np.zeros(RATE_HZ, np.float32)
    with pytest.raises(AudioError, match="silent, every sample lies below -80 dBFS"):
        describe_audio(write(tmp_path / f"silence.{suffix}", silence))


@pytest.mark.parametrize(("peak_dbfs", "is_silent"), [(-80.5, True), (-79.5, False)])
def test_silence_begins_at_80_db_below_full_scale(tmp_path: Path, peak_dbfs: float, is_silent: bool) -> None:
    quiet = sine() * np.float32(2 * 10 ** (peak_dbfs / 20))
    path = write(tmp_path / "quiet.wav", quiet, subtype="FLOAT")
    if is_silent:
        with pytest.raises(AudioError, match="silent"):
            describe_audio(path)
    else:
        assert describe_audio(path).duration_s == 0.5


def test_a_negative_peak_counts_too(tmp_path: Path) -> None:
    samples = np.zeros(100, np.float32)
    samples[50] = -0.5
    assert describe_audio(write(tmp_path / "click.wav", samples)).sample_rate_hz == RATE_HZ


def test_the_hash_knows_the_audio_not_the_file(tmp_path: Path) -> None:
    wav = write(tmp_path / "a.wav", sine(), subtype="PCM_16")
    flac = write(tmp_path / "b.flac", soundfile.read(wav, dtype="float32")[0], subtype="PCM_16")
    assert describe_audio(wav).audio_hash == describe_audio(flac).audio_hash
    assert len(describe_audio(wav).audio_hash) == 32


def test_the_hash_differs_with_one_sample_or_the_rate() -> None:
    changed = sine()
    changed[100] += 1e-4
    hashes = {audio_hash(sine(), RATE_HZ), audio_hash(changed, RATE_HZ), audio_hash(sine(), 8000)}
    assert len(hashes) == 3
