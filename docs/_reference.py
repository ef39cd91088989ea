"""Write the pages of docs/reference/ from the code: python docs/_reference.py. A test holds them equal to it."""

import argparse
import ast
import contextlib
import io
import os
import re
from collections.abc import Iterator
from pathlib import Path

from xval.__main__ import main as carry_out
from xval.answers.finding_table import TABLE, Entry
from xval.commands import GROUPS, describe_commands
from xval.settings.architectures import COMBINATION, architecture_names, find_architecture
from xval.settings.classical import CLASSICAL
from xval.settings.options import Option

_ROOT = Path(__file__).parents[1]
_FOLDER = _ROOT / "docs/reference"
_WORDS = {
    "who": "variants",
    "listed": "variants",
    "items": "speakers",
    "item": "speaker",
    "n_items": "n speakers",
    "n_validated": "n",
    "class_word": "class",
    "above_chance": "above chance",
}
_MADE = "<!-- Made from the code by python docs/_reference.py. -->\n\n"


def settings_page() -> Iterator[str]:
    """Yield the settings with their defaults and meanings, as config.ini has them."""
    yield "# All settings"
    yield (
        "Each setting of `config.ini`, with its default. An experiment, a variant or `--set KEY=VALUE` overrides it:"
        " [Write and run an experiment](../experiments.md). `none` switches an optional setting off."
    )
    comment: list[str] = []
    table = ""
    for line in (_ROOT / "config.ini").read_text(encoding="utf-8").splitlines():
        if section := re.fullmatch(r"\[(\w+)\]", line):
            yield from filter(None, [table, f"## [{section[1]}]"])
            table = "| setting | default | meaning |\n| --- | --- | --- |"
        elif line.startswith("#"):
            comment.append(line.lstrip("# "))
            continue
        elif setting := re.fullmatch(r"(\w+) *= *(.*)", line):
            table += f"\n| `{setting[1]}` | {_cell(setting[2], is_code=True)} | {_cell(' '.join(comment))} |"
        comment = []
    yield table


def architectures_page() -> Iterator[str]:
    """Yield the networks and estimators that `architecture` may name, with their options."""
    yield "# All networks and estimators"
    yield (
        "What `architecture` may name. Give an option in a variant as a setting, for example"
        ' `{"architecture": "svm", "C": (1.0, 10.0)}`. Your own network: [Custom architectures](../own_parts.md).'
    )
    for name in (*architecture_names(), *CLASSICAL, COMBINATION):
        architecture = find_architecture(name)
        path = _ROOT / "architectures" / f"{name}.py"
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) if path.exists() else None
        yield from [f"## {name}", *_about(docstring), f"Tasks: {', '.join(architecture.task_types)}."]
        if architecture.options:
            yield "| option | type | default |\n| --- | --- | --- |" + "".join(map(_option, architecture.options.values()))


def commands_page() -> Iterator[str]:
    """Yield the help of each command."""
    yield "# All commands"
    yield (
        "`xval COMMAND --help` prints the same. `python -m xval`, `python -m preprocessing` (`xval prepare`) and"
        " `python -m augmentation` (`xval augment`) do the same without an installed program."
    )
    commands = describe_commands()
    for group in GROUPS:
        yield f"## {group}"
        for name, (of, _) in commands.items():
            if of == group:
                yield from [f"### xval {name}", f"```text\n{_help(name).strip()}\n```"]


def findings_page() -> Iterator[str]:
    """Yield what findings say, what to do, and why."""
    yield "# All findings"
    yield (
        "A finding is what you have to know to read the scores of an experiment. A run, the page and the workbook print its"
        " code, its name and a message, and `--details` adds what to do. XV1 is about the data, XV2 about training, XV3"
        " about the result. Words in italics are filled in."
    )
    yield (
        "To silence a finding that you know and accept, name its code in config.ini, in the experiment or for one run, and"
        " run the same command again:"
    )
    yield "```sh\npython experiments/exp1.py --set silence=XV105,XV303\n```"
    for code in sorted(TABLE):
        yield from [f"## {code} {TABLE[code].slug}", *_finding(TABLE[code])]


def _finding(entry: Entry) -> Iterator[str]:
    """Yield the paragraphs on a finding: its messages and what to do, each once, and why."""
    for label, texts in (
        ("Message", [text.message for text in entry.texts.values()]),
        ("What to do", [text.advice for text in entry.texts.values()]),
    ):
        told = [_filled(text) for text in dict.fromkeys(texts) if re.search(r"\w", re.sub(r"\{\w+\}", "", text))]
        if len(told) == 1:
            yield f"**{label}** {told[0]}"
        elif told:
            yield f"**{label}**\n\n" + "\n".join(f"- {text}" for text in told)
    yield f"**Why** {entry.why}"


def _filled(text: str) -> str:
    """Return a text with its fields as words in italics."""
    parts = re.split(r"\{(\w+)\}", text)
    return "".join(f"*{_WORDS.get(part.lower(), part.lower())}*" if at % 2 else _text(part) for at, part in enumerate(parts))


def _help(command: str) -> str:
    """Return what `xval COMMAND --help` prints in a terminal of 100 columns."""
    printed = io.StringIO()
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "100"
    try:
        with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
            carry_out([command, "--help"])
    finally:
        os.environ.pop("COLUMNS")
        if before is not None:
            os.environ["COLUMNS"] = before
    return printed.getvalue()


def _about(docstring: str | None) -> Iterator[str]:
    """Yield the paragraphs of a module, without those on its inputs and outputs."""
    for paragraph in re.split(r"\n\n+", docstring or ""):
        if paragraph and not paragraph.startswith("Comes in"):
            yield _text(" ".join(paragraph.split()))


def _option(option: Option) -> str:
    return f"\n| `{option.name}` | {_cell(option.annotation, is_code=True)} | {_cell(repr(option.default), is_code=True)} |"


def _cell(text: str, *, is_code: bool = False) -> str:
    text = text.replace("|", "\\|")
    return f"`{text}`" if is_code and text else _text(text)


def _text(text: str) -> str:
    """Return plain text as Markdown: names of pages are links, and nothing is a tag or is emphasised."""
    text = re.sub(r"([<*_])", r"\\\1", text)
    return re.sub(r"docs/([\w\\/]+)\.md", lambda page: f"[{page[1]}](../{page[1].replace(chr(92), '')}.md)", text)


PAGES = {
    "commands.md": commands_page,
    "findings.md": findings_page,
    "settings.md": settings_page,
    "architectures.md": architectures_page,
}


def all_pages() -> dict[str, str]:
    """Return the text of each page: its paragraphs, with a blank line between them."""
    return {name: _MADE + "\n\n".join(paragraphs()) + "\n" for name, paragraphs in PAGES.items()}


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    _FOLDER.mkdir(exist_ok=True)
    for name, text in all_pages().items():
        (_FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
