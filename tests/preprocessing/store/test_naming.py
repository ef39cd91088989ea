"""File names of items are safe everywhere and never the same for two items."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from preprocessing.store.naming import file_name

any_text = st.text(st.characters(codec=None), max_size=120)
confusable = st.text("aAbB.-_~ /\\0é", max_size=6)


@pytest.mark.parametrize("item", ["s01", "george", "speaker_12", "actor-3", "7", "a" * 64])
def test_plain_names_stay_readable(item: str) -> None:
    assert file_name(item) == item


@pytest.mark.parametrize(
    ("item", "readable"),
    [
        ("../../x", "x~"),
        ("a/b", "a-b~"),
        ("CON", "con~"),
        ("con", "con~"),
        ("lpt1", "lpt1~"),
        ("S01", "s01~"),
        ("Jörg", "j-rg~"),
        ("", "~"),
        (".", "~"),
        ("..", "~"),
        ("a\0b", "a-b~"),
        ("x" * 5000, "x" * 40 + "~"),
        ("-rf", "rf~"),
    ],
)
def test_other_names_keep_a_readable_part(item: str, readable: str) -> None:
    assert file_name(item).startswith(readable)


@settings(deadline=None)
@given(any_text)
@example("COM9")
@example("nul")
@example("\udcff")
def test_names_are_portable(item: str) -> None:
    name = file_name(item)
    assert re.fullmatch(r"[a-z0-9_~][a-z0-9_~-]{0,72}", name)
    assert not re.fullmatch(r"con|prn|aux|nul|com\d|lpt\d", name)


@settings(deadline=None)
@given(st.one_of(any_text, confusable), st.one_of(any_text, confusable))
@example("S01", "s01")
@example("\u00e9", "e\u0301")
@example("a/b", "a\\b")
@example("x" * 300, "x" * 301)
def test_two_items_never_share_a_name(one: str, other: str) -> None:
    assert (file_name(one).lower() == file_name(other).lower()) == (one == other)


@settings(deadline=None)
@given(any_text)
def test_a_name_is_not_the_name_of_another_items_name(item: str) -> None:
    name = file_name(item)
    assert file_name(name) != name or name == item
