"""What may be meant, but makes a model learn something else: numbers as classes, padding, upsampling, classes of one item."""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from preprocessing.commands.command_line import read_settings
from preprocessing.corpora._tables import are_measurements
from preprocessing.quality.cautions import in_python
from preprocessing.quality.findings import classes, durations, identical, sound
from preprocessing.quality.rules import Caution, Criteria, Features, PreparingCaution
from xval.base.findings import rules_of


def warn(rule: Caution, clips: pd.DataFrame, settings: Sequence[str] = (), **about: Any) -> str:
    """Return what a rule says of the clips of a corpus; empty: nothing."""
    corpus: Any = SimpleNamespace(**{"task_type": "classification", "is_custom": False, "target_columns": {}} | about)
    return "\n".join(found.caution for found in rule.find(Features(corpus, clips, read_settings(list(settings)))))


SHORT_AND_LONG = pd.DataFrame({"clip": ["a", "b", "long"], "duration_s": [0.4, 0.5, 30.0]})


@pytest.mark.parametrize(
    ("settings", "n_padded", "length_s", "words"),
    [
        ([], 2, 30.0, "from 0.4 s to 30 s (the longest, long). Remove clips that are too long"),
        (["clip_length_s=5"], 2, 5.0, "(clip_length_s=5). Give a shorter clip_length_s"),
        (["clip_length_s=1"], 0, 1.0, ""),
        (["example_length_s=3"], 2, 3.0, "(example_length_s=3). Give shorter windows"),
        (["example_length_s=0.5"], 0, 0.5, ""),
        (["stretch_frames=40"], 0, 0.0, ""),
        (["features=waveform"], 2, 30.0, "30 s (the longest, long)"),
        (["features=waveform", "clip_length_s=1"], 0, 1.0, ""),
        (["features=waveform", "crop_s=3"], 0, 0.0, ""),
    ],
)
def test_padding_is_of_what_the_settings_make_of_a_clip(
    settings: list[str], n_padded: int, length_s: float, words: str
) -> None:
    chosen = read_settings(settings)
    found, length = durations.padded_durations(SHORT_AND_LONG, chosen)
    assert (len(found), length) == (n_padded, length_s)
    text = warn(durations._warn_of_padding, SHORT_AND_LONG, settings)
    assert words in text if words else text == ""


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ([], []),
        (
            ["clip_length_s=0.45"],
            ["2 of 3 clips lose 97 % of their audio after clip_length_s=0.45; 1 shorter one is zero-padded. "],
        ),
        (["clip_length_s=20", "trim_db=30"], ["up to 1 of 3 clips loses up to 33 % of its audio after clip_length_s=20"]),
        (["clip_length_s=29.995"], []),
        (["example_length_s=1"], []),
        (
            ["features=waveform", "crop_s=15"],
            ["1 of 3 clips loses 50 % of its audio in each epoch, because it trains on a crop of"],
        ),
        (["features=waveform", "crop_s=1", "clip_length_s=15"], ["1 of 3 clips loses 50 %", "1 of 3 clips loses 97 %"]),
    ],
)
def test_what_clips_lose_is_counted(settings: list[str], said: list[str]) -> None:
    texts = warn(durations.cut, SHORT_AND_LONG, settings).splitlines()
    assert len(texts) == len(said)
    assert all(text.startswith(begin) for text, begin in zip(texts, said, strict=True))


def test_the_advice_for_cut_clips_names_the_setting() -> None:
    text = warn(durations.cut, SHORT_AND_LONG, ["clip_length_s=0.45"])
    assert text.endswith("1 shorter one is zero-padded. Give --set example_length_s=0.45 instead to use all audio")
    assert "Give the settings example_length_s=0.45 instead" in in_python(text)
    text = warn(durations.cut, SHORT_AND_LONG, ["clip_length_s=0.45", "example_length_s=0.2"])
    assert text.endswith("after clip_length_s=0.45. Remove clip_length_s to use all audio")


def test_a_caution_is_a_short_sentence_and_one_of_what_to_do() -> None:
    """Finding XV103 adds up to four words, "(3 of 5 variants)", to the first."""
    rules = [rule for kind in (Caution, PreparingCaution) for rule in rules_of("preprocessing.quality.findings", kind)]
    texts = [finding for rule in rules for finding in rule.findings]
    assert len(texts) > 20
    for text in texts:
        assert ". " not in text.message
        assert not text.message.endswith(".")
        assert len(text.message.split()) <= 36, text.message
        assert len(text.advice.split()) <= 25, text.advice
        assert text.advice[0].isupper()


@pytest.mark.parametrize("has_examples", [True, False])
def test_recordings_whose_frames_are_labelled_are_not_padded(has_examples: bool) -> None:
    facts = SHORT_AND_LONG.assign(broken=None, augmented=False)
    found = durations._padded_clips.find(facts, Criteria(0.1, 0.001, "classification", read_settings([]), has_examples))
    assert set(found) == ({0, 1} if has_examples else set())


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        ([str(number) for number in range(10)] * 5, False),
        ([str(number) for number in range(87)] + ["3"] * 57, True),
        ([str(number) for number in range(20)] * 5, False),
        ([f"class {number}" for number in range(30)], False),
    ],
)
def test_many_numbers_of_few_clips_each_are_measurements(labels: list[str], expected: bool) -> None:
    assert are_measurements(labels) is expected
    assert bool(warn(classes._warn_of_numbers, pd.DataFrame({"label": labels}))) is expected


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["23", "31", "45", "52", "60", "71"], True),
        (["-10", "0", "10", "20"], True),
        (["0.5", "1", "2"], True),
        (["1", "2", "3", "4", "5", "6"], False),
        (["3", "5", "8"], False),
        (["01", "03", "17"], False),
        (["10", "11", "12"], False),
        (["44", "60"], False),
    ],
)
def test_few_numbers_with_fractions_or_gaps_are_taken_for_measured(names: list[str], expected: bool) -> None:
    text = warn(classes._warn_of_numbers, pd.DataFrame({"label": names * 20}))
    assert ("give --task-type regression" in text) is expected


def test_identical_audio_under_different_labels_is_named() -> None:
    clips = pd.DataFrame({"clip": list("abcde"), "label": ["x", "y", "x", "x", "y"], "audio_hash": list("11223")})
    text = warn(identical._warn_of_contradicting_labels, clips)
    assert text.startswith("2 clips have the same audio as another clip with another label, such as a (x) and b (y). ")
    assert warn(identical._warn_of_contradicting_labels, clips[1:]) == ""
    numbers = clips.assign(**{"label:age": [20.0, 20.0, 30.0, 31.0, 5.0], "label:weight": 60.0})
    assert "such as c (30.0, 60.0) and d (31.0, 60.0)" in warn(
        identical._warn_of_contradicting_labels, numbers, target_columns={"age": "label:age", "weight": "label:weight"}
    )


def test_classes_of_one_item_and_low_rates_are_named() -> None:
    clips = pd.DataFrame({"item": list("aabb"), "label": ["x", "y", "x", "z"], "sample_rate_hz": [8000, 8000, 16000, 44100]})
    assert warn(classes._warn_of_lonely_classes, clips).startswith("2 of 3 classes have clips of only one item (y, z)")
    labels = pd.DataFrame({"item": ["a", "a", "b"], "label": ["dog;rain", "", "dog"]})
    said = warn(classes._warn_of_lonely_classes, labels, task_type="multilabel_classification")
    assert said.startswith("1 of 2 classes has clips of only one item (rain)")
    text = warn(sound._warn_of_upsampling, clips, ["fmax_hz=7000"])
    assert text.startswith("2 of 4 clips have a lower rate (down to 8000 Hz) than sample_rate_hz=16000, which")
    assert (
        "Give --set sample_rate_hz=8000 --set n_fft=512 --set win_length=200 --set hop_length=80 --set fmax_hz=none, here "
        "and in the experiment; windows keep their length in seconds"
    ) in text
    python = "Give the settings sample_rate_hz=8000, n_fft=512, win_length=200, hop_length=80, fmax_hz=None, here and"
    assert python in in_python(text)
    assert in_python("choose the item (--item-pattern)") == "choose the item (item_pattern)"
    assert in_python("foo--bar.wav is alike") == "foo--bar.wav is alike"
    assert (
        warn(sound._warn_of_upsampling, clips, ["features=waveform"])
        .split("Give ")[1]
        .startswith("--set sample_rate_hz=8000, here")
    )
    assert warn(sound._warn_of_upsampling, clips, ["sample_rate_hz=8000"]) == ""
