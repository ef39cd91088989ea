"""What errors and warnings advise: every option and command in them exists, and following them leads on."""

import ast
import contextlib
import io
import re
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

import preprocessing
from augmentation.__main__ import main as augment
from preprocessing.__main__ import main
from preprocessing.commands import COMMANDS
from preprocessing.corpora import corpus_names
from preprocessing.corpus import open_corpus
from xval.base.errors import CorpusError

ROOT = Path(preprocessing.__file__).parent
OPTION = re.compile(r"(?<![\w-])--[a-z][a-z-]*[a-z]")


def texts(path: Path) -> Iterator[str]:
    """Yield the texts of a file that are no docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    holders = [node for node in ast.walk(tree) if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)]
    docstrings = {id(node.body[0].value) for node in holders if node.body and isinstance(node.body[0], ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            yield node.value


@pytest.fixture(scope="module")
def help_options() -> dict[str, set[str]]:
    """The options in the help of each corpus and command, by its name."""
    found: dict[str, set[str]] = {}
    for name in (*corpus_names(), *COMMANDS):
        words = [name, "demo"] if name == "show" else [name]
        found[name] = _options_of(main, [*words, "--help"])
    found["augmentation"] = _options_of(augment, ["--help"])
    return found


def _options_of(program: Callable[[list[str]], object], words: list[str]) -> set[str]:
    text = io.StringIO()
    with contextlib.redirect_stdout(text), pytest.raises(SystemExit):
        program(words)
    return set(OPTION.findall(text.getvalue()))


def test_every_option_and_command_that_is_named_exists(help_options: dict[str, set[str]]) -> None:
    others = {"--no-deps", "--include", "--notest", "--segments"}  # of pip, of the hub's program, of convmv and of predict
    every = others.union(*help_options.values())
    n_named = 0
    for path in sorted(ROOT.rglob("*.py")):
        own = help_options.get(path.stem) if path.parent.name == "corpora" else None
        for text in texts(path):
            named = set(OPTION.findall(text))
            n_named += len(named)
            assert named <= (own or every), f"{path}: {text}"
            for command in re.findall(r"xval prepare ([a-z]\w*)", text):
                assert command in (*help_options, "again", "writes"), f"{path}: {text}"
    assert n_named > 100


@pytest.fixture
def audio(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Go to an empty folder; return a function that writes short recordings there."""
    monkeypatch.chdir(tmp_path)

    def write(*names: str) -> None:
        for seed, name in enumerate(names):
            Path(name).parent.mkdir(parents=True, exist_ok=True)
            soundfile.write(name, np.random.default_rng(seed).normal(0, 0.1, 3200), 16000)

    return write


FLAT = tuple(f"words/{name}_{word}.wav" for name in ("anna", "ben", "cleo") for word in ("no", "yes"))
NESTED = tuple(f"words/{name}/{word}/1.wav" for name in ("anna", "ben", "cleo") for word in ("no", "yes"))
ROWS = "".join(f"{Path(name).name},{Path(name).name.split('_')[0]},{Path(name).stem.split('_')[1]}\n" for name in FLAT)
AGES = "".join(f"anna_no.wav,s{number % 3},{number},{number}e-3\n" for number in range(24))


@pytest.mark.parametrize(
    ("files", "table", "command", "advice"),
    [
        (FLAT, "", "folders words", r"as (--label-pattern '.*?' --item-pattern '.*?') \("),
        (NESTED, "", "folders words", r"inner folders are the classes, give (--label-pattern '.*?'),"),
        (NESTED, "", "folders words", r"outer folders are the classes, give (--item-pattern '.*?') if"),
        (FLAT, "file,item,label\n" + ROWS, "table words/clips.csv", r"give (--path file)\."),
        (FLAT, "path,speaker,label\n" + ROWS, "table words/clips.csv", r"give (--item speaker)\."),
        (FLAT, "path,item,Word\n" + ROWS, "table words/clips.csv", r"give (--label Word)\."),
        (FLAT, "path,who,label\n" + ROWS, "table words/clips.csv", r"each file is an item: (--item path)\."),
        (
            FLAT,
            "path,item,label,start_s\n" + AGES,
            "table words/clips.csv --overlaps keep --shared-files keep",
            r"give (--task-type regression);",
        ),
        (
            FLAT,
            "path,item,label,start_s\n" + AGES,
            "table words/clips.csv --overlaps keep --shared-files keep",
            r"of a class, give (--task-type classification)\.",
        ),
        (
            FLAT,
            "path,item,label\n" + ROWS,
            "table words/clips.csv --audio-folder gone",
            r"Give the folder with (--audio-folder)\.",
        ),
        (FLAT, "path,item,label\n" + ROWS, "table clips.csv", r"give (--audio-folder words)\."),
    ],
)
def test_following_an_advice_leads_to_a_store(
    files: tuple[str, ...], table: str, command: str, advice: str, audio, capsys: pytest.CaptureFixture[str]
) -> None:
    audio(*files)
    if table:
        Path(command.split()[1]).write_text(table)
    assert main(command.split()) == 2
    found = re.search(advice, " ".join(capsys.readouterr().err.split()))
    assert found
    mended = [*command.split(), *shlex.split(found[1]), *(["words"] if found[1] == "--audio-folder" else [])]
    assert main([*mended, "--dataset", "words", "--workers", "1", "--set", "features=mfcc"]) == 0
    assert "Dataset    words: " in capsys.readouterr().out


@pytest.mark.parametrize("name", ["folders", "demo", "mine"])
def test_the_command_that_makes_a_missing_corpus_makes_it_under_its_name(name: str, audio) -> None:
    audio(*(f"words/{path}.wav" for path in ("no/1", "no/2", "yes/1", "yes/2")))
    with pytest.raises(CorpusError) as caught:
        open_corpus(name, Path("data"))
    advised = re.search(r"Prepare it: xval prepare (.*?)(?:  \(|$)", str(caught.value))
    assert advised
    command = advised[1].replace("CORPUS ...", "folders words").replace("AUDIO_FOLDER", "words")
    assert main([*command.split(), "--workers", "1", *(["--n-speakers", "1"] if name == "demo" else [])]) == 0
    assert open_corpus(name, Path("data")).dataset == name
