"""The order of jobs: simulated runs against first come, first served, and the rules one by one."""

import heapq
from collections import Counter, deque

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xval.base.json_files import write_json
from xval.engine.executors._schedule import Schedule
from xval.folds.plan import Fold
from xval.jobs.job import Job
from xval.results.folder import ExperimentFolder


@pytest.fixture(scope="module")
def make_job(make_settings):
    settings = make_settings(num_epochs=1)

    def make_job(instance, fold, *, n_training=10, folder=""):
        items = tuple(f"item_{number}" for number in range(n_training))
        return Job(folder, "", "", instance, Fold(fold, items, ("v",), ("t",)), settings, {}, "s", "f", 1)

    return make_job


@pytest.fixture(scope="module")
def make_jobs(make_job):
    """Return a function that gives jobs, so many for instance 1, 2, ..."""
    return lambda *n_folds: [make_job(n, fold) for n, last in enumerate(n_folds, start=1) for fold in range(1, last + 1)]


class FirstCome:
    """The jobs in their declared order, whoever asks."""

    def __init__(self, jobs):
        self._jobs = deque(jobs)

    def take(self, worker):
        return self._jobs.popleft() if self._jobs else None

    def learn(self, job, seconds):
        pass


def simulate(schedule, n_workers, seconds, compile_s=0.0):
    """Run a schedule with workers that compile when they change the instance; return the time it takes and who ran what."""
    free = [(0.0, worker) for worker in range(n_workers)]
    running, ran, warm, end = {}, [], {}, 0.0
    while free:
        now, worker = heapq.heappop(free)
        if worker in running:
            job, took = running.pop(worker)
            schedule.learn(job, took)
            end = max(end, now)
        job = schedule.take(worker)
        if job is None:
            continue
        took = seconds[job.instance] + (compile_s if warm.get(worker) != job.instance else 0.0)
        ran.append((worker, job.instance, job.fold.number))
        warm[worker], running[worker] = job.instance, (job, took)
        heapq.heappush(free, (now + took, worker))
    return end, ran


def n_compilations(ran):
    last, changes = {}, 0
    for worker, instance, _ in ran:
        changes += last.get(worker) != instance
        last[worker] = instance
    return changes


def test_longest_jobs_first_ends_earlier_than_first_come(make_job, make_jobs):
    jobs = make_jobs(4, 4, 4, 1)
    seconds = {1: 10.0, 2: 10.0, 3: 10.0, 4: 80.0}
    schedule = Schedule(jobs, n_workers=2)
    for instance in seconds:
        schedule.learn(make_job(instance, 1), seconds[instance])

    ours, _ = simulate(schedule, 2, seconds)
    theirs, _ = simulate(FirstCome(jobs), 2, seconds)

    assert (ours, theirs) == (100.0, 140.0)


def test_a_long_job_does_not_wait_behind_folds_that_are_warm(make_job, make_jobs):
    jobs = make_jobs(2, 2, 1)
    seconds = {1: 50.0, 2: 50.0, 3: 90.0}
    schedule = Schedule(jobs, n_workers=2)
    for instance in seconds:
        schedule.learn(make_job(instance, 1), seconds[instance])

    assert simulate(schedule, 2, seconds)[0] == 150.0
    assert simulate(FirstCome(jobs), 2, seconds)[0] == 190.0


def test_workers_keep_to_their_instances_and_compile_less_than_first_come(make_jobs):
    jobs, seconds = make_jobs(10, 10, 10, 10), dict.fromkeys(range(1, 5), 10.0)

    ours, ran = simulate(Schedule(jobs, n_workers=4), 4, seconds, compile_s=5.0)
    theirs, mixed = simulate(FirstCome(jobs), 4, seconds, compile_s=5.0)

    assert (n_compilations(ran), n_compilations(mixed)) == (4, 16)
    assert (ours, theirs) == (105.0, 120.0)


def test_who_has_nothing_left_helps_where_most_is_left_for_each_worker(make_jobs):
    schedule = Schedule(make_jobs(1, 8, 4), n_workers=3)
    assert [schedule.take(worker).instance for worker in (0, 1, 2)] == [2, 3, 1]

    assert schedule.take(2).instance == 2
    assert schedule.take(2).instance == 2


def test_with_one_worker_the_declared_order_stays(make_jobs):
    jobs = make_jobs(2, 1, 5)

    _, ran = simulate(Schedule(jobs, n_workers=1), 1, {1: 1.0, 2: 50.0, 3: 9.0})

    assert [(instance, fold) for _, instance, fold in ran] == [(job.instance, job.fold.number) for job in jobs]


def test_unknown_times_are_scaled_with_the_known_ones(make_job):
    others = [make_job(number, 1, n_training=1) for number in (4, 5)]  # five are too many to begin each early
    schedule = Schedule([make_job(1, 1), make_job(2, 1), make_job(3, 1, n_training=15), *others], n_workers=2)
    schedule.learn(make_job(1, 2, n_training=10), 20.0)

    schedule.learn(make_job(2, 2, n_training=10), 60.0)

    # Instance 3 is as fast as the two known ones together: 15 * 80 / 20 = 60 s; 2 comes first because it is declared first.
    assert [schedule.take(0).instance, schedule.take(1).instance, schedule.take(0).instance] == [2, 3, 1]


def test_times_are_read_from_finished_folds_of_the_same_settings(tmp_path, make_job):
    folder = ExperimentFolder(tmp_path)
    for instance, seconds, settings_hash in ((1, 1.0, "s"), (2, 500.0, "other"), (3, 90.0, "s")):
        record = {"status": "done", "settings_hash": settings_hash, "folds_hash": "f", "seconds": seconds}
        record["items"] = {"training": ["a"] * 5}
        temporary = folder.begin_fold(instance, 1)
        write_json(temporary / "record.json", record)
        folder.publish(temporary, instance, 1)
    jobs = [make_job(instance, 2, folder=str(tmp_path)) for instance in (1, 2, 3)]
    others = [make_job(number, 2, n_training=1) for number in (4, 5)]  # five are too many to begin each early
    schedule = Schedule([*jobs, *others], n_workers=2)

    schedule.learn_from_records()

    # 2 has no time of its own settings, and is taken to be as slow as the mean of the others.
    assert [schedule.take(0).instance, schedule.take(1).instance] == [3, 2]


def test_a_retry_comes_first(make_job):
    first, second, third = (make_job(1, fold) for fold in (1, 2, 3))
    schedule = Schedule([first, second, third], n_workers=2)
    assert [schedule.take(worker) for worker in (0, 1)] == [first, second]

    schedule.retry(second)
    schedule.retry(first)

    assert schedule.guess(1) == first
    assert [schedule.take(1) for _ in range(4)] == [first, second, third, None]


def test_a_fresh_process_takes_the_longest_work_again(make_jobs):
    schedule = Schedule(make_jobs(3, 9), n_workers=2)
    assert [schedule.take(0).instance, schedule.take(1).instance] == [2, 1]
    schedule.take(0)

    schedule.forget(1)
    schedule.forget(0)

    assert schedule.take(1).instance == 2


@given(
    folds=st.lists(st.integers(1, 6), min_size=1, max_size=6),
    n_workers=st.integers(1, 5),
    seconds=st.lists(st.floats(0.1, 100), min_size=6, max_size=6),
)
def test_every_job_runs_once_and_no_worker_stands_idle(folds, n_workers, seconds, make_jobs):
    jobs, took = make_jobs(*folds), dict(enumerate(seconds, start=1))

    end, ran = simulate(Schedule(jobs, n_workers=n_workers), n_workers, took)

    assert Counter((instance, fold) for _, instance, fold in ran) == Counter((job.instance, job.fold.number) for job in jobs)
    total = sum(took[job.instance] for job in jobs)
    # Graham's bound of any schedule in which nobody waits while there is work (1969).
    assert end <= total / n_workers + max(took[number] for number in range(1, len(folds) + 1)) + 1e-6


@pytest.mark.parametrize("worker", [0, 1])
def test_the_guess_is_what_the_worker_gets(worker, make_jobs):
    schedule = Schedule(make_jobs(2, 3, 1), n_workers=2)
    schedule.take(0)
    schedule.take(1)

    while (guessed := schedule.guess(worker)) is not None:
        assert schedule.take(worker) == guessed
    assert schedule.take(worker) is None


def test_of_few_instances_each_is_begun_before_one_goes_on(make_jobs, make_job):
    schedule = Schedule(make_jobs(4, 4, 4), n_workers=2)
    assert [schedule.take(0).key[:2], schedule.take(1).key[:2]] == [(1, 1), (2, 1)]

    schedule.learn(make_job(1, 1), 10.0)
    assert schedule.take(0).key[:2] == (3, 1)

    schedule.learn(make_job(2, 1), 10.0)
    assert schedule.take(1).key[:2] == (2, 2)
    schedule.learn(make_job(3, 1), 1.0)
    assert schedule.take(0).key[:2] == (3, 2)


def test_of_many_instances_a_worker_goes_on_with_what_it_has_compiled(make_jobs, make_job):
    schedule = Schedule(make_jobs(2, 2, 2, 2, 2), n_workers=2)
    assert [schedule.take(0).key[:2], schedule.take(1).key[:2]] == [(1, 1), (2, 1)]

    schedule.learn(make_job(1, 1), 10.0)

    assert schedule.take(0).key[:2] == (1, 2)
