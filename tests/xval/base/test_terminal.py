import io
import os
import subprocess
import sys

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.table import Table
from rich.text import Text

from preprocessing.console import carry_out
from preprocessing.visible_console import VisibleConsole
from xval.base.errors import SettingsError
from xval.base.terminal import visible
from xval.experiment.command_line import make_wide_console

HOSTILE = "a\x1b[31m\x9b2J\x07\u202e\udcff\x7fz\u200b\ufeff\xad\u2060\u200d"
SHOWN = r"a\x1b[31m\x9b2J\x07\u202e\xff\x7fz\u200b\ufeff\xad\u2060\u200d"


@pytest.mark.parametrize(
    ("encoding", "errors", "shown"),
    [
        ("cp1252", "strict", "± ? é ..."),
        ("ascii", "strict", "+- ? ? ..."),
        ("ascii", "surrogateescape", "+- ? ? ..."),  # that of LC_ALL=C
        ("ascii", "backslashreplace", "+- ? ? ..."),  # of the standard error
        ("utf-8", "strict", "± ⟶ é …"),
        ("ascii", "ignore", "   "),  # somebody asked for it
    ],
)
@pytest.mark.parametrize("stream", ["stdout", "stderr"])
def test_text_that_the_encoding_lacks_stops_no_command(monkeypatch, stream, encoding, errors, shown):
    written = io.BytesIO()
    monkeypatch.setattr(sys, stream, io.TextIOWrapper(written, encoding=encoding, errors=errors, write_through=True))

    assert carry_out(lambda: getattr(sys, stream).write("± ⟶ é …\n") * 0) == 0
    expected = shown if encoding != "cp1252" else "± ? é …"
    assert written.getvalue().decode(encoding) == f"{expected}\n"


def test_the_tables_of_a_run_are_printed_where_only_ascii_can_be(tmp_path):
    (tmp_path / "exp.py").write_text(
        "from xval import Experiment\n"
        "experiment = Experiment('a test', architecture='mlp')\n"
        "experiment[1] = {'comment_1': '± 5 … é'}\n"
        "experiment[2] = {'comment_1': '\\x1b[31m'}\n"
        "experiment.main(['--list'])\n",
        encoding="utf-8",
    )
    variables = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
    command = [sys.executable, "exp.py"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, env=os.environ | variables, check=False)

    assert ended.returncode == 0, ended.stderr
    assert b"+- 5 ... ?" in ended.stdout
    assert rb"\x1b[31m" in ended.stdout
    assert b"\x1b" not in ended.stdout


@given(st.text())
@example(HOSTILE)
def test_a_name_has_no_power_over_the_terminal(name):
    shown = visible(name)

    controls = {*map(chr, range(10)), *map(chr, range(11, 32)), *map(chr, range(127, 160))}
    assert not set(shown) & {*controls, "\u200b", "\u202e", "\u2066"}
    shown.encode()
    assert visible(shown) == shown
    if name.isprintable():
        assert shown == name


def test_joiners_that_shape_letters_and_emoji_are_no_hidden_characters():
    assert visible("می\u200cخواهم 👨\u200d👩") == "می\u200cخواهم 👨\u200d👩"
    assert visible("ab\u200dc") == r"ab\u200dc"


def test_names_are_shown_as_they_are_written_wherever_they_are_printed(capsys):
    assert visible(HOSTILE) == SHOWN
    table = Table()
    table.add_column(HOSTILE)
    table.add_row(HOSTILE)
    for console in (VisibleConsole(soft_wrap=True), make_wide_console()):
        console.print(HOSTILE)
        console.print(Text(HOSTILE))
        console.print(table)
    printed = capsys.readouterr().out

    assert not set(printed) & set("\x1b\x9b\x07\u202e\udcff\x7f")
    assert printed.count(SHOWN) == 6
    assert printed.count(SHOWN.replace(r"\x07", "")) == 2  # rich drops the bell of a Text


def test_colours_stay(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    console = VisibleConsole(file=io.StringIO(), force_terminal=True, color_system="standard")
    console.print("failed \x1b[0m", style="red")

    assert console.file.getvalue() == "\x1b[31mfailed \\x1b[0m\x1b[0m\n"


def test_an_error_shows_what_it_names(capsys):
    def fail():
        raise SettingsError(f"{HOSTILE}: no such file.\nsecond: fault.")

    assert carry_out(fail) == 2
    assert capsys.readouterr().err == f"error: {SHOWN}: no such file.\nerror: second: fault.\n"


def test_a_console_can_be_made_where_the_standard_output_is_closed(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr(sys, "stdout", None)

    make_wide_console().print("nowhere")
