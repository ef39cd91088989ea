"""Names of items in the files of stores of earlier versions."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from preprocessing.store.naming import file_name

any_text = st.one_of(st.text(st.characters(codec=None), max_size=120), st.text("aAbB.-_~ /\\0é", max_size=6))


@pytest.mark.parametrize(
    ("item", "name"),
    [
        ("speaker_12", "speaker_12"),
        ("actor-3", "actor-3"),
        ("a" * 64, "a" * 64),
        ("../../x", "x~9a3d297d687a9f5ba29398f6b8623b90"),
        ("a/b", "a-b~575aa62220a2c597f5def8d269b6acac"),
        ("CON", "con~ed0470902e896e359ce4562ec8ae78fb"),
        ("con", "con~bd973a1a10aa8338608587bc3de30f6e"),
        ("lpt1", "lpt1~608fa967bbc5a98f68eb8d0234717999"),
        ("S01", "s01~c97e9121dacf40d89b08b424c3fa4143"),
        ("Jörg", "j-rg~77c4843f8aeadad07edf9347de0333bb"),
        ("", "~cae66941d9efbd404e4d88758ea67670"),
        ("..", "~c577bd8f25028e3bfd5dcb065343514b"),
        ("a\x00b", "a-b~852635742d6eb30fdccb0e7c1b53d92f"),
        ("x" * 5000, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx~75d0878b8974254f2150d1f569930205"),
        ("-rf", "rf~421efd1da9d167b47888f13f75c8838f"),
        ("\udcff", "~40d1d020650a22edcf418d8f8392fbf2"),
        ("COM9", "com9~20d001d29ad1b7cbef6dacf678bd7dbc"),
    ],
)
def test_the_file_of_an_item_is_found_by_the_name_that_it_was_given(item: str, name: str) -> None:
    assert file_name(item) == name


@given(any_text, any_text)
@example("S01", "s01")
@example("\u00e9", "e\u0301")
@example("a/b", "a\\b")
@example("x" * 300, "x" * 301)
def test_two_items_never_share_a_name(one: str, other: str) -> None:
    assert (file_name(one).lower() == file_name(other).lower()) == (one == other)
