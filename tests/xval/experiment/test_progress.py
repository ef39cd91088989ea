from io import StringIO

from rich.console import Console

from xval.experiment.progress import JobProgress


def test_a_note_is_printed_once_for_an_instance():
    written = StringIO()
    progress = JobProgress(Console(file=written, width=200), n_jobs=2, n_epochs={1: 5}, task_type="classification", quiet=False)
    for fold in (1, 2):
        progress.report({"worker": 0, "instance": 1, "fold": fold, "note": "trained by itself: no room"})

    assert written.getvalue() == "instance 1: trained by itself: no room\n"


def test_a_fold_that_takes_minutes_has_its_seconds_per_epoch_said_once(monkeypatch):
    written = StringIO()
    settings = {"n_jobs": 2, "n_epochs": {1: 50, 2: 5}, "task_type": "classification", "quiet": False}
    progress = JobProgress(Console(file=written, width=200), **settings)
    clock = iter(range(0, 1000, 14))  # each look at it is 14 s after the last one
    monkeypatch.setattr("xval.experiment.progress.time.monotonic", lambda: next(clock))
    for instance, fold in ((1, 1), (1, 2), (2, 1)):
        for epoch in range(4):
            progress.report({"worker": 0, "instance": instance, "fold": fold, "epoch": epoch, "values": {}})

    assert written.getvalue() == "instance 1: 14 s per epoch; all 50 of a fold take 11 min 40 s\n"
