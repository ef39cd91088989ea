"""The core without an extra: to remove one is to remove its folder."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from xval.base import shelf
from xval.base.errors import SettingsError
from xval.commands import describe_commands
from xval.report import page

ROOT = Path(__file__).resolve().parents[2]
EXTRAS = sorted(path.parent.name for path in shelf.FOLDER.glob("*/__init__.py"))
CODE = ("xval", "preprocessing", "architectures", "augmentation", "config.ini")
SCRIPT = """
import numpy as np
from pathlib import Path
from preprocessing.store import write
from xval import Experiment

if not Path("data/small").exists():
    rng, labels = np.random.default_rng(0), np.tile(["a", "b"], 4)
    examples = {f"s{n}": rng.normal(size=(8, 6, 4)) + (labels == "a")[:, None, None] for n in range(6)}
    write("small", examples, dict.fromkeys(examples, labels))
experiment = Experiment("without an extra", dataset="small", num_folds=3, fold_repeats=1, executor="inline", page="complete")
experiment[1] = {"architecture": "logistic", "C": (1.0,)}
experiment[2] = {"architecture": "constant"}
if __name__ == "__main__":
    experiment.main()
"""
STEPS = """
import json, sys
from xval.__main__ import main
experiment = "results/small/experiment_1"
steps = (
    ["--help"], ["compare", experiment], ["report", experiment, "--details"], ["audit", experiment],
    ["status", experiment], ["list"], ["rebuild", experiment],
    *json.loads(sys.argv[1]),
)
for step in steps:
    print("$ xval", *step, flush=True)
    if code := main(step):
        sys.exit(f"exit code {code}")
"""


@pytest.fixture(scope="module")
def code(tmp_path_factory):
    """A copy of the code."""
    folder = tmp_path_factory.mktemp("code")
    for name in CODE:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(
            ROOT / name, folder / name, **({"ignore": shutil.ignore_patterns("__pycache__")} if copy is shutil.copytree else {})
        )
    return folder


def run(code, folder, *further):
    """Run an experiment, what shows it and further commands, on a copy of the code; return what was printed."""
    (folder / "exp.py").write_text(SCRIPT)
    variables = os.environ | {"PYTHONPATH": str(code), "COLUMNS": "120"}
    printed = ""
    for words in (["exp.py"], ["-P", "-c", STEPS, json.dumps(further)]):
        ended = subprocess.run(
            [sys.executable, *words], cwd=folder, env=variables, capture_output=True, text=True, check=False, timeout=500
        )
        assert ended.returncode == 0, ended.stdout + ended.stderr
        printed += ended.stdout
    return printed


@pytest.mark.parametrize("hidden", EXTRAS)
def test_an_experiment_runs_and_is_shown_without_an_extra(hidden, code, tmp_path):
    away = tmp_path / "away"
    shutil.move(code / "xval/extras" / hidden, away)
    try:
        printed = run(code, tmp_path)
    finally:
        shutil.move(away, code / "xval/extras" / hidden)

    listed = printed.partition("\nExtras:\n")[2].partition("\n\n")[0]
    names = {name for name, of in describe_commands().items() if of.module == f"xval.extras.{hidden}.command"}
    assert not names & {line.split()[0] for line in listed.splitlines()}
    page = (tmp_path / "results/small/experiment_1/report.html").read_text()
    assert ("Abstaining from uncertain predictions" in page) == (hidden != "abstention")
    assert "logistic" in printed.partition("$ xval compare")[2]


def test_an_extra_that_is_missing_is_named_where_it_is_needed(code, tmp_path):
    shutil.move(code / "xval/extras/tracking", tmp_path / "away")
    try:
        (tmp_path / "exp.py").write_text(SCRIPT)
        ended = subprocess.run(
            [sys.executable, "exp.py", "--set", "tracking=mlflow"], cwd=tmp_path, check=False, capture_output=True, text=True,
            env=os.environ | {"PYTHONPATH": str(code)},
        )  # fmt: skip
    finally:
        shutil.move(tmp_path / "away", code / "xval/extras/tracking")

    assert ended.returncode == 2
    assert "needs the extra 'tracking'" in ended.stderr
    assert "Use tracking=none" in ended.stderr


def test_the_help_lists_extras_under_a_heading_of_their_own():
    printed = subprocess.run(
        [sys.executable, "-m", "xval", "--help"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout

    listed = printed.partition("\nExtras:\n")[2].partition("\n\n")[0]
    expected = [name for name, of in describe_commands().items() if of.module.startswith("xval.extras.")]
    assert len(expected) > 5
    assert [line.split()[0] for line in listed.splitlines()] == expected


def test_the_example_of_contributing_is_an_extra(code, tmp_path):
    text = (ROOT / "CONTRIBUTING.md").read_text().partition("## Writing an extra")[2].partition("\n## ")[0]
    files = re.findall(r"`([\w]+\.(?:py|html))`[^\n]*\n\n```\w+\n(.*?)```", text, re.DOTALL)
    assert [name for name, _ in files] == ["__init__.py", "seconds.py", "command.py", "section.py", "section.html"]
    folder = code / "xval/extras/fold_times"
    folder.mkdir()
    for name, content in files:
        (folder / name).write_text(content)
    try:
        printed = run(code, tmp_path, ["fold-times", "results/small/experiment_1"])
    finally:
        shutil.rmtree(folder)

    assert "\n  fold-times " in printed.partition("\nExtras:\n")[2].partition("\n\n")[0]
    assert len(re.findall(r"^instance \d, fold \d: \d+\.\d s$", printed, re.MULTILINE)) == 6
    page = (tmp_path / "results/small/experiment_1/report.html").read_text()
    assert page.count("<li>instance ") == 6


def test_no_test_of_the_core_imports_an_extra():
    tests = [path for path in (ROOT / "tests").rglob("test_*.py") if "extras" not in path.relative_to(ROOT / "tests").parts]
    importing = re.compile(r"^\s*(from|import) xval\.extras\b", re.MULTILINE)
    assert [path.name for path in tests if importing.search(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(
    ("file", "content", "named"),
    [
        ("command", 'NAME = "odd"\n', 'expected a line SUMMARY = "what the command does"'),
        ("command", 'NAME = "compare"\nSUMMARY = "odd"\n', 'NAME = "compare", which xval.commands.compare has, too'),
    ],
)
def test_a_command_that_lacks_what_it_needs_is_named(file, content, named, tmp_path, monkeypatch):
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / f"{file}.py").write_text(content)
    monkeypatch.setattr(shelf, "offers", lambda _: {"odd": tmp_path / "odd" / f"{file}.py"})
    describe_commands.cache_clear()
    try:
        with pytest.raises(SettingsError, match=re.escape(f"odd/{file}.py: ") + ".*" + re.escape(named)):
            describe_commands()
    finally:
        describe_commands.cache_clear()


def test_a_section_of_no_part_of_the_page_is_named(monkeypatch):
    odd = SimpleNamespace(__file__="odd/section.py", PART="protokoll", POSITION=1)
    monkeypatch.setattr(page, "load_offers", lambda _: [odd])

    with pytest.raises(SettingsError, match=r"odd/section\.py: .* one of instances, errors.*received PART = 'protokoll'"):
        page._sections_of_extras(None)


def test_a_section_that_fails_is_named_and_left_out(monkeypatch, capsys):
    def show(_):
        raise KeyError("no such column")

    fine = SimpleNamespace(__file__="fine/section.py", PART="protocol", POSITION=1, show=lambda _: "shown")
    broken = SimpleNamespace(__file__="broken/section.py", PART="protocol", POSITION=2, show=show)
    monkeypatch.setattr(page, "load_offers", lambda _: [broken, fine])
    for _ in range(2):  # a run writes the page several times
        assert page._sections_of_extras(None)["protocol"] == ["shown"]
    said = "skipped: the section of the extra 'broken', which failed: KeyError: 'no such column'"
    assert capsys.readouterr().err.count(said) == 1
