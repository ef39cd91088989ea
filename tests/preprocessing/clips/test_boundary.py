"""Which files a corpus from elsewhere may name: those in its folders, wherever links lead."""

import os
from pathlib import Path

import pytest

from preprocessing.clips.boundary import Boundary


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A corpus with a file, beside a file that is none of its."""
    (tmp_path / "corpus" / "audio").mkdir(parents=True)
    (tmp_path / "corpus" / "audio" / "a.wav").write_text("audio")
    (tmp_path / "key").write_text("secret")
    return tmp_path / "corpus"


def test_names_inside_are_found_from_the_first_folder(folder: Path) -> None:
    boundary = Boundary(folder)
    audio = (folder / "audio" / "a.wav").resolve()
    assert boundary.find("audio/a.wav") == audio
    assert boundary.find("audio/../audio/./a.wav") == audio
    assert boundary.find("audio\\a.wav") == audio
    assert boundary.find(str(audio)) == audio
    assert boundary.find("audio/new.wav") == audio.with_name("new.wav")


@pytest.mark.parametrize("name", ["../key", "audio/../../key", "..\\key", "{parent}/key", "/etc/passwd", "audio/\0", ".."])
def test_names_that_lead_out_are_none(folder: Path, name: str) -> None:
    assert Boundary(folder).find(name.replace("{parent}", str(folder.parent))) is None


def test_links_are_followed(folder: Path) -> None:
    (folder / "inside.wav").symlink_to(folder / "audio" / "a.wav")
    (folder / "outside.wav").symlink_to(folder.parent / "key")
    (folder / "above").symlink_to(folder.parent)
    (folder / "loop.wav").symlink_to(folder / "loop.wav")
    boundary = Boundary(folder)
    assert boundary.find("inside.wav") == (folder / "audio" / "a.wav").resolve()
    assert boundary.find("outside.wav") is None
    assert boundary.find("above/key") is None
    assert not (boundary.find("loop.wav") or Path("none")).is_file()


def test_a_way_through_a_link_and_back_is_that_of_its_name(folder: Path) -> None:
    """The link's target lies deeper, so that its ``..`` is another folder than that of the name."""
    (folder / "deep" / "er").mkdir(parents=True)
    (folder / "link").symlink_to(folder / "deep" / "er")
    (folder / "evil").symlink_to(folder.parent / "key")
    assert Boundary(folder).find("link/../evil") is None


def test_a_way_through_a_link_and_back_is_also_that_of_the_system(folder: Path) -> None:
    (folder.parent / "private" / "in").mkdir(parents=True)
    (folder / "link").symlink_to(folder.parent / "private" / "in")
    (folder / "table").write_text("own")
    assert Boundary(folder).find("link/../table") is None
    assert Boundary(folder).find("link\\..\\table") is None


def test_a_backslash_may_be_a_part_of_the_name(folder: Path) -> None:
    (folder / "audio\\a.wav").symlink_to(folder.parent / "key")
    assert Boundary(folder).find("audio\\a.wav") is None


def test_a_folder_that_is_a_link_itself_is_the_users_choice(folder: Path) -> None:
    (folder.parent / "other").symlink_to(folder)
    assert Boundary(folder.parent / "other").find("audio/a.wav") == (folder / "audio" / "a.wav").resolve()


def test_several_folders_may_be_named(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").mkdir()
    boundary = Boundary(folder, tmp_path / "cache")
    assert boundary.find(str(tmp_path / "cache" / "b.wav")) == (tmp_path / "cache" / "b.wav").resolve()
    assert boundary.find(os.fspath(tmp_path / "cached.wav")) is None
