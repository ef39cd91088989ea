"""Texts that Python's parser cannot take are refused as those that are no Python."""

import ast
from pathlib import Path

import pytest

from xval.base.errors import SettingsError
from xval.base.literals import parse_expression, parse_module, read_literal
from xval.base.user_code.files import imported_modules
from xval.experiment.declare import parse_assignments
from xval.settings.part_arguments import join_arguments, split_arguments

DEEP = [f"{n * sign}1" for sign in "-~" for n in (500, 3000, 20_000)] + [f"{n * '['}1{n * ']'}" for n in (250, 5000)]
NO_LITERALS = [*DEEP, "{[]}", "{[]: 1}", "10**10**10", "0x" + 10_000 * "f", 5000 * "9", "'a' * 10**10", "f()", "", "\0"]


def test_what_is_python_is_read(tmp_path: Path) -> None:
    (tmp_path / "part.py").write_text("x = -1")

    assert read_literal("(1, -0.5, 'a')") == (1, -0.5, "a")
    assert read_literal(parse_expression("[True, None]")) == [True, None]
    assert isinstance(parse_expression("a < 1"), ast.Compare)
    assert len(parse_module(tmp_path / "part.py").body) == 1


@pytest.mark.parametrize("text", NO_LITERALS, ids=lambda text: f"{text[:8]}{len(text)}".replace("\0", "null"))
def test_what_is_no_literal_is_refused_wherever_one_is_read(text: str) -> None:
    with pytest.raises((ValueError, SyntaxError)):
        read_literal(text)
    with pytest.raises(SettingsError, match="is not a literal"):
        parse_assignments([f"batch_size={text}"], "instance 1")
    with pytest.raises(SettingsError, match="expected arguments with literal values"):
        split_arguments("optimizer", f"beta_1={text}")
    with pytest.raises(SettingsError, match=r"allowed|literal|number"):
        join_arguments("optimizer", f"beta_1={text}", {})


@pytest.mark.parametrize("source", ["x = " + 20_000 * "-" + "1", "x = \0", "x ="], ids=["deep", "null", "cut"])
def test_a_file_that_python_cannot_parse_is_no_python(tmp_path: Path, source: str) -> None:
    (tmp_path / "part.py").write_text(source)

    with pytest.raises(SyntaxError):
        parse_module(tmp_path / "part.py")
    assert list(imported_modules({"part.py": tmp_path / "part.py"})) == []
