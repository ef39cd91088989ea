"""Escape untrusted text for Markdown and LaTeX: no markup, no commands, no change of text direction, one line.

Examples are names of classes, items and files, and comments.

Source: CommonMark 0.31.2, section 2.4 (backslash escapes); for invisible characters see `xval.base.terminal`.
"""

import re
import unicodedata

from xval.base.terminal import visible

_MARKDOWN = re.compile(
    r"[\\`*\[\]|#~$]|_(?![^\W_])|(?<![^\W_])_|^[-+=]|^\d{1,9}[.)](?=\s|$)"
)  # daf_cnn and 0.1.0 are no markup
_HTML = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}
_LATEX = {
    "\\": r"\textbackslash{}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "{": r"\{", "}": r"\}",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}",
    "↑": r"$\uparrow$", "↓": r"$\downarrow$",
}  # fmt: skip
_IN_T1 = re.compile("[«»ÐÞðþĄąĐđĘęĮįŊŋŲų‚„‹›]")
_BEYOND_PDFLATEX = re.compile("[ĦħĸĿŀŉŦŧſ]|[^\x00-\u017f–—‘’‚“”„†‡•…‰‹›€™↑↓]")


def in_markdown(text: object) -> str:
    """Return Markdown that shows this text, in a line, a cell or a sentence, even if HTML is allowed."""
    line = " ".join(visible(str(text)).split())
    escaped = _MARKDOWN.sub(lambda match: f"{match[0][:-1]}\\{match[0][-1]}", line)
    return "".join(_HTML.get(letter, letter) for letter in escaped)


def in_latex(text: str) -> str:
    """Return LaTeX that shows this text."""
    return "".join(_LATEX.get(letter, letter) for letter in _in_line(text))


def needs_of_latex(text: str) -> list[str]:
    """Return a sentence for each further requirement of a document to show every letter of a text in LaTeX."""
    line = _in_line(text)
    needs = ["needs \\usepackage[T1]{fontenc}"] if _IN_T1.search(line) else []
    if beyond := sorted(set(_BEYOND_PDFLATEX.findall(line))):
        needs.append(f"pdflatex lacks {''.join(beyond)}: compile with lualatex or xelatex and a font that has them")
    return needs


def _in_line(text: str) -> str:
    return unicodedata.normalize("NFC", visible(text).replace("\n", " "))
