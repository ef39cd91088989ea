"""What is made beside the folds and fails costs no fold: workbook, page, summaries, trackers, logs, files that are gone."""

import re
import shlex
import shutil

import numpy as np
import pytest
import soundfile

MLP = {"architecture": "mlp"}
BREAKS = """
import shutil
from pathlib import Path

RESULTS = Path("results/small/experiment_1")


class Breaks:
    def begin(self, job): pass
    def epoch(self, values): pass
    def note(self, text): pass
    def end(self, outcome):
        BROKEN
"""
"""An observer of the user's own, for what happens while a run goes on."""


def folds(study):
    return sorted(path.parent.name for path in study.results.glob("instance_1/fold_*/record.json"))


def ended_well(study, ended):
    """Hold a run to have trained both folds, shown them, and left no traceback."""
    printed = ended.stdout + ended.stderr
    assert ended.returncode == 0, printed
    assert folds(study) == ["fold_1", "fold_2"]
    assert all(study.record(fold=fold)["status"] == "done" for fold in (1, 2))
    assert "Traceback" not in printed
    assert re.search(r"mlp +.*2/2", ended.stdout), printed  # the table
    return ended.stdout


BROKEN = {
    "results.xlsx": "the workbook",
    "summary.json": "the workbook",
    "instance_1/metrics.json": "the workbook",
    "instance_1/estimates.json": "the workbook",
    "report.html": "the page",
}
"""Files in whose place a folder lies, and what is not up to date then."""
QUICK = ("results.xlsx", "report.html", ("mlflow", 2), ("wandb", 1))


@pytest.mark.long
@pytest.mark.parametrize("name", [pytest.param(name, marks=[] if name in QUICK else pytest.mark.slow) for name in BROKEN])
def test_a_file_that_cannot_be_written_is_said_with_the_command_that_writes_it(study, name):
    (study.results / name).mkdir(parents=True)
    study.script(MLP, page="complete", num_epochs=1)

    printed = ended_well(study, study.run())

    (line,) = re.findall(r"^.* is not up to date: .*$", printed, re.MULTILINE)
    assert line.startswith(f"{BROKEN[name]} is not up to date: results/small/experiment_1/{name}: Is a directory. ")
    (study.results / name).rmdir()
    _, words = line.split("xval ")
    again = study.xval(*shlex.split(words))
    assert again.returncode == 0, again.stderr
    assert (study.results / name).is_file()
    assert (study.results / ("results.xlsx" if "workbook" in BROKEN[name] else "report.html")).is_file()


@pytest.mark.long
def test_a_run_with_nothing_to_do_shows_its_results_though_the_workbook_cannot_be_written(study):
    study.train(MLP, page="complete", num_epochs=1)
    (study.results / "results.xlsx").unlink()
    (study.results / "results.xlsx").mkdir()

    printed = ended_well(study, study.run())

    assert "Nothing to do" in printed
    assert "the workbook is not up to date" in printed


@pytest.mark.long
@pytest.mark.parametrize(
    "broken",
    [
        "[(RESULTS / name).mkdir(exist_ok=True) for name in ('results.xlsx', 'report.html', '../../index.html')]",
        "shutil.rmtree('data/small') if outcome.key.fold == 2 else None",
        "[path.write_text('{') for path in RESULTS.rglob('*.json') if path.name in ('summary.json', 'estimates.json')]",
        "raise OSError('mine')",
    ],
)
def test_what_breaks_while_a_run_goes_on_costs_no_fold(study, broken):
    study.file("mine.py", BREAKS.replace("BROKEN", broken))
    study.script(MLP, page="complete", num_epochs=1, callbacks="mine.Breaks")

    ended_well(study, study.run())


TRACKERS = {
    "mlflow": [
        "raise RuntimeError('down')",
        "import sys; sys.exit('down')",
        """
class MlflowClient:
    def __init__(self, **_): pass
    def __getattr__(self, name): raise RuntimeError('down')
class exceptions:
    MlflowException = OSError
import sys
sys.modules['mlflow.exceptions'] = exceptions
""",
    ],
    "wandb": [
        "raise RuntimeError('down')",
        "def login(**_): raise RuntimeError('down')",
        "def login(**_): return True\ndef __getattr__(name): raise RuntimeError('down')",
    ],
}


@pytest.mark.long
@pytest.mark.parametrize(
    ("tracking", "number"),
    [
        pytest.param(name, number, marks=[] if (name, number) in QUICK else pytest.mark.slow)
        for name, found in TRACKERS.items()
        for number in range(len(found))
    ],
)
def test_a_tracker_that_raises_is_said_once(study, tracking, number):
    study.file(f"{tracking}.py", TRACKERS[tracking][number])
    study.script(MLP, num_epochs=1, tracking=tracking)

    printed = ended_well(study, study.run(WANDB_MODE="online"))

    assert printed.count("tracking has stopped: ") == 1
    assert "down. The run continues" in printed


@pytest.mark.long
def test_a_log_for_tensorboard_that_cannot_be_written_is_recorded(study):
    study.file("tensorboard/__init__.py", "raise OSError('no such package')")
    study.script(MLP, num_epochs=1, tensorboard=True)

    printed = ended_well(study, study.run())

    assert "TensorBoardLog: OSError: no such package. It has stopped" in printed
    assert "no such package" in study.record()["failed_parts"]["TensorBoardLog"]


@pytest.mark.long
def test_audio_that_is_gone_when_the_page_is_made_costs_the_sounds_alone(study):
    rng = np.random.default_rng(0)
    for number in range(16):
        path = study.folder / f"clips/{'ab'[number % 2]}/{('ann', 'bob', 'cat', 'dan')[number // 2 % 4]}_{number}.wav"
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, rng.normal(0, 0.1, 3000), 16000)
    shutil.rmtree(study.folder / "data" / "small")
    prepared = study.python("-m", "preprocessing", "folders", "clips", "--item-pattern", "([a-z]+)_", "--dataset", "small")
    assert prepared.returncode == 0, prepared.stderr
    shutil.rmtree(study.folder / "clips")
    study.script(MLP, page="complete", num_epochs=1)

    ended_well(study, study.run())

    assert (study.results / "report.html").is_file()
