"""Audio files of every usual kind are read; what cannot be used is refused with its reason."""

import os
import struct
from collections.abc import Callable
from hashlib import blake2b
from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from preprocessing.audio.read import decode, describe_audio, read_audio, read_header
from xval.base.errors import AudioError

RATE_HZ = 16000
Encode = Callable[..., Path]


def sine(frequency_hz: float = 440.0, duration_s: float = 0.5, rate_hz: int = RATE_HZ) -> NDArray[np.float32]:
    time_s = np.arange(round(duration_s * rate_hz)) / rate_hz
    return (0.5 * np.sin(2 * np.pi * frequency_hz * time_s)).astype(np.float32)


def audio_hash(samples: NDArray[np.float32], rate_hz: int) -> str:
    return blake2b(str(rate_hz).encode() + samples.astype("<f4").tobytes(), digest_size=16).hexdigest()


def write(path: Path, samples: NDArray[np.float32], rate_hz: int = RATE_HZ, **options: str) -> Path:
    soundfile.write(path, samples, rate_hz, **options)
    return path


@pytest.mark.parametrize(
    ("suffix", "subtype", "tolerance"),
    [
        ("wav", "PCM_16", 1e-4),
        ("wav", "PCM_24", 1e-6),
        ("wav", "PCM_32", 1e-7),
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


def test_one_channel_can_be_chosen(tmp_path: Path) -> None:
    channels = np.stack([sine(200 * (number + 1)) for number in range(7)], axis=1)
    path = write(tmp_path / "seven.wav", channels, subtype="FLOAT")
    assert describe_audio(path).n_channels == 7
    np.testing.assert_allclose(read_audio(path)[0], channels.mean(axis=1), atol=1e-7)
    for channel in (0, 6):
        np.testing.assert_array_equal(read_audio(path, channel=channel)[0], channels[:, channel])
    for channel in (7, -1):
        with pytest.raises(AudioError, match=rf"seven\.wav: there is no channel {channel}; expected 0 to 6"):
            read_audio(path, channel=channel)
    np.testing.assert_array_equal(read_audio(path, channel=2, start_s=0.1, end_s=0.2)[0], channels[1600:3200, 2])


def test_the_hash_is_that_of_the_mean_whichever_channel_is_chosen(tmp_path: Path) -> None:
    path = write(tmp_path / "stereo.wav", np.stack([sine(440), sine(1000)], axis=1), subtype="FLOAT")
    decoded = decode(path, channel=1, with_hash=True)
    assert decoded.audio_hash == describe_audio(path).audio_hash == audio_hash(*read_audio(path))
    np.testing.assert_array_equal(decoded.samples, sine(1000))
    assert decode(path, channel=1).audio_hash is None


def test_the_content_counts_and_not_the_name(tmp_path: Path, encode: Encode) -> None:
    files = {
        "wav": write(tmp_path / "a.wav", sine()),
        "flac": write(tmp_path / "a.flac", sine()),
        "ogg": write(tmp_path / "a.ogg", sine()),
        "mp3": write(tmp_path / "a.mp3", sine()),
        "m4a": encode(tmp_path / "a.m4a", sine()[:, None], RATE_HZ),
        "webm": encode(tmp_path / "a.webm", sine(rate_hz=48000)[:, None], 48000, "libopus"),
    }
    hashes = {kind: describe_audio(path).audio_hash for kind, path in files.items()}
    for kind, path in files.items():
        for suffix in (".wav", ".m4a", ".mp3", ".flac", ".aac", ".au", ".gsm", ""):
            wrong = tmp_path / f"wrong{suffix}"
            wrong.write_bytes(path.read_bytes())
            assert describe_audio(wrong).audio_hash == hashes[kind], (kind, suffix)
            wrong.unlink()
        raw = tmp_path / "wrong.raw"
        raw.write_bytes(path.read_bytes())
        np.testing.assert_allclose(read_audio(raw)[0][:7000], read_audio(path)[0][:7000], atol=1e-3)


@pytest.mark.parametrize("suffix", [".wav", ".au", ".gsm", ".vox", ".mp3", ".m4a", ".aac", ".ogg", ".wma", ".raw", ".txt"])
def test_text_and_random_bytes_are_never_audio(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"no{suffix}"
    for content in (b"hello, this is not an audio at all\n" * 1000, np.random.default_rng(1).bytes(30000), bytes(30000)):
        path.write_bytes(content)
        for read in (read_audio, read_header):
            with pytest.raises(AudioError, match="cannot be decoded as audio"):
                read(path)


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
    with pytest.raises(AudioError, match=r"clip\.wav: the segment from .* is not inside the file \(0\.5 s\)"):
        read_audio(path, start_s=start_s, end_s=end_s)


def test_refuses_what_is_no_audio(tmp_path: Path) -> None:
    text = tmp_path / "text.wav"
    text.write_text("This is not audio, whatever its name says.\n" * 100)
    with pytest.raises(AudioError, match=r"text\.wav: cannot be decoded as audio \(Format not recognised\)"):
        read_audio(text)
    raw = tmp_path / "clip.raw"
    raw.write_bytes(bytes(1000))
    with pytest.raises(AudioError, match="audio without a header"):
        read_audio(raw)


def test_refuses_files_without_samples(tmp_path: Path) -> None:
    empty = tmp_path / "empty.wav"
    empty.touch()
    with pytest.raises(AudioError, match=r"empty\.wav: the file is empty \(0 bytes\)"):
        read_audio(empty)
    with pytest.raises(AudioError, match="contains no samples"):
        read_audio(write(tmp_path / "none.wav", np.zeros(0, np.float32)))


def test_refuses_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"gone\.wav: no such file"):
        read_audio(tmp_path / "gone.wav")
    with pytest.raises(AudioError, match="a folder, no audio file"):
        read_audio(tmp_path)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_refuses_samples_that_are_no_numbers(tmp_path: Path, value: float) -> None:
    samples = sine()
    samples[77] = value
    with pytest.raises(AudioError, match="NaN or infinite"):
        read_audio(write(tmp_path / "broken.wav", samples, subtype="FLOAT"))


@pytest.mark.parametrize(("suffix", "tolerance"), [("mp3", 1e-6), ("ogg", 0), ("opus", 1e-6), ("flac", 0), ("wav", 0)])
def test_a_stretch_of_a_compressed_file_is_that_part_of_the_whole(tmp_path: Path, suffix: str, tolerance: float) -> None:
    rng = np.random.default_rng(0)
    sound = (rng.normal(0, 0.1, (8 * RATE_HZ, 2)) * rng.uniform(size=(8 * RATE_HZ, 1))).astype(np.float32)
    options = {"opus": {"format": "OGG", "subtype": "OPUS"}, "wav": {"subtype": "MS_ADPCM"}}.get(suffix, {})
    path = write(tmp_path / f"clip.{suffix}", sound, **options)
    whole, _ = read_audio(path)
    for start_s, length_s in zip(rng.uniform(0, 7.4, 20), rng.uniform(0.001, 0.5, 20), strict=True):
        first, stop = round(start_s * RATE_HZ), round((start_s + length_s) * RATE_HZ)
        stretch, _ = read_audio(path, start_s=start_s, end_s=start_s + length_s)
        np.testing.assert_allclose(stretch, whole[first:stop], rtol=0, atol=tolerance)
        assert describe_audio(path, start_s, start_s + length_s) == describe_audio(path, start_s, start_s + length_s)


def test_a_stretch_of_a_file_in_which_one_cannot_seek(tmp_path: Path) -> None:
    path = write(tmp_path / "telephone.wav", sine(rate_hz=8000, duration_s=2), 8000, subtype="GSM610")
    whole, _ = read_audio(path)
    np.testing.assert_array_equal(read_audio(path, start_s=0.5, end_s=1.25)[0], whole[4000:10000])


@pytest.mark.parametrize("bit_rates", [(32_000, 256_000), (256_000, 32_000)])
def test_an_mp3_file_without_a_xing_tag_is_read_to_its_end(tmp_path: Path, encode: Encode, bit_rates: tuple[int, int]) -> None:
    # From the bit rate of its first frames one would guess another length.
    half = np.random.default_rng(0).uniform(-0.5, 0.5, (2 * 44100, 1)).astype(np.float32)
    path = tmp_path / "old.mp3"
    options = {"write_xing": "0"}
    parts = [encode(path, half, 44100, "libmp3lame", bit_rate=rate, **options).read_bytes() for rate in bit_rates]
    path.write_bytes(b"".join(parts))
    decoded, _ = read_audio(path)
    assert decoded.size == pytest.approx(2 * len(half), abs=8 * 1152)
    path.write_bytes(parts[0][: len(parts[0]) // 2])
    assert read_audio(path)[0].size == pytest.approx(len(half) / 2, abs=4 * 1152)
    path.write_bytes(parts[0] + b"APETAGEX" + b"some tag " * 500)
    assert read_audio(path)[0].size == pytest.approx(len(half), abs=4 * 1152)


def test_a_stream_most_of_which_is_damaged_is_refused(tmp_path: Path, encode: Encode) -> None:
    rng = np.random.default_rng(0)
    noise = rng.uniform(-0.5, 0.5, (2 * 44100, 1)).astype(np.float32)
    path = encode(tmp_path / "old.aac", noise, 44100, "aac", "adts")
    content = bytearray(path.read_bytes())
    for position in range(3000, len(content), 300):
        content[position : position + 100] = rng.bytes(100)
    path.write_bytes(content)
    with pytest.raises(AudioError, match=r"old\.aac: (cannot be decoded beyond \d\.\d\d s \(damaged\)|changes from)"):
        read_audio(path)


def test_an_mp3_file_that_was_cut_out_of_a_longer_one_is_read(tmp_path: Path, encode: Encode) -> None:
    # Its first frames need bytes of frames that are gone.
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (2 * 44100, 1)).astype(np.float32)
    path = encode(tmp_path / "cut.mp3", noise, 44100, "libmp3lame", bit_rate=64_000, write_xing="0")
    content = path.read_bytes()
    path.write_bytes(content[len(content) // 3 : -len(content) // 3])
    assert read_audio(path)[0].size == pytest.approx(len(noise) / 3, abs=6 * 1152)


def test_a_flac_file_that_does_not_say_its_length_is_read_to_its_end(tmp_path: Path) -> None:
    path = write(tmp_path / "piped.flac", sine())
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0  # the 36-bit number of samples
    content[22:26] = bytes(4)
    path.write_bytes(content)
    np.testing.assert_allclose(read_audio(path)[0], sine(), atol=1e-4)


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF, 0x80000000 - 44])
def test_a_wav_file_that_was_written_to_a_pipe_is_read_to_its_end(tmp_path: Path, size: int) -> None:
    path = write(tmp_path / "piped.wav", sine())
    content = bytearray(path.read_bytes())
    content[40:44] = struct.pack("<I", size)
    path.write_bytes(content)
    np.testing.assert_allclose(read_audio(path)[0], sine(), atol=1e-4)


def test_a_header_that_counts_itself_is_no_reason_to_refuse_a_file(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.wav", sine())
    content = bytearray(path.read_bytes())
    content[40:44] = struct.pack("<I", len(content))
    path.write_bytes(content)
    assert read_audio(path)[0].size == sine().size


@pytest.mark.parametrize(
    ("suffix", "options"),
    [
        ("wav", {"subtype": "PCM_16"}),
        ("wav", {"subtype": "PCM_24"}),
        ("wav", {"subtype": "FLOAT"}),
        ("wav", {"subtype": "MS_ADPCM"}),
        ("wav", {"subtype": "PCM_16", "format": "RF64"}),
        ("aiff", {}),
        ("au", {}),
        ("w64", {}),
        ("caf", {}),
        ("flac", {}),
        ("mp3", {}),
    ],
)
def test_a_file_that_ends_before_its_header_says_is_refused(tmp_path: Path, suffix: str, options: dict[str, str]) -> None:
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, (2 * RATE_HZ, 2)).astype(np.float32)
    path = write(tmp_path / f"clip.{suffix}", noise, **options)
    assert read_audio(path)[0].size == pytest.approx(len(noise), rel=0.05)
    content = path.read_bytes()
    for n_bytes in np.random.default_rng(1).integers(1, 0.9 * len(content), 20):
        path.write_bytes(content[:n_bytes])
        with pytest.raises(AudioError, match=r"truncated|cannot be decoded|contains no "):
            read_audio(path)


def test_a_broken_off_file_is_told_by_its_header(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.wav", sine(duration_s=2.0))
    path.write_bytes(path.read_bytes()[: 44 + 2 * RATE_HZ])
    for read in (read_audio, read_header):
        with pytest.raises(AudioError, match=r"clip\.wav: truncated, it has 1\.00 s of the 2\.00 s in its header"):
            read(path)


def test_a_file_that_is_refused_is_closed(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.wav", sine())
    path.write_bytes(path.read_bytes()[:1000])
    open_before = len(list(Path("/proc/self/fd").iterdir()))
    with pytest.raises(AudioError, match="truncated") as refused:
        read_audio(path)
    assert len(list(Path("/proc/self/fd").iterdir())) == open_before, refused  # which keeps what was opened alive


def test_a_header_that_promises_too_much_is_refused_without_its_memory(tmp_path: Path) -> None:
    path = write(tmp_path / "clip.flac", sine())
    content = bytearray(path.read_bytes())
    content[21] |= 0x0F  # the upper bits of the 36-bit number of samples: about 64 thousand million
    content[22] = 0xFF
    path.write_bytes(content)
    with pytest.raises(
        AudioError,
        match=r"too long to be read as one clip: 1192\.8 h.*list segments of it\. If it is not .*, its header is damaged",
    ):
        read_audio(path)
    with pytest.raises(AudioError, match=r"truncated|cannot be decoded"):
        read_audio(path, start_s=0.1, end_s=3600.0)


def test_a_file_of_gigabytes_of_zeros_is_refused_without_its_memory(tmp_path: Path) -> None:
    path = write(tmp_path / "sparse.wav", sine(), format="RF64")
    content = bytearray(path.read_bytes())
    data = content.index(b"data")
    n_bytes = 6_000_000_000
    content[20:36] = struct.pack("<QQ", n_bytes + data, n_bytes)  # ds64: sizes of the file and of its samples
    content[36:44] = struct.pack("<Q", n_bytes // 2)
    path.write_bytes(content)
    os.truncate(path, data + 8 + n_bytes)
    with pytest.raises(
        AudioError, match=r"sparse\.wav: too long to be read as one clip: 52\.1 h at 16000 Hz \(at most 17\.4 h\)"
    ):
        read_audio(path)
    assert read_audio(path, start_s=100_000.0, end_s=100_001.0)[0].size == RATE_HZ


def test_refuses_what_is_too_short_to_resample(tmp_path: Path) -> None:
    path = write(tmp_path / "click.wav", np.full(1, 0.5, np.float32), 48000)
    with pytest.raises(AudioError, match=r"click\.wav: too short to resample: 1 sample from 48000 Hz"):
        read_audio(path, sample_rate_hz=8000)


@pytest.mark.parametrize(("peak_dbfs", "is_silent"), [(-80.5, True), (-79.5, False)])
def test_silence_begins_at_80_db_below_full_scale(tmp_path: Path, peak_dbfs: float, is_silent: bool) -> None:
    quiet = sine() * np.float32(2 * 10 ** (peak_dbfs / 20))
    path = write(tmp_path / "quiet.wav", quiet, subtype="FLOAT")
    if is_silent:
        with pytest.raises(AudioError, match="silent"):
            describe_audio(path)
    else:
        assert describe_audio(path).duration_s == 0.5


def test_the_hash_knows_the_audio_not_the_file(tmp_path: Path) -> None:
    wav = write(tmp_path / "a.wav", sine(), subtype="PCM_16")
    flac = write(tmp_path / "b.flac", soundfile.read(wav, dtype="float32")[0], subtype="PCM_16")
    assert describe_audio(wav).audio_hash == describe_audio(flac).audio_hash
    assert len(describe_audio(wav).audio_hash) == 32


def test_the_hash_differs_with_one_sample_or_the_rate(tmp_path: Path) -> None:
    changed = sine()
    changed[100] += 1e-4
    clips = {"plain": (sine(), RATE_HZ), "changed": (changed, RATE_HZ), "slower": (sine(), 8000)}
    paths = [write(tmp_path / f"{name}.wav", *clip, subtype="FLOAT") for name, clip in clips.items()]
    assert len({describe_audio(path).audio_hash for path in paths}) == 3


@pytest.mark.parametrize(
    ("name", "options", "n_channels", "subtype"),
    [
        ("a.wav", {"subtype": "PCM_16"}, 1, "PCM_16"),
        ("a.wav", {"subtype": "FLOAT"}, 7, "FLOAT"),
        ("a.flac", {"subtype": "PCM_24"}, 2, "PCM_24"),
        ("a.ogg", {}, 2, "VORBIS"),
        ("a.mp3", {}, 2, "MPEG_LAYER_III"),
    ],
)
def test_the_header_of_a_file(tmp_path: Path, name: str, options: dict[str, str], n_channels: int, subtype: str) -> None:
    path = write(tmp_path / name, np.stack([sine()] * n_channels, axis=1), **options)
    header = read_header(path)
    assert (header.duration_s, header.sample_rate_hz, header.n_channels) == (0.5, RATE_HZ, n_channels)
    assert header.subtype == subtype


def test_the_header_of_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "empty.wav").touch()
    with pytest.raises(AudioError, match=r"empty\.wav: the file is empty"):
        read_header(tmp_path / "empty.wav")
    with pytest.raises(AudioError, match=r"gone\.wav: no such file"):
        read_header(tmp_path / "gone.wav")
    assert read_header(write(tmp_path / "none.wav", np.zeros(0, np.float32))).duration_s == 0
