"""An observer of one's own, in one file, sees a job from its begin to its end, wherever that runs; its errors are noted."""

import json

import pytest

from xval.base.errors import SettingsError
from xval.training.own_callbacks import own_parts

WATCH = """
import json
import os
from pathlib import Path

class Watch:
    def tell(self, *what):
        with open("{folder}/seen", "a") as file:
            print(json.dumps([os.getpid(), *what]), file=file)

    def begin(self, job):
        self.tell("begin", job.instance, job.fold.number)

    def epoch(self, values):
        print("seen", values["epoch"])
        if values["epoch"] == 3 and not Path("{folder}/failed").exists():
            Path("{folder}/failed").touch()
            raise ConnectionError("the server is gone")
        self.tell("epoch", values["epoch"], "val_loss" in values)

    def note(self, text):
        self.tell("note", text)

    def end(self, outcome):
        self.tell("end", outcome.status, bool(outcome.test_metrics))
"""
LACKING = """
class Lacking:
    def begin(self, job):
        pass
"""


@pytest.mark.parametrize("executor", ["inline", pytest.param("processes", marks=pytest.mark.slow)])
def test_it_sees_begin_every_epoch_and_end_and_an_error_in_it_is_recorded_by_name(project, executor, request, monkeypatch):
    if executor == "inline":
        request.getfixturevalue("in_process")
        monkeypatch.syspath_prepend(project.folder)
    (project.folder / "own_watch.py").write_text(WATCH.format(folder=project.folder))
    own = {"architecture": "mlp", "n_units": (4,), "callbacks": "own_watch.Watch"}
    project.write_script(own, num_folds=2, num_epochs=4, early_stopping=False)

    broken = project.run("--folds", "1", "--executor", executor)
    whole = project.run("--folds", "2", "--executor", executor)

    assert (broken.returncode, whole.returncode) == (0, 0), broken.stdout + broken.stderr + whole.stderr
    of_job = {"inline": "", "processes": "instance 1, fold 1: "}[executor]
    assert [line for line in broken.stdout.splitlines() if "seen" in line] == [f"{of_job}seen {number}" for number in (1, 2, 3)]
    line = WATCH.splitlines().index('            raise ConnectionError("the server is gone")') + 1
    place = f"own_watch.py, line {line}: ConnectionError: the server is gone"
    assert place in broken.stdout
    lines = [json.loads(line) for line in (project.folder / "seen").read_text().splitlines()]
    epochs = [["epoch", number, True] for number in range(1, 5)]
    assert [what for _, *what in lines] == [
        *[["begin", 1, 1], *epochs[:2]],
        *[["begin", 1, 2], *epochs, ["end", "done", True]],
    ]
    (failed,) = project.records()[1, 1]["failed_parts"].values()
    assert failed.startswith("observer 'own_watch.Watch', ")
    assert failed.endswith(place)
    assert "failed_parts" not in project.records()[1, 2]


def test_what_lacks_a_method_is_refused_by_its_name(own_package, make_settings):
    (own_package / "watch.py").write_text(LACKING)
    with pytest.raises(
        SettingsError, match=r"watch\.Lacking' returned Lacking; .* begin, epoch, note, end, but it lacks epoch, note, end"
    ):
        own_parts(make_settings(callbacks="own_package.watch.Lacking"))
