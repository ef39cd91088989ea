"""What the program prints, raises and explains has the field's words, and none that were coined for it."""

import ast
import re
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("xval", "preprocessing", "augmentation", "architectures", "experiments")

# What to write instead of each stands behind it.
COINED = """
told apart: distinguished; tells apart: distinguishes; tell apart: distinguish; tell them apart: distinguish them;
too good: optimistically biased; too sure: overconfident; surest: most confident;
unheard: unseen; had heard: was trained on; has heard: was trained on; it heard: it was trained on; hears: reads;
bit for bit: exactly the same; likewise: also; at hand: available; in the place of: instead of; in its place: instead;
module of your own: your own module; modules of your own: your own modules; study of your own: your own study;
function of your own: your own function; splitter of your own: your own splitter; strategy of your own: your own strategy;
class of your own: your own class; name of its own: its own name; seed of its own: its own seed;
functions of your own: your own functions; metrics of your own: your own metrics;
stretch of: segment of; stretches of: segments of; the stretch: the segment; a stretch: a segment;
refused: not supported; refuses: does not support;
left out: skipped, excluded; leave it out: remove it; leave them out: remove them; leave out: remove; leaves out: excludes;
lies in: is in; lie in: are in; lies beside: is next to; lies above: is above; lies below: is below;
stands in: is in; stands alone: cannot be combined; goes on: continues; go on: continue;
beside: next to; besides: also; alone: only; anew: again; mend: fix;
repetition of the cross-validation: repeat; repetitions of the cross-validation: repeats;
answers with: predicts, outputs; answer of: prediction of; answers of: predictions of; worst answers: worst predictions;
new speakers: unseen speakers;
as asked: as requested; listens to: reads; what was answered: the prediction; be answered: be predicted;
suspects: suspicious labels; is asked for: is requested; ahead of the: before the; is gone: is missing
"""

# Words that help and references do not need at all, with what to write instead; `knows-the-speaker` is the name of a finding.
WORDS_OF_NO_HELP = """
heard: trained on, seen; unheard: unseen; figure: score; figures: scores; answer: prediction; answers: predictions;
told: recognised, distinguished; tells: shows; said: printed; says: has, prints; knows: has, was trained on; wants: needs;
stands: is; lie: are; lies: is; deal: repeat; deals: repeats; alone: only; beside: next to; anew: again; surest: most confident
"""

# A human listener hears, a user asks, and the program that is described in its own module docstring stays out of this.
ALLOWED = ("can be heard", "to hear it")
# Values of the column `level` in quality.csv, as the page of findings shows them.
LEVELS = re.compile(r"\| (refused|left out) \||\*(refused|left out)\*")


def phrases(listed: str) -> list[str]:
    """Return the phrases of a list."""
    return [part.split(":")[0].strip() for part in " ".join(listed.split()).split(";")]


TREES = {
    path: ast.parse(path.read_text(encoding="utf-8"))
    for path in sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
}


def texts() -> Iterator[tuple[str, str]]:
    """Yield every text of several words in the code that is no docstring, of templates and config.ini, with its place."""
    for path, tree in TREES.items():
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node.value
    for path in sorted(path for form in ("html", "js", "md") for path in (ROOT / "xval").rglob(f"*.{form}")):
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".js":
            for string in re.findall(r'"[^"\n]*"|`[^`]*`', text):
                yield path.name, string
        elif path.suffix in (".html", ".md"):
            shown = re.sub(r"\{[%{].*?[%}]\}|<style>.*?</style>|style=\"[^\"]*\"", "x", text, flags=re.DOTALL)
            yield from ((path.name, line) for line in shown.splitlines())
    for number, line in enumerate((ROOT / "config.ini").read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("#"):
            yield f"config.ini:{number}", line


_MARKUP = re.compile("<style>.*|<[^>]*>", re.DOTALL)


def helps() -> Iterator[tuple[str, str]]:
    """Yield the texts that ``--help`` takes from docstrings and presets, and those of the references made from the code."""
    of_modules = ("xval/commands/[a-z]*.py", "xval/extras/*/command.py")
    for pattern in (*of_modules, "preprocessing/corpora/[a-z]*.py", "architectures/[a-z]*.py", "experiments/[a-z]*.py"):
        for path in sorted(ROOT.glob(pattern)):
            described = [
                TREES[path],
                *(node for node in TREES[path].body if getattr(node, "name", "") in ("list_clips", "list_recordings")),
            ]
            for node in described:
                yield str(path.relative_to(ROOT)), (ast.get_docstring(node) or "").split("\nReturns:")[0]
    for path in sorted((ROOT / "preprocessing/encoders/presets").glob("*.toml")):
        for value in tomllib.loads(path.read_text(encoding="utf-8")).values():
            yield str(path.relative_to(ROOT)), str(value)
    for path in sorted((ROOT / "docs/reference").glob("*.md")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            yield f"docs/reference/{path.name}:{number}", LEVELS.sub("", line)


HELP = list(helps())
PRINTED = [
    (place, text) for place, given in [*texts(), *HELP] if (text := " ".join(_MARKUP.sub(" ", given).split())).count(" ") > 1
]


@pytest.mark.parametrize("phrase", phrases(COINED))
def test_no_message_has_the_phrase(phrase: str) -> None:
    """Each text that a user may read keeps to the words of the field."""
    found = [
        f"{place}: {text[:120]}"
        for place, text in PRINTED
        if re.search(rf"\b{re.escape(phrase)}\b", text, re.IGNORECASE) and not any(word in text for word in ALLOWED)
    ]
    assert found == []


@pytest.mark.parametrize("word", phrases(WORDS_OF_NO_HELP))
def test_no_help_has_the_word(word: str) -> None:
    """Descriptions of commands, options, corpora, networks, encoders, settings and findings keep to the words of the field."""
    found = [
        f"{place}: {text[:120]}"
        for place, text in HELP
        if re.search(rf"\b{word}\b", text.replace("knows-the-speaker", ""), re.IGNORECASE)
        and not any(allowed in text for allowed in ALLOWED)
    ]
    assert found == []


OF_OTHER_PROGRAMS = """
--backend-store-uri --constraint --editable --gpus --head --help --include --logdir --no-deps --notest --nv --rm --target --user
--version
"""


def options() -> set[str]:
    """Return every option that a program of the project takes: those of its parsers, of readers and of rows of tables."""
    found = set(OF_OTHER_PROGRAMS.split())
    for tree in TREES.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "add_argument":
                found |= {word.value for word in node.args if isinstance(word, ast.Constant)}
            elif isinstance(node, ast.FunctionDef) and node.name == "list_clips":
                found |= {f"--{argument.arg.replace('_', '-')}" for argument in node.args.kwonlyargs}
            elif isinstance(node, ast.ClassDef) and node.name == "RowOptions":
                names = [field.target.id for field in node.body if isinstance(field, ast.AnnAssign)]
                found |= {f"--{name.replace('_', '-')}" for name in names}
    return found


def test_no_text_names_a_command_that_xval_had_before() -> None:
    """What to type, in messages, help and settings, is a command of today."""
    before = re.compile(r"\bxval (start|plan|cross|verify|check|review|publish)\b(?!-)")

    assert [f"{place}: {text[:120]}" for place, text in PRINTED if before.search(text)] == []


def test_no_text_names_an_option_that_no_program_has() -> None:
    """What to type, in messages, help, settings and docs, is an option of today."""
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    known, texts = options(), [*PRINTED, *((path.name, path.read_text(encoding="utf-8")) for path in pages)]
    named = {(place, word) for place, text in texts for word in re.findall(r"(?<![\w-])(?<!var\()--[a-z][a-z-]+\b", text)}

    assert sorted((place, word) for place, word in named if word not in known) == []


NOUNS = "clip|recording|file|speaker|item|fold|variant|instance|job|example|row|label|track|utterance|event|sample|line|frame"


def test_a_verb_agrees_with_a_number_that_may_be_one() -> None:
    """No text has a number, a plural and a verb in the plural: of one it would be wrong ("1 recordings are skipped")."""
    wrong = []
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            parts = node.values if isinstance(node, ast.JoinedStr) else []
            for place, (number, text) in enumerate(pairwise(parts)):
                before = parts[place - 1] if place else None
                is_all = isinstance(before, ast.Constant) and re.search(r"\ball( the)? $", str(before.value))
                is_number = isinstance(number, ast.FormattedValue) and not is_all
                if (
                    is_number
                    and isinstance(text, ast.Constant)
                    and re.match(rf" ([a-z]+ )?({NOUNS})s (are|have|were|do|lack)\b", str(text.value))
                ):
                    wrong.append(f"{path.relative_to(ROOT)}:{node.lineno}: {text.value[:60]}")
    assert wrong == []
