"""What the program prints, raises and explains has the field's words, and none that were coined for it."""

import ast
import re
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

# A human listener hears, a user asks, and the program that is described in its own module docstring stays out of this.
ALLOWED = ("can be heard", "to hear it")


def phrases() -> list[str]:
    """Return the phrases that no text may have."""
    return [part.split(":")[0].strip() for part in " ".join(COINED.split()).split(";")]


def texts() -> Iterator[tuple[str, str]]:
    """Yield every text of several words in the code that is no docstring, of templates and config.ini, with its place."""
    for path in sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        docstrings = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
                yield f"{path.relative_to(ROOT)}:{node.lineno}", node.value
    for path in sorted((ROOT / "xval/report/templates").glob("*.*")):
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".js":
            for string in re.findall(r'"[^"\n]*"|`[^`]*`', text):
                yield path.name, string
        elif path.suffix in (".html", ".md"):
            shown = re.sub(r"\{[%{].*?[%}]\}", "x", text, flags=re.DOTALL)
            yield from ((path.name, line) for line in shown.splitlines())
    for number, line in enumerate((ROOT / "config.ini").read_text(encoding="utf-8").splitlines(), 1):
        if line.startswith("#"):
            yield f"config.ini:{number}", line


_MARKUP = re.compile("<style>.*|<[^>]*>", re.DOTALL)
PRINTED = [(place, text) for place, given in texts() if (text := " ".join(_MARKUP.sub(" ", given).split())).count(" ") > 1]


@pytest.mark.parametrize("phrase", phrases())
def test_no_message_has_the_phrase(phrase: str) -> None:
    """Each text that a user may read keeps to the words of the field."""
    found = [
        f"{place}: {text[:120]}"
        for place, text in PRINTED
        if re.search(rf"\b{re.escape(phrase)}\b", text, re.IGNORECASE) and not any(word in text for word in ALLOWED)
    ]
    assert found == []


NOUNS = "clip|recording|file|speaker|item|fold|variant|instance|job|example|row|label|track|utterance|event|sample|line|frame"


def test_a_verb_agrees_with_a_number_that_may_be_one() -> None:
    """No text has a number, a plural and a verb in the plural: of one it would be wrong ("1 recordings are skipped")."""
    wrong = []
    for path in sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
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
