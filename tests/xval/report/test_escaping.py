import re
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xval.report.escaping import in_latex, in_markdown, needs_of_latex

MARKUP = set("\\`*_[]|#~$<>")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("<img src=x onerror=alert(1)>", "&lt;img src=x onerror=alert(1)&gt;"),
        ("[a](javascript:alert(1))", r"\[a\](javascript:alert(1))"),
        ("![a](http://x) `x` *b* ~~c~~ $d$ &lt;", r"!\[a\](http://x) \`x\` \*b\* \~\~c\~\~ \$d\$ &amp;lt;"),
        ("a | b\n\n# c", r"a \| b \# c"),
        ("- a", r"\- a"),
        ("1. a", r"1\. a"),
        ("12) a", r"12\) a"),
        ("0.5 less", "0.5 less"),
        ("daf_cnn _x_ y_", r"daf_cnn \_x\_ y\_"),
        ("a - 1. b", "a - 1. b"),
        ("evil\u202etxt\u200b\x1b[31m", r"evil\\u202etxt\\u200b\\x1b\[31m"),
    ],
)
def test_markdown_shows_what_the_text_is(text, shown):
    assert in_markdown(text) == shown


@given(st.text())
def test_no_markup_is_left_without_a_backslash_in_front(text):
    rest = re.sub(r"\\.|&(amp|lt|gt);", "", in_markdown(text))
    rest = re.sub(r"(?<=[^\W_])_(?=[^\W_])", "", rest)  # within a word it is no markup

    assert not set(rest) & MARKUP
    assert not re.search("[\u200b\u202e\x00-\x1f]", rest)


def test_latex_has_neither_commands_nor_invisible_letters():
    assert in_latex("50 % & 3_4 #1 $x$ {a} ~^ \\end{x}\ny") == (
        r"50 \% \& 3\_4 \#1 \$x\$ \{a\} \textasciitilde{}\textasciicircum{} \textbackslash{}end\{x\} y"
    )
    assert in_latex("a\u202eb\u200b\x1b") == r"a\textbackslash{}u202eb\textbackslash{}u200b\textbackslash{}x1b"
    assert in_latex("e\u0301") == "é"
    assert needs_of_latex("ä é – \u202e \\") == []
    assert needs_of_latex("ę") == [r"needs \usepackage[T1]{fontenc}"]
    assert needs_of_latex("😀 中中")[0].startswith("pdflatex lacks 中😀: compile with lualatex")


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="no LaTeX on this machine")
@pytest.mark.parametrize("package", ["", r"\usepackage[T1]{fontenc}"])
def test_pdflatex_sets_every_letter_of_which_nothing_is_said(tmp_path, package):
    needs = {
        letter: needs_of_latex(letter) for letter in map(chr, [*range(0x20, 0x180), *range(0x2010, 0x2040), 0x20AC, 0x2191])
    }
    letters = [letter for letter, said in needs.items() if not said or (package and package in said[0])]
    lines = "\n\n".join(map(in_latex, letters))
    document = f"\\documentclass{{article}}{package}\\begin{{document}}\n{lines}\n\\end{{document}}\n"
    (tmp_path / "letters.tex").write_text(document, encoding="utf-8")

    command = ["pdflatex", "-interaction=nonstopmode", "letters.tex"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=120, check=False)

    assert len(letters) > 200
    assert not re.findall(r"^! .*", ended.stdout.decode(errors="replace"), re.MULTILINE)
