"""What an error in an observer does: one of xval is left out, one of the user's own ends the job."""

import pytest

from xval.base.json_files import read_json
from xval.folds.plan import Fold
from xval.jobs.claim import ClaimedFold
from xval.jobs.job import Job
from xval.jobs.observers import Observer, Observers
from xval.results.folder import ExperimentFolder

RECORD = {"status": "done", "metrics": {"test": {"accuracy": 0.5}}}


class Seeing(Observer):
    """Writes down what it sees; its methods that are named raise an error."""

    def __init__(self, *broken):
        self.seen, self.broken = [], broken

    def begin(self, job):
        self._see("begin", job.instance)

    def epoch(self, values):
        self._see("epoch", values["epoch"])

    def note(self, text):
        self._see("note", text)

    def end(self, outcome):
        self._see("end", outcome.status)

    def complete(self, record):
        self._see("complete", record["status"])

    def _see(self, *what):
        self.seen.append(what)
        if what[0] in self.broken:
            raise ConnectionError("the server is gone")


@pytest.fixture
def finish(tmp_path, make_settings):
    """Return a function that runs a job with observers and returns its outcome, and whether its fold is there."""
    job = Job(str(tmp_path), "", "", 1, Fold(1, ("a",), ("b",), ("c",)), make_settings(), {}, "settings", "folds", 1)
    place = ExperimentFolder(tmp_path).fold_folder(*job.key) / "record.json"

    def finish(observers, work=lambda: RECORD):
        with ClaimedFold(job, device="cpu") as claimed:
            try:
                claimed.begin(observers)
                observers.epoch({"epoch": 1, "loss": 0.123456789})
                return claimed.publish(work()), read_json(place)
            except Exception as raised:  # noqa: BLE001 - as run_job has it
                return claimed.fail(raised), read_json(place)

    return finish


@pytest.mark.parametrize("is_own", [False, True])
@pytest.mark.parametrize("method", ["begin", "epoch", "end"])
def test_one_that_raises_is_left_out_and_said_and_recorded_and_the_job_is_done(finish, method, is_own):
    broken, other = Seeing(method, "note"), Seeing()

    outcome, record = finish(Observers([other], [broken]) if is_own else Observers([broken, other]))

    assert (outcome.status, record["metrics"]) == ("done", RECORD["metrics"])
    assert broken.seen[-1][0] == method
    said = "Seeing: ConnectionError: the server is gone"
    assert ("note", f"{said}. It has stopped; the job continues.") in other.seen
    assert record["failed_parts"] == {"Seeing": said}
    told = [what for what in other.seen if what[0] != "note"]
    assert told == [("begin", 1), ("epoch", 1), ("complete", "done"), ("end", "done")]


def test_one_that_the_job_needs_ends_it(finish):
    observers = Observers()
    observers.add(Seeing("epoch"), is_needed=True)

    outcome, record = finish(observers)

    assert (outcome.status, record) == ("failed", None)
    assert outcome.error.endswith("ConnectionError: the server is gone")


def test_an_error_at_the_end_of_a_job_that_has_failed_is_a_note_and_its_epochs_are_kept(finish):
    ours, own, other = Seeing(), Seeing("end"), Seeing("note")

    outcome, _ = finish(Observers([ours], [own, other]), work=lambda: {}["no record"])

    assert outcome.error.endswith("KeyError: 'no record'")
    assert outcome.history == [{"epoch": 1, "loss": 0.123457}]
    assert ("end", "failed") in other.seen
    assert ours.seen[-1] == ("end", "failed")


def test_an_observer_that_changes_what_it_gets_does_not_change_the_history():
    class Changing(Observer):
        def epoch(self, values):
            values.clear()

    values = {"epoch": 1, "loss": 0.5}
    Observers([], [Changing()]).epoch(values)

    assert values == {"epoch": 1, "loss": 0.5}


def test_an_observer_ends_the_training_and_one_that_wants_new_epochs_alone_does_not_see_those_of_an_earlier_process():
    class Ending(Seeing):
        sees_past = False

        def epoch(self, values):
            super().epoch(values)
            return values["epoch"] >= 3

    ending, other = Ending(), Seeing()
    observers = Observers([ending, other])
    observers.epoch({"epoch": 1}, is_past=True)

    assert [observers.epoch({"epoch": epoch}) for epoch in (2, 3)] == [False, True]
    assert [epoch for _, epoch in ending.seen] == [2, 3]
    assert [epoch for _, epoch in other.seen] == [1, 2, 3]
