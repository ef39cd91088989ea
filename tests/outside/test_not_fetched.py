"""What is there in place of audio is named with what to do; what the decoder reads is what folders list."""

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
