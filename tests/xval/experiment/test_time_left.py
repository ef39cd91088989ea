from itertools import pairwise

import pytest

from xval.experiment.progress import describe_time_left
from xval.experiment.time_left import Pace, SteadyEnd, TimeLeft
from xval.results.job_key import JobKey

START_UP_S, EPOCH_S, TEST_S = 40.0, 0.5, 1.0


def run_job(pace, key, now, *, epochs, worker=0, start_up_s=0.0):
    """Go through a job as a run reports it, and return when it ends."""
    begun = now
    pace.begin(worker, key, now)
    now += start_up_s
    for epoch in range(1, epochs + 1):
        now += EPOCH_S
        pace.end_epoch(key, epoch, now)
    now += TEST_S
    pace.end(key, now - begun, now, is_done=True)
    return now


def test_nothing_is_said_where_another_process_runs_what_is_left():
    pace = Pace({1: 3}, {1: 10})
    now = run_job(pace, JobKey(1, 1), 0.0, epochs=10)
    pace.end(JobKey(1, 2), 0.0, now, is_done=False)
    assert "s left" in describe_time_left(pace.run_time_left(now))
    pace.end(JobKey(1, 3), 0.0, now, is_done=False)
    assert describe_time_left(pace.run_time_left(now)) == ""


def test_nothing_is_said_until_something_is_known():
    pace = Pace({1: 3}, {1: 10})
    assert pace.run_time_left(0.0) is None
    pace.begin(0, JobKey(1, 1), 0.0)
    pace.end_epoch(JobKey(1, 1), 1, START_UP_S)
    assert pace.run_time_left(START_UP_S) is None
    assert pace.job_time_left(JobKey(1, 1), START_UP_S) is None


def test_the_start_up_of_a_worker_and_the_compilation_are_not_expected_again():
    pace = Pace({1: 4}, {1: 10})
    now = run_job(pace, JobKey(1, 1), 0.0, epochs=10, start_up_s=START_UP_S)

    left = pace.run_time_left(now)

    assert left == TimeLeft(pytest.approx(3 * (10 * EPOCH_S + TEST_S)), is_limit=False)
    now = run_job(pace, JobKey(1, 2), now, epochs=10)
    assert pace.run_time_left(now).seconds == pytest.approx(2 * (10 * EPOCH_S + TEST_S))


def test_before_the_first_fold_ends_all_epochs_are_the_limit():
    pace = Pace({1: 3}, {1: 10})
    pace.begin(0, JobKey(1, 1), 0.0)
    for epoch in range(1, 5):
        pace.end_epoch(JobKey(1, 1), epoch, START_UP_S + epoch * EPOCH_S)
    now = START_UP_S + 4 * EPOCH_S

    assert pace.job_time_left(JobKey(1, 1), now) == TimeLeft(6 * EPOCH_S, is_limit=True)
    assert pace.run_time_left(now) == TimeLeft(26 * EPOCH_S, is_limit=True)


def test_folds_that_early_stopping_ended_tell_how_long_the_others_take():
    pace = Pace({1: 3}, {1: 100})
    now = run_job(pace, JobKey(1, 1), 0.0, epochs=20, start_up_s=START_UP_S)
    assert pace.run_time_left(now) == TimeLeft(pytest.approx(2 * (20 * EPOCH_S + TEST_S)), is_limit=False)

    pace.begin(0, JobKey(1, 2), now)
    for epoch in range(1, 41):
        pace.end_epoch(JobKey(1, 2), epoch, now + epoch * EPOCH_S)

    assert pace.run_time_left(now + 40 * EPOCH_S) == TimeLeft(
        pytest.approx(60 * EPOCH_S + 20 * EPOCH_S + TEST_S), is_limit=True
    )


def test_workers_share_what_is_left_and_the_last_one_counts():
    pace = Pace({1: 5}, {1: 10})
    for worker in (0, 1):
        run_job(pace, JobKey(1, 1 + worker), 0.0, epochs=10, worker=worker, start_up_s=START_UP_S)

    assert pace.run_time_left(100.0).seconds == pytest.approx(2 * (10 * EPOCH_S + TEST_S))


def test_failed_jobs_and_those_of_other_processes_tell_nothing():
    pace = Pace({1: 3}, {1: 10})
    pace.begin(0, JobKey(1, 1), 0.0)
    pace.end(JobKey(1, 1), 0.1, 0.1, is_done=False)
    pace.end(JobKey(1, 2), 0.0, 0.2, is_done=False)

    assert pace.run_time_left(0.2) is None


def test_instances_to_come_are_taken_to_be_as_long_which_is_said():
    pace = Pace({1: 1, 2: 2, 3: 1}, {1: 10, 2: 10, 3: 10})
    now = run_job(pace, JobKey(1, 1), 0.0, epochs=10, start_up_s=START_UP_S)

    left = pace.run_time_left(now)

    assert left == TimeLeft(pytest.approx(3 * (10 * EPOCH_S + TEST_S)), is_limit=False, n_unknown=2)
    assert describe_time_left(left) == "about 18 s left if the 2 instances that have not begun take as long"


def test_nothing_is_said_while_nothing_is_known_of_a_kind():
    pace = Pace({1: 2, 2: 6}, {1: 10, 2: 10}, {1: "estimator", 2: "network"})
    now = run_job(pace, JobKey(1, 1), 0.0, epochs=1)
    assert pace.run_time_left(now) is None
    now = run_job(pace, JobKey(2, 1), now, epochs=8)
    assert pace.run_time_left(now) == TimeLeft(pytest.approx(1.5 + 5 * 5.0), is_limit=False, n_cold=1)


@pytest.mark.parametrize("order", ["instance by instance", "fold by fold"])
def test_what_is_said_does_not_jump_and_is_right_at_the_end(order):
    """Two estimators of a second, and networks that early stopping ends after 20 to 90 of 100 epochs."""
    epochs = {1: [1] * 6, 2: [2] * 6, 3: [30, 80, 20, 60, 35, 50], 4: [25, 90, 40, 30, 70, 20], 5: [60, 30, 45, 20, 90, 25]}
    keys = [JobKey(number, fold + 1) for number in epochs for fold in range(6)]
    keys = keys if order == "instance by instance" else sorted(keys, key=lambda key: (key.fold, key.instance))
    kinds = {number: number > 2 for number in epochs}
    pace, end, now = Pace(dict.fromkeys(epochs, 6), dict.fromkeys(epochs, 100), kinds), SteadyEnd(), 0.0
    said = []
    for key in keys:
        now = run_job(pace, key, now, epochs=epochs[key.instance][key.fold - 1])
        end.take(pace.run_time_left(now), now)
        if left := end.steady(pace.run_time_left(now), now):
            said.append((now, left.seconds))

    assert len(said) >= 15
    ends = [at + seconds for at, seconds in said]
    assert max(abs(after - before) for before, after in pairwise(ends)) < 0.2 * now, "without the mean it is 0.36 and 0.95"
    assert all(abs(end - now) < 0.35 * now for end in ends)
    assert said[-1][1] == 0


def test_a_job_without_epochs_counts_its_seconds():
    pace = Pace({1: 3}, {1: 10})
    pace.begin(0, JobKey(1, 1), 0.0)
    pace.end(JobKey(1, 1), 8.0, 8.0, is_done=True)
    pace.begin(0, JobKey(1, 2), 8.0)

    assert pace.run_time_left(11.0) == TimeLeft(13.0, is_limit=False, n_cold=1)
    assert describe_time_left(TimeLeft(13.0, is_limit=True)) == "at most 13 s left"


def test_what_is_said_begins_anew_once_every_instance_is_known():
    pace, end = Pace({1: 10, 2: 10}, {1: 10, 2: 10}), SteadyEnd()
    now = run_job(pace, JobKey(1, 1), 0.0, epochs=10)
    end.take(left := pace.run_time_left(now), now)
    assert end.steady(left, now) == TimeLeft(114.0, is_limit=False, n_unknown=1)

    now = run_job(pace, JobKey(2, 1), now, epochs=1)
    end.take(left := pace.run_time_left(now), now)

    assert end.steady(left, now) == TimeLeft(67.5, is_limit=False, n_cold=1)


def test_what_is_said_begins_anew_once_a_job_without_epochs_was_warm():
    pace, end, now = Pace({1: 9}, {1: 10}), SteadyEnd(), 0.0
    for fold, seconds in enumerate((3.0, 0.3), start=1):
        pace.begin(0, JobKey(1, fold), now)
        now += seconds
        pace.end(JobKey(1, fold), seconds, now, is_done=True)
        end.take(left := pace.run_time_left(now), now)

    assert end.steady(left, now).seconds == pytest.approx(7 * 0.3)
