"""README.md and docs/: every command is one that the programs understand, every setting exists, the short ones are run."""

import argparse
import ast
import importlib
import json
import re
import runpy
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import soundfile

import xval
from augmentation.offline_settings import read_augmentation_settings
from preprocessing import corpora
from preprocessing.clips.table import check_clips
from preprocessing.commands.command_line import read_settings
from preprocessing.options.argument_parser import Parser
from xval.base.config_file import read_defaults
from xval.base.synonyms import SETTINGS as SYNONYMS
from xval.experiment import command_line
from xval.reuse.inference.model import SavedModel
from xval.settings.architectures import architecture_names, find_architecture
from xval.settings.classical import CLASSICAL
from xval.settings.part_arguments import PARTS, is_argument
from xval.settings.resolve import Declaration, resolve

ROOT = Path(__file__).resolve().parents[1]
# Their commands are held to the programs as those of the docs.
MEASURED = ("benchmarks/ravdess.md", "benchmarks/recipe.md", "benchmarks/statistics.md", "benchmarks/systems.md")
PAGES = {name: (ROOT / name).read_text(encoding="utf-8") for name in MEASURED}
PAGES |= {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))}
PROGRAMS = ("python ", "xval ", "make ", "pip ")
NAMES_ALONE = re.compile(r"(python -m \w+|xval)( [\w-]+)?( (show|rename|encoders|convert|mix))?")
MODULES = {"python -m xval": "xval", "python -m preprocessing": "xval prepare", "python -m augmentation": "xval augment"}
OF_PREPARING = ("prepare", "augment")

PATTERN = re.compile(r" \.\.\.|\b(NAME|ROUTE|COMMAND)\b")  # the form of many commands, not one to be run
OF_A_STUDY = {  # what `xval new` makes, and a user in it
    "experiments/first.py",
    "my_study/experiments/first.py",
    "experiments/emotion.py",
    "own_words",
}

NEEDS = {
    "the packages anew, or an hour": {"make demo", "make test", "make test-slow", "make bench", "make docs"},
    "many minutes": {"python experiments/search.py", "python experiments/search.py 2", "pip install -e '.[search]'"},
    "a corpus that is not generated here": {
        "xval prepare ravdess FOLDER",
        "python -m preprocessing ravdess ravdess_audio --download --dataset emotions",
        "xval prepare audformat FOLDER_OF_DB_YAML --label emotion --dataset emodb",
        "xval prepare huggingface SOURCE --label word --item speaker --dataset words",
        "xval augment mix EVENTS BACKGROUNDS OUTPUT --annotation CSV",
        "xval cross-corpus ravdess emodb crema_d --set architecture=svm --set features=mfcc",
        "xval evaluate results/ravdess/experiment_1:2 new.csv",
        'xval predict results/ravdess/experiment_1:2 clips --item-pattern "(anna|ben)_"',
        "python experiments/bats.py",
        "xval prepare my_corpus FOLDER",
    },
    "a reviewer in front of a browser": {
        "xval review-labels results/demo/experiment_1",
        "xval review-labels results/demo/experiment_1:1 --reviewer ann",
        "xval prepare demo --corrections data/demo/corrections.csv",
        "xval run experiments/demo.py --set dataset=demo_corrected",
        "xval compare results/demo/experiment_1 1 results/demo_corrected/experiment_1:1",
    },
    "a corpus whose name other commands need": {"xval prepare rename mine ravens"},
    "a corpus with a column of languages": {
        "python experiments/exp1.py --where 'language == \"de\"'",
        """python experiments/exp1.py --set 'train_where=language == "de"' --set 'test_where=language == "en"'""",
    },
    "two GPUs": {
        "python experiments/exp1.py 3 7 0,1",
    },
    "an experiment of the reader's": {
        "xval status FOLDER",
        "xval add-metrics EXPERIMENT my_module.my_metric",
        "xval refit EXPERIMENT:N",
        "xval compare EXPERIMENT --metric ece",
        "xval report EXPERIMENT --details",
        "xval rebuild EXPERIMENT",
        "xval audit EXPERIMENT",
        "xval refit EXPERIMENT",
        "xval export MODEL --format onnx --from-samples",
    },
    "a server": {"python experiments/search.py --set 'search_storage=postgresql://me:${PASSWORD}@host/searches'"},
    "a cluster": {
        "python experiments/exp1.py --executor slurm --set slurm_partition=gpu",
        "python experiments/exp1.py --executor ray --set ray_address=HOST:6379",
    },
    "a package of npm": {
        "xval bundle results/demo/experiment_1/instance_1/fold_1 --output page --onnxruntime-web ort.tgz",
    },
    "a recorder or a microphone": {
        "xval predict results/demo/experiment_1 --follow recordings --output live.csv",
        "xval predict results/demo/experiment_1 --microphone --seconds 30",
    },
    "a network, from which an encoder is fetched": {
        "xval prepare encoders fetch hubert-base --unchecked",
        "xval prepare encoders fetch wav2vec2-base",
    },
    "a GPU": {
        "python experiments/exp1.py 3 7 0 --workers-per-gpu 8 --set backend=jax",
    },
}


class Command(NamedTuple):
    """A command of the docs: the page, its words, and whether it stands in the running text."""

    page: str
    text: str
    is_inline: bool


class Parsed(BaseException):
    """A parser has understood a command line; it goes no further."""


def code_of(text):
    """Yield (language, code) of each block of a page, indented ones as those of the shell, and lastly the text without them."""
    rest, block, language = [], None, ""
    for line in text.split("\n"):
        fence = re.match(r"\s*```(\w*)", line)
        if fence and block is None:
            block, language = [], fence[1]
        elif fence:
            yield language, "\n".join(block)
            block = None
        elif block is not None:
            block.append(line)
        elif line.startswith("    "):
            yield "sh", line.strip()
        else:
            rest.append(line)
    yield "", "\n".join(rest)


def commands_of(page, text):
    for language, code in code_of(text):
        inline = not language
        if language not in ("", "sh"):
            continue
        for found in re.findall(r"`([^`]+)`", code) if inline else code.split("\n"):
            for part in re.split(r"\s+#\s", found.strip())[0].split(" && "):
                if part.startswith(PROGRAMS) and not PATTERN.search(part) and OF_A_STUDY.isdisjoint(part.split()):
                    yield Command(page, part.partition(" > ")[0].strip(), inline)


def as_xval(text):
    """Return a command as ``xval ...``, however it is written."""
    return next((text.replace(module, name, 1) for module, name in MODULES.items() if text.startswith(module)), text)


def blocks(language):
    return [(page, code) for page, text in PAGES.items() for found, code in code_of(text) if found == language]


COMMANDS = sorted({command.text: command for page, text in PAGES.items() for command in commands_of(page, text)}.values())
EXCUSED = {as_xval(text) for listed in NEEDS.values() for text in listed}
TO_RUN = [
    as_xval(text)
    for page, text, is_inline in COMMANDS
    if text.startswith(("python", "xval"))
    and page
    not in ("get_started.md", "systems.md", *MEASURED)  # the first is run below, systems by tests/outside/test_systems.py
    and not (is_inline and NAMES_ALONE.fullmatch(text))
    and as_xval(text) not in EXCUSED
]


@pytest.fixture
def understood(monkeypatch, capsys):
    """Return a function that gives what the parser of a program makes of its arguments; nothing is carried out."""

    def stop(result, *_):
        raise Parsed(result)

    def parse(program, *arguments):
        monkeypatch.setattr(sys, "argv", [program, *arguments])
        with monkeypatch.context() as patched:
            patched.setattr("xval.commands._model_arguments.model_path", Path)  # EXPERIMENT:N, whose results are not made here
            if program.endswith(".py"):
                patched.setattr(command_line, "run_experiment", lambda declaration, request, _: stop((declaration, request)))
                original = argparse.ArgumentParser.parse_args
                patched.setattr(argparse.ArgumentParser, "parse_args", lambda *given: stop(original(*given)))
                patched.syspath_prepend(ROOT / "benchmarks")
                carry_out = lambda: runpy.run_path(str(ROOT / program), run_name="__main__")  # noqa: E731
            else:
                original = Parser.parse_all
                patched.setattr(Parser, "parse_all", lambda *given: stop(original(*given)))
                patched.setattr("xval.commands._model_arguments.model_path", Path)  # there are no results
                carry_out = lambda: importlib.import_module(f"{program}.__main__").main(list(arguments))  # noqa: E731
            try:
                carry_out()
            except Parsed as found:
                return found.args[0]
            except SystemExit as ended:
                if "--help" in arguments and not ended.code:
                    return None
            else:
                if arguments[:1] == ("--version",):
                    return None
        raise AssertionError(capsys.readouterr().err)

    return parse


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: f"{command.page}: {command.text}")
def test_every_command_is_understood_by_its_program(command, understood, monkeypatch, tmp_path):
    program, *words = shlex.split(as_xval(command.text))
    if [program, *words[:1]] == ["xval", "run"] and len(words) > 1:  # its options are those of the script
        understood(program, *words)
        program, words = "python", words[1:]
    write_own_parts(tmp_path)
    monkeypatch.chdir(tmp_path)
    if "my_corpus" in words:
        monkeypatch.setattr(corpora, "__path__", [*corpora.__path__, str(tmp_path)])
    if program == "make":
        targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert set(words) <= set(targets)
    elif program == "pip":
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
        assert not words[-1].startswith(".[") or set(re.findall(r"[\[,](\w+)", words[-1])) <= set(extras)
    elif program == "xval":
        is_name = command.is_inline and NAMES_ALONE.fullmatch(command.text)
        found = understood("xval", *words, *["--help"] * bool(is_name))
        if words[0] in OF_PREPARING and found:
            read = read_augmentation_settings if words[0] == "augment" and words[1] != "mix" else read_settings
            read(getattr(found, "overrides", None) or [])
    else:
        assert (ROOT / words[0]).is_file()
        if "ArgumentParser" in (ROOT / words[0]).read_text() or words[0].startswith("experiments/"):
            found = understood(*words)
            if words[0].startswith("experiments/"):
                declaration, request = found
                resolve(declaration, request.numbers, request.overrides)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("xval", "predict", "results", "a.wav", "--outptu", "b.csv"), "--outptu"),
        (("xval", "prepare", "show", "CLIP.wav", "--sett", "n_mels=40"), "--sett"),
        (("experiments/exp1.py", "9"), "no instance 9"),
    ],
)
def test_a_wrong_command_is_not_understood(understood, arguments, message):
    with pytest.raises(AssertionError, match=message):
        understood(*arguments)


def test_no_command_is_excused_that_the_docs_do_not_have():
    assert {as_xval(command.text) for command in COMMANDS} >= EXCUSED
    assert len(TO_RUN) > 40


@pytest.mark.parametrize(("page", "code"), blocks("python"))
def test_python_of_the_docs_parses_and_its_instances_can_be_resolved(page, code, monkeypatch, tmp_path):
    write_own_parts(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    parameters, instances, wanted = {}, {}, []
    for node in ast.walk(ast.parse(code)):
        match node:
            case ast.Assign(targets=[ast.Subscript(value=ast.Name("experiment"), slice=number)], value=ast.Dict() as given):
                instances[ast.literal_eval(number)] = value_of(given, code)
            case ast.Call(func=ast.Name("Experiment"), keywords=keywords):
                parameters |= {keyword.arg: ast.literal_eval(keyword.value) for keyword in keywords}
            case ast.Attribute(value=ast.Name("xval"), attr=name):
                wanted.append(("xval", name))
            case ast.ImportFrom(module=module, names=names):
                wanted += [(module, alias.name) for alias in names]
    parameters.pop("description", None)

    assert [name for module, name in wanted if not hasattr(importlib.import_module(module), name)] == []
    if instances:
        resolve(Declaration(page, page, "a test", parameters, instances))


def value_of(node, code):
    """Return the value of a dict in a block of code; it may have objects of what the block imports."""
    try:
        return ast.literal_eval(node)
    except ValueError:
        imports = [line for line in ast.parse(code).body if isinstance(line, ast.Import | ast.ImportFrom)]
        names = {}
        exec(compile(ast.Module(imports, []), "docs", "exec"), names)  # noqa: S102 - what the page shows
        return eval(compile(ast.Expression(node), "docs", "eval"), names)  # noqa: S307 - likewise


def test_links_hold_where_the_pages_lie():
    places = dict.fromkeys(PAGES, ROOT / "docs") | dict.fromkeys(MEASURED, ROOT / "benchmarks")
    places |= {"README.md": ROOT, "CONTRIBUTING.md": ROOT}
    texts = PAGES | {"CONTRIBUTING.md": (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")}
    links = {(page, link) for page in texts for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", texts[page])}

    assert {(page, link) for page, link in links if not (places[page] / link).exists()} == set()


def test_pages_made_from_the_code_are_what_it_makes():
    made = importlib.import_module("docs._reference")

    assert (ROOT / "config.ini").read_text(encoding="utf-8") == made.config_file()
    assert (ROOT / "xval/base/setting_names.py").read_text(encoding="utf-8") == made.setting_names()
    assert {name: (ROOT / "docs/reference" / name).read_text(encoding="utf-8") for name in made.PAGES} == made.all_pages()


def test_the_reference_has_every_public_name():
    assert set(re.findall(r"^::: xval\.(\w+)$", PAGES["api.md"], re.MULTILINE)) == set(xval._PUBLIC)


def test_settings_in_the_text_are_settings():
    known = {key for keys in read_defaults().values() for key in keys}
    known |= {option for name in architecture_names() for option in find_architecture(name).options}
    known |= {option for name in ("feature_combination", *CLASSICAL) for option in find_architecture(name).options}
    known |= {"architecture"}
    named = {
        (page, key)
        for page, text in PAGES.items()
        for language, code in code_of(text)
        for key in re.findall(r"`([a-z]\w+) = [^`(]*`", code) * (not language)
    }
    named |= {(page, key) for page, text in PAGES.items() for key in keys_of_tables(text)}

    assert len(named) > 20
    assert {
        (page, key) for page, key in named if key not in known and not any(is_argument(key, part) for part in PARTS)
    } == set()


def rows_of_terms():
    """Yield the names of Keras or scikit-learn, and what is written for them here, of each row of from_keras.md."""
    # tests/outside/test_forms.py holds the part behind it to what happens.
    terms, _ = PAGES["from_keras.md"].split("## Supported Keras models")
    for there, here in re.findall(r"^\| (.+?) \| (.+) \|$", terms, re.MULTILINE):
        yield re.findall(r"`([^`]+)`", there), re.findall(r"`([^`]+)`", here)


@pytest.mark.parametrize(("there", "here"), list(rows_of_terms()))
def test_terms_of_keras_and_scikit_learn_are_what_the_code_takes(there, here, tmp_path, monkeypatch):
    write_own_parts(tmp_path)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    objects = {"xval": xval, "experiment": xval.Experiment, "results": xval.Results, "model": SavedModel}
    answered = {wanted for name in there if name in SYNONYMS for wanted in re.findall(r"'(\w+)'", SYNONYMS[name])}

    assert {wanted for wanted in answered if not any(wanted in written for written in here)} == set()
    for written in here:
        if found := re.fullmatch(r"(\w+) = (.+)", written):
            given = {"architecture": "svm"} if found[1] in find_architecture("svm").options else {}
            instance = resolve(Declaration("exp.py", "exp.py", "a test", {}, {1: given}), overrides={found[1]: found[2]})
            assert found[1] in instance[0].parameters
        elif found := re.fullmatch(r"(\w+)\.(\w+)\(.*\)", written):
            assert hasattr(objects[found[1]], found[2])


def keys_of_tables(text):
    """Yield what stands in the first column of the tables of settings."""
    for table in re.findall(r"^\| setting \|.*\n\|[-|]+\n((?:\|.*\n)+)", text, re.MULTILINE):
        for row in table.splitlines():
            yield from re.findall(r"`(\w+)", row.split("|")[1])


def own_parts():
    """Return the python blocks of the pages on own parts by the first function or class that each defines."""
    shown = [code for page, code in blocks("python") if page.startswith("own_")]
    return {found[1]: code for code in shown if (found := re.search(r"^(?:def|class) (\w+)", code, re.MULTILINE))}


def write_own_parts(folder):
    """Write the modules that the pages name from what the pages on own parts show."""
    shown = own_parts()
    (folder / "my_nets.py").write_text(shown["build"])
    (folder / "my_parts.py").write_text("\n\n".join([shown["soft_loss"], shown["Gradients"]]))
    (folder / "my_corpus.py").write_text(shown["list_clips"])
    (folder / "my_folds.py").write_text(shown["split"])
    (folder / "my_metrics.py").write_text(shown["geometric_mean"])


@pytest.mark.usefixtures("in_process")
@pytest.mark.parametrize(("part", "n_folds", "n_tested"), [("split", 3, 2), ("in_four", 4, 2)])
def test_the_splitter_that_is_shown_makes_the_folds(project, monkeypatch, part, n_folds, n_tested):
    write_own_parts(project.folder)
    monkeypatch.syspath_prepend(project.folder)
    project.write_script({"architecture": "mlp"}, fold_strategy=f"my_folds.{part}", num_epochs=1)

    ended = project.run("--folds", "1")

    assert ended.returncode == 0, ended.stderr
    folds = json.loads((project.results / "folds.json").read_text())
    assert (folds["settings"]["fold_strategy"], len(folds["folds"])) == (f"my_folds.{part}", n_folds)
    assert len(project.records()[1, 1]["items"]["test"]) == n_tested
    (code,) = (project.results / "code").iterdir()
    assert (code / "my_folds.py").read_text() == own_parts()["split"]


@pytest.mark.usefixtures("in_process")
def test_parts_of_ones_own_train_as_they_are_shown(project, monkeypatch):
    write_own_parts(project.folder)
    monkeypatch.syspath_prepend(project.folder)
    (shown,) = re.findall(r"^experiment\[1\] = (\{.*?^\})", PAGES["own_parts.md"], re.MULTILINE | re.DOTALL)
    project.write_script(ast.literal_eval(shown) | {"n_units": 4, "monitor": "val_geometric_mean"})

    ended = project.run("--folds", "1")

    assert ended.returncode == 0, ended.stderr
    assert 0 <= project.records()[1, 1]["metrics"]["test"]["geometric_mean"] <= 1


@pytest.mark.slow  # its commands are parsed in every run, and test_start.py goes the same way
@pytest.mark.usefixtures("in_process", "eagerly")
def test_the_commands_of_the_first_page_work_in_a_row(project, monkeypatch):
    """On four generated speakers, with one epoch of the network; the environment is made, and RAVDESS is not fetched.

    What preprocessing says to do next is done too.
    """
    (script,) = [code for page, code in blocks("python") if page == "get_started.md"]
    shell = "\n".join(code for language, code in code_of(PAGES["get_started.md"]) if language == "sh")
    (project.folder / "xval").mkdir()
    monkeypatch.chdir(project.folder / "xval")
    answers = []

    for line in shell.splitlines():
        match shlex.split(line, comments=True):
            case ["cd", folder]:
                monkeypatch.chdir(folder)
                Path("experiments/emotion.py").write_text(script)
                write_audio(Path.cwd())
            case (
                ["xval", "prepare", "ravdess", *_]
                | ["python", "-m", "preprocessing", "ravdess", *_]
                | ["xval", "completion", *_]
            ):
                continue  # the last one writes into the home folder
            case ["python", "-m", module, *words] | [("xval" as module), *words]:
                smaller = ["--n-speakers", "4"] if words[-1] == "demo" else []
                answers.append(project.run_module(module, *words, *smaller))
                for _, name, *further in map(
                    shlex.split, re.findall(r"^Next +(python experiments.*)", answers[-1].stdout, re.M)
                ):
                    answers.append(project.run_script(name, *further, "--folds", "1", "--set", "num_epochs=1"))
            case ["python", name, *words]:
                answers.append(project.run_script(name, *words, "--set", "num_epochs=1"))
            case [program, *_]:
                assert program in ("python3", ".", "pip")

    assert [(answer.args, answer.stdout, answer.stderr) for answer in answers if answer.returncode] == []
    assert len(answers) == 16
    assert answers[2].args[0].endswith("first.py")
    assert "hod" in answers[8].stdout


def test_the_reader_that_is_shown_lists_clips_and_the_transform_changes_them(tmp_path):
    parts = {name: {} for name in ("list_clips", "draw")}
    for name, found in parts.items():
        exec(own_parts()[name], found)  # noqa: S102 - what the page shows
    soundfile.write(tmp_path / "yes_anna_1.wav", np.zeros(800), 8000)

    clips = check_clips(parts["list_clips"]["list_clips"](tmp_path), tmp_path, task_type="classification")
    louder = parts["draw"]["apply"](np.full(4, 0.1, np.float32), 8000, **parts["draw"]["draw"](np.random.default_rng(0), 8000))

    assert clips[["path", "item", "label"]].to_numpy().tolist() == [["yes_anna_1.wav", "anna", "yes"]]
    assert louder.dtype == np.float32
    assert (louder > 0.1).all()


def write_audio(folder):
    """Write what the commands of the docs read: class folders, tables, digits, a long recording."""
    rng = np.random.default_rng(0)

    def write(path, seconds=0.5, pitch_hz=300):
        (folder / path).parent.mkdir(exist_ok=True, parents=True)
        tone = np.sin(2 * np.pi * pitch_hz * np.arange(int(seconds * 8000)) / 8000)
        soundfile.write(folder / path, 0.2 * tone + rng.normal(0, 0.02, tone.size), 8000)

    people = ("anna", "bob", "carl", "dora", "emil", "fay")
    rows, events, words = [], [], []
    for number, person in enumerate(people):
        for take in range(4):
            label, pitch_hz = (("cat", 400), ("dog", 900))[take % 2]
            path = f"my_recordings/{label}/{person}_{take:02}.wav"
            write(path, pitch_hz=pitch_hz + 20 * number)
            words += [
                {"path": path.removeprefix("my_recordings/"), "start_s": start, "end_s": start + 0.07, "label": "word"}
                for start in (0.05, 0.38)
            ]
            rows.append({"file": path, "speaker": person, "emotion": ("happy", "sad")[take % 2], "age": 20 + 7 * number + take})
            write(f"my_words/{person}_{('yes', 'no')[take % 2]}_{take}.wav", pitch_hz=300 * (take % 2 + 1) + 20 * number)
            write(f"recordings/{take}_{person}_{take}.wav", pitch_hz=200 * (take + 1) + 20 * number)
        write(f"long/{person}.wav", seconds=4)
        events += [
            {"path": f"long/{person}.wav", "start_s": start, "end_s": start + 0.5, "label": "call"} for start in (1, 2.5)
        ]
    clips = pd.DataFrame(rows)
    clips.to_csv(folder / "my_clips.csv", index=False)
    ages = clips[["file", "speaker", "age"]].set_axis(["path", "item", "label:age"], axis="columns")
    ages.to_csv(folder / "ages.csv", index=False)
    tags = clips[["file", "speaker", "emotion"]].set_axis(["path", "item", "label"], axis="columns")
    tags.loc[clips["age"] % 3 == 0, "label"] += ";loud"
    tags.to_csv(folder / "tags.csv", index=False)
    pd.DataFrame(events).to_csv(folder / "my_events.csv", index=False)
    pd.DataFrame(words).to_csv(folder / "words.csv", index=False)
    (folder / "FOLDER_OF_THE_RECORDINGS").symlink_to(folder / "recordings")
    (folder / "FOLDER").symlink_to(folder / "data/demo/audio")
    write("CLIP.wav")
    write("LONG.wav", seconds=10)


def place_in_order(text):
    """Return the place of a command among those that run: datasets, experiments, their results, and what changes these last.

    After these, what reads an ensemble, and explanations, without which no page is made once there are some.
    """
    words = shlex.split(text)[1:]
    if ":901" in text or "--explain" in words:
        return 5
    commands = (["augment"], ["prepare"], ["run"], [], ["ensemble", "add-metrics"])
    of_a_script = 2 if text.startswith("python") else 3
    return next((place for place, names in enumerate(commands) if words[0] in names), of_a_script)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_every_command_that_needs_nothing_works_as_printed(tmp_path):
    """Experiments train one epoch of one fold, what else is run finds the demo with one epoch of every fold."""
    failed = []

    def run(*words):
        command = [sys.executable, *words]
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=1200, check=False)
        if ended.returncode:
            failed.append(f"{words}\n{ended.stdout[-1000:]}\n{ended.stderr[-2000:]}")

    def script(name, *words):
        folds = () if "--folds" in words or "baselines" in name else ("--folds", "1")  # the permutation test needs all
        quick = (*folds, "--set", "num_epochs=1", "--set", "warmup_epochs=0") if name.startswith("experiments/") else ()
        run(str(ROOT / name), *words, *quick)

    write_audio(tmp_path)
    write_own_parts(tmp_path)
    for dataset in ("demo", "folders"):
        run("-m", "preprocessing", "demo", "--dataset", dataset)
    script("experiments/demo.py", "--folds", ",".join(map(str, range(1, 13))))  # 4 folds, dealt three times
    for text in sorted(TO_RUN, key=place_in_order):
        program, *words = shlex.split(text)
        if program == "python" or words[0] == "run":
            script(*words[words[0] == "run" :])
        else:
            run("-m", program, *words, *["--permutations", "39"] * (words[0] == "permutation-test"))
    for page in ("results.md", "saved_models.md"):
        code = "\n".join(code for found, code in blocks("python") if found == page and code.startswith("import "))
        run("-c", code)

    assert not failed, "\n\n".join(failed)
