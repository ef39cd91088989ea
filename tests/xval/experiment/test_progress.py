from io import StringIO

from rich.console import Console

from xval.experiment.progress import JobProgress


def test_a_note_is_printed_once_for_an_instance():
    written = StringIO()
    progress = JobProgress(Console(file=written, width=200), n_jobs=2, n_epochs={1: 5}, task_type="classification", quiet=False)
    for fold in (1, 2):
        progress.report({"worker": 0, "instance": 1, "fold": fold, "note": "trained by itself: no room"})

    assert written.getvalue() == "instance 1: trained by itself: no room\n"
