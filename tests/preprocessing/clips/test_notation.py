"""Which names differ in notation alone, and how one spelling is chosen."""

from itertools import combinations

import pytest

from preprocessing.clips.notation import common_spellings, notation_key, similar_names

ALIKE = (
    ("1", "01", "1.0", "001", "1.00", " 1", "\ufeff1", "\u200b1", "１", "+1", '"1"', "“1”"),
    (
        "spk_1",
        "spk-1",
        "spk 1",
        "spk1",
        "SPK_01",
        "spk\u00a01",
        "spk\u20111",
        "'spk_1'",
        "spk.1",
        "spk_1.0",
        "spk__1",
        "spk - 1",
    ),
    ("0", "00", "0.0"),
    ("dog_bark", "dog-bark", "Dog bark", "dog\u00adbark"),
)
DIFFERENT = (
    "1 10 s1 s11 1.5 15 spk1_a spk1-b 1_5 1.05 1.10 1.1 -1 -5 5 A A- A+ C# C++ 2.1.0 1.0.3 snr_-5 snr_5 0.5 05_1 051 . # a# "
    "2020-1-12 2020-11-2 _ - -2 2 12"
)


@pytest.mark.parametrize("names", ALIKE)
def test_notation(names: tuple[str, ...]) -> None:
    assert len({notation_key(name) for name in names}) == 1
    assert similar_names(names) == [sorted(names)]


def test_other_names() -> None:
    assert [pair for pair in combinations(DIFFERENT.split(), 2) if len(set(map(notation_key, pair))) == 1] == []


def test_the_most_frequent_spelling_is_chosen_then_the_shortest() -> None:
    assert common_spellings(["01", "01", "1", "2"]) == {"01": "01", "1": "01"}
    assert common_spellings(["01", "1", "1.0"]) == {"01": "1", "1": "1", "1.0": "1"}
