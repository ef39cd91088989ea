"""What a run that is killed leaves, and the next one tidies up."""

import pytest

KILLED_AFTER_ITS_LAST_FOLD = """
import os, signal, threading, time
from pathlib import Path


def kill():
    while len([*Path("results").glob("small/experiment_1/instance_1/fold_*/record.json")]) < 2:
        time.sleep(0.001)
    os.kill(os.getpid(), signal.SIGKILL)


if "KILLED" in os.environ:
    threading.Thread(target=kill, daemon=True).start()
"""


@pytest.mark.long
def test_a_run_that_is_killed_after_its_last_fold_leaves_no_note_for_ever(study):
    study.script({"architecture": "mlp"}, head=KILLED_AFTER_ITS_LAST_FOLD, num_epochs=1)
    killed = study.run(KILLED="1")
    assert killed.returncode < 0
    assert list(study.results.glob(".script*"))

    following = study.run()

    assert "Nothing to do" in following.stdout, following.stderr
    assert not list(study.results.glob(".script*"))
