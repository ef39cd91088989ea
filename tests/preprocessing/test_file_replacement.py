"""A file is there whole, or the old one still is."""

import os
from pathlib import Path

import pytest

from preprocessing.file_replacement import replace_file
from xval.base.errors import CorpusError
from xval.base.json_files import part_path


def test_a_file_is_written_and_replaced_and_nothing_else_stays(tmp_path: Path) -> None:
    path = tmp_path / "new" / "file.txt"
    for text in ("first", "second"):
        replace_file(path, lambda temporary, text=text: temporary.write_text(text))
        assert path.read_text() == text
    assert list(path.parent.iterdir()) == [path]


def test_what_a_killed_writer_of_the_same_file_left_is_removed(tmp_path: Path) -> None:
    own = part_path(tmp_path / "file.txt").name
    left = tmp_path / own.replace(f"-{os.getpid()}-", "-999999999-")
    left.touch()

    replace_file(tmp_path / "other.txt", lambda temporary: temporary.write_text("x"))
    replace_file(tmp_path / "file.txt", lambda temporary: temporary.write_text("x"), among_many=True)
    assert left.exists()
    replace_file(tmp_path / "file.txt", lambda temporary: temporary.write_text("x"))
    assert not left.exists()


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_breaks_off_leaves_the_old_file(tmp_path: Path, error: BaseException) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")

    def break_off(temporary: Path) -> None:
        temporary.write_text("ne")
        raise error

    with pytest.raises((CorpusError, KeyboardInterrupt)) as raised:
        replace_file(path, break_off)
    if isinstance(error, OSError):
        assert str(raised.value) == f"{path} cannot be written: No space left on device."
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
