"""What libsndfile does not read is decoded all the same, to the sample; and nothing is read that the file only points to."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from preprocessing.audio.pyav_decoding import PyavAudio
from preprocessing.audio.read import describe_audio, read_audio, read_header
from xval.base.errors import AudioError

RATE_HZ = 16000
Encode = Callable[..., Path]


def noise(n_samples: int = RATE_HZ, n_channels: int = 1, seed: int = 0) -> NDArray[np.float32]:
    """Return noise below a quarter of the rate, so that no encoder throws it away."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).normal(size=(n_samples, n_channels)), axis=0)
    spectrum[len(spectrum) // 4 :] = 0
    samples = np.fft.irfft(spectrum, n_samples, axis=0)
    return (0.5 * samples / np.abs(samples).max()).astype(np.float32)


def lag(decoded: NDArray[np.float32], original: NDArray[np.float32]) -> int:
    """Return by how many samples the decoded signal comes late."""
    n_samples = len(decoded) + len(original)
    product = np.fft.rfft(decoded, n_samples) * np.conj(np.fft.rfft(original, n_samples))
    best = int(np.fft.irfft(product, n_samples).argmax())
    return best if best < len(decoded) else best - n_samples


@pytest.mark.parametrize(
    ("name", "codec", "container", "rate_hz", "delay"),
    [
        ("clip.m4a", "aac", None, 16000, 0),
        ("clip.mp4", "aac", None, 44100, 0),
        ("clip.mp4", "libopus", None, 48000, 0),
        ("clip.webm", "libopus", None, 48000, 0),
        ("clip.mka", "aac", None, 16000, 0),
        ("clip.3gp", "aac", None, 8000, 0),
        ("clip.aac", "aac", "adts", 16000, 1024),
        ("clip.ts", "aac", None, 16000, 1024),
    ],
)
def test_compressed_sound_is_decoded_without_the_delay_that_the_file_tells(
    tmp_path: Path, encode: Encode, name: str, codec: str, container: str | None, rate_hz: int, delay: int
) -> None:
    original = noise(rate_hz)
    samples, got_hz = read_audio(encode(tmp_path / name, original, rate_hz, codec, container))
    assert got_hz == rate_hz
    assert samples.dtype == np.float32
    assert lag(samples, original[:, 0]) == delay
    assert 0 <= samples.size - original.size - delay < 1024
    kept = samples[delay:][: original.size]
    assert np.abs(kept - original[:, 0]).std() < 0.3 * original.std()


def test_wma_is_decoded(tmp_path: Path, encode: Encode) -> None:
    original = noise(44100)
    facts = describe_audio(encode(tmp_path / "clip.wma", original, 44100, "wmav2", "asf"))
    assert facts.sample_rate_hz == 44100
    assert facts.duration_s == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(
    ("name", "codec", "subtype", "tolerance"),
    [
        ("clip.m4a", "alac", "ALAC", 1e-4),
        ("clip.mov", "pcm_s16le", "PCM_16", 1e-4),
        ("clip.mov", "pcm_s24le", "PCM_24", 1e-6),
        ("clip.mka", "pcm_f32le", "FLOAT", 0),
        ("clip.ogg", "flac", "FLAC", 1e-4),
    ],
)
def test_lossless_sound_is_exact(tmp_path: Path, encode: Encode, name: str, codec: str, subtype: str, tolerance: float) -> None:
    original = noise(n_channels=2)
    path = encode(tmp_path / name, original, RATE_HZ, codec)
    np.testing.assert_allclose(read_audio(path)[0], original.mean(axis=1), atol=tolerance)
    header = read_header(path)
    assert (header.sample_rate_hz, header.n_channels, header.subtype) == (RATE_HZ, 2, subtype)
    assert header.duration_s == pytest.approx(1, abs=0.002)


def test_seven_channels_are_mixed_or_one_is_chosen(tmp_path: Path, encode: Encode) -> None:
    original = noise(RATE_HZ, 7)
    path = encode(tmp_path / "clip.mov", original, RATE_HZ, "pcm_s16le")
    assert describe_audio(path).n_channels == 7
    np.testing.assert_allclose(read_audio(path)[0], original.mean(axis=1), atol=1e-4)
    np.testing.assert_allclose(read_audio(path, channel=6)[0], original[:, 6], atol=1e-4)
    with pytest.raises(AudioError, match=r"clip\.mov: there is no channel 7; expected 0 to 6"):
        read_audio(path, channel=7)


@pytest.mark.parametrize(
    ("name", "codec", "container"),
    [
        ("clip.m4a", "aac", None),
        ("clip.aac", "aac", "adts"),
        ("clip.webm", "libopus", None),
        ("clip.mp4", "libopus", None),
        ("clip.m4a", "alac", None),
    ],
)
def test_a_stretch_is_exact_to_the_sample(tmp_path: Path, encode: Encode, name: str, codec: str, container: str | None) -> None:
    path = encode(tmp_path / name, noise(4 * 48000, 2), 48000, codec, container)
    whole, rate_hz = read_audio(path)
    rng = np.random.default_rng(0)
    for start_s, length_s in zip(rng.uniform(0, 3.5, 10), rng.uniform(0.001, 0.4, 10), strict=True):
        stretch, _ = read_audio(path, start_s=start_s, end_s=start_s + length_s)
        first, stop = round(start_s * rate_hz), round((start_s + length_s) * rate_hz)
        np.testing.assert_array_equal(stretch, whole[first:stop])
    np.testing.assert_array_equal(read_audio(path, start_s=3.9)[0], whole[round(3.9 * rate_hz) :])
    np.testing.assert_array_equal(read_audio(path, end_s=whole.size / rate_hz + 0.005)[0], whole)
    for start_s, end_s in ((1.0, 4.5), (5.0, None), (5.0, 6.0), (-0.1, 1.0), (2.0, 1.0)):
        with pytest.raises(AudioError, match=r"the segment from .* is not inside the file( \(4[.\d]* s\))?\.$"):
            read_audio(path, start_s=start_s, end_s=end_s)


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("late.m4a", "aac", {}),
        ("early.m4a", "aac", {"movflags": "faststart"}),
        ("clip.webm", "libopus", {}),
        ("clip.mka", "aac", {}),
        ("clip.mov", "pcm_s16le", {"movflags": "faststart"}),
        ("clip.wma", "wmav2", {"container": "asf"}),
    ],
)
def test_a_file_that_ends_before_its_header_says_is_refused(
    tmp_path: Path, encode: Encode, name: str, codec: str, options: dict[str, str]
) -> None:
    path = encode(tmp_path / name, noise(2 * 48000), 48000, codec, **options)
    assert describe_audio(path).duration_s == pytest.approx(2, abs=0.1)
    content = path.read_bytes()
    for n_bytes in np.random.default_rng(0).integers(1, 0.9 * len(content), 25):
        path.write_bytes(content[:n_bytes])
        with pytest.raises(AudioError, match=r"truncated|cannot be decoded|contains no "):
            read_audio(path)


def test_the_reason_why_a_broken_download_cannot_be_read(tmp_path: Path, encode: Encode) -> None:
    late = encode(tmp_path / "late.m4a", noise(), RATE_HZ)
    late.write_bytes(late.read_bytes()[:-2000])
    with pytest.raises(AudioError, match=r"late\.m4a: cannot be decoded as audio \(an mp4 file without its table of contents"):
        read_audio(late)
    early = encode(tmp_path / "early.m4a", noise(), RATE_HZ, movflags="faststart")
    early.write_bytes(early.read_bytes()[:-5000])
    with pytest.raises(
        AudioError, match=r"early\.m4a: (truncated, it has 0\.\d\d s of the 1\.00 s|cannot be decoded beyond 0\.)"
    ):
        read_audio(early)


def test_what_can_be_decoded_is_the_clip_where_no_header_says_how_long_it_is(tmp_path: Path, encode: Encode) -> None:
    path = encode(tmp_path / "clip.aac", noise(4 * RATE_HZ), RATE_HZ, "aac", "adts")
    whole, _ = read_audio(path)
    content = path.read_bytes()
    for n_bytes in (len(content) // 2, len(content) // 3, len(content) - 1):
        path.write_bytes(content[:n_bytes])
        part, _ = read_audio(path)
        assert part.size < whole.size
        np.testing.assert_array_equal(part, whole[: part.size])


def test_damage_within_a_file_is_refused(tmp_path: Path, encode: Encode) -> None:
    path = encode(tmp_path / "clip.m4a", noise(4 * RATE_HZ), RATE_HZ)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 2000] = bytes(2000)
    path.write_bytes(content)
    with pytest.raises(AudioError, match=r"clip\.m4a: cannot be decoded beyond [12]\.\d\d s \(damaged\)"):
        read_audio(path)


def test_a_file_that_changes_its_rate_is_refused(tmp_path: Path, encode: Encode) -> None:
    path = encode(tmp_path / "one.aac", noise(), RATE_HZ, "aac", "adts")
    other = encode(tmp_path / "other.aac", noise(), 48000, "aac", "adts")
    path.write_bytes(path.read_bytes() + other.read_bytes())
    with pytest.raises(AudioError, match=r"changes from 1 channels at 16000 Hz to 1 at 48000 Hz\. Convert it to wav"):
        read_audio(path)


def test_a_film_has_its_sound_read_and_a_silent_one_is_refused(tmp_path: Path) -> None:
    for with_sound in (True, False):
        with av.open(str(tmp_path / "film.mp4"), "w") as file:
            pictures = file.add_stream("mpeg4", rate=25)
            pictures.width = pictures.height = 64
            sound = file.add_stream("aac", rate=RATE_HZ, layout="mono") if with_sound else None
            for _ in range(25):
                file.mux(pictures.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), "rgb24")))
            file.mux(pictures.encode(None))
            if sound is not None:
                frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(noise().T), "fltp", "mono")
                frame.sample_rate = RATE_HZ
                file.mux(sound.encode(frame))
                file.mux(sound.encode(None))
        if with_sound:
            assert describe_audio(tmp_path / "film.mp4").duration_s == pytest.approx(1, abs=0.1)
    with pytest.raises(AudioError, match=r"film\.mp4: contains no audio"):
        read_header(tmp_path / "film.mp4")


@pytest.mark.parametrize("name", ["list.m3u8", "list.wav", "concat.m4a"])
def test_a_file_that_points_to_others_is_not_followed(
    tmp_path: Path, encode: Encode, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    encode(tmp_path / "secret.aac", noise(), RATE_HZ, "aac", "adts")
    texts = {
        "list": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nsecret.aac\n#EXT-X-ENDLIST\n",
        "concat": "ffconcat version 1.0\nfile secret.aac\n",
    }
    (tmp_path / name).write_text(texts[name.partition(".")[0]])
    with pytest.raises(AudioError, match=r"cannot be decoded as audio \(Format not recognised\)"):
        read_audio(tmp_path / name)


@pytest.mark.parametrize("name", ["a%03d.m4a", "http:x.m4a", "ünï cödé #1", "-i.m4a"])
def test_names_are_only_names(tmp_path: Path, encode: Encode, name: str) -> None:
    encode(tmp_path / "clip.m4a", noise(), RATE_HZ).rename(tmp_path / name)
    assert read_audio(tmp_path / name)[0].size >= RATE_HZ


def test_the_reason_of_the_other_decoder_is_said_where_neither_reads_a_file(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(np.random.default_rng(0).bytes(5000))
    with pytest.raises(AudioError, match=r"x\.bin: cannot be decoded as audio \(why not\)"):
        PyavAudio(tmp_path / "x.bin", "why not")


def printed(code: str, *arguments: Path) -> list[str]:
    """Run a piece of code in a fresh process in which every warning is an error; return all that it prints, errors too."""
    command = [sys.executable, "-W", "error", "-c", code, *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=120, check=False)
    return done.stdout.splitlines()


def test_decoders_are_silent_and_loaded_only_when_needed(tmp_path: Path, encode: Encode) -> None:
    m4a = encode(tmp_path / "clip.m4a", noise(4 * RATE_HZ), RATE_HZ, movflags="faststart")
    cut = tmp_path / "cut.m4a"
    cut.write_bytes(m4a.read_bytes()[:-9000])
    damaged = tmp_path / "damaged.m4a"
    damaged.write_bytes(m4a.read_bytes()[:20000] + bytes(3000) + m4a.read_bytes()[23000:])
    wav = tmp_path / "clip.wav"
    soundfile.write(wav, noise(), RATE_HZ)
    code = (
        "import sys; from pathlib import Path\n"
        "from preprocessing.audio.read import read_audio; from xval.base.errors import AudioError\n"
        "for path in sys.argv[1:]:\n"
        "    try: print(read_audio(Path(path))[0].size, 'av' in sys.modules)\n"
        "    except AudioError: print('refused')"
    )
    lines = printed(code, wav, m4a, cut, damaged)
    assert lines == [f"{RATE_HZ} False", f"{read_audio(m4a)[0].size} True", "refused", "refused"]
