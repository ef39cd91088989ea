"""What is there in place of audio is named with what to do; what the decoder reads is what folders list."""

import pandas as pd
import pytest
import soundfile

POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 72862\n"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (POINTER, "a pointer of Git LFS, not audio. Fetch the audio: git lfs install, then git lfs pull"),
        ("../../.git/annex/objects/Zk/0m/SHA256E-s72862--00.wav/SHA256E-s72862--00.wav\n", "git annex get"),
        ("\n<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>", "a web page, not audio"),
        ('<?xml version="1.0"?><Error><Code>AccessDenied</Code></Error>', "an XML text"),
        ('{"error": "Invalid username or password."}', "a JSON text"),
        ("404: Not Found\n", "a text, not audio ('404: Not Found')"),
        ("PK\3\4 the rest of an archive", "an archive, not audio. Unpack it first"),
    ],
)
def test_what_is_there_in_place_of_audio_is_named(empty, text, name):
    for speaker in range(4):
        for label in ("low", "high"):
            empty.file(f"audio/{label}/s{speaker}.{'wav' if speaker % 2 else 'mp3'}", text)

    error = empty.mistake("-m", "preprocessing", "folders", "audio", "--dataset", "small")
    checked = empty.prepare("folders", "--check", "audio", "--dataset", "small").stdout

    assert name in error
    assert "no audio yet: 8 clips" in checked
    assert "git lfs pull" in checked


def test_a_folder_lists_what_the_decoder_reads(empty):
    clips = empty.recordings(n_speakers=2)
    for number, name in enumerate(clips["path"]):
        path = empty.folder / "audio" / name
        samples, rate_hz = soundfile.read(path)
        kind, subtype = [("AU", "PCM_16"), ("VOC", "PCM_16"), ("NIST", "PCM_16"), ("OGG", "VORBIS")][number % 4]
        ending = {"AU": "snd", "VOC": "voc", "NIST": "sph", "OGG": "oga"}[kind]
        soundfile.write(path.with_suffix(f".{ending}"), samples, rate_hz, format=kind, subtype=subtype)
        path.unlink()

    ended = empty.prepare("folders", "audio", "--dataset", "small")

    assert "8 clips" in ended.stdout, ended.stdout + ended.stderr


def test_a_link_that_leads_to_no_audio_is_named_as_one_and_nothing_is_quoted_of_where_it_leads(empty):
    empty.recordings(n_speakers=4)
    empty.file("elsewhere/notes.txt", "not for others")
    links = {
        "gone": ("../../nowhere.wav", "a link to '../../nowhere.wav', which is not there."),
        "annex": ("../.git/annex/objects/Zk/0m/a.wav", "which is not there. Fetch the audio with 'git annex get .'"),
        "text": ("../../elsewhere/notes.txt", "a link to '../../elsewhere/notes.txt', which is a text, not audio."),
    }
    for name, (target, _) in links.items():
        (empty.folder / f"audio/low/s0_{name}.wav").symlink_to(target)
    (empty.folder / "audio/high/s1_9.wav").symlink_to("s1_1.wav")  # a link to audio is audio

    ended = empty.prepare("folders", "audio", "--dataset", "small", "--item-pattern", r"(s\d)_")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    left_out = pd.read_csv(empty.folder / "data/small/left_out.csv").set_index("path")["reason"]
    for name, (_, reason) in links.items():
        assert reason in left_out[f"low/s0_{name}.wav"]
    assert "not for others" not in (empty.folder / "data/small/left_out.csv").read_text()
    assert set(left_out.index) == {f"low/s0_{name}.wav" for name in links}
