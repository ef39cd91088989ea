"""Two or three runs of the same experiment at once: each job is trained once, and the results are those of one run.

The runs begin at random moments; each writes down which jobs it trains.
"""

import os
import re
import time
from functools import partial
from pathlib import Path

import _scenarios
from _case import Case, Outcome
from _commands import Ended, Running, must, run
from _projects import BASELINES, PREPARE, copy, write_audio, write_script

SUMMARY = "two or three runs of the same experiment at once"
NEEDS_KERAS = False
N_CASES = 100
_STAGGERS_S = (0.0, 0.0, 0.1, 0.5, 1.0)
_ELSEWHERE = re.compile(r"being (run|made) by another process|another process")


def _prepare(folder: Path) -> None:
    write_audio(folder / "audio", n_items=6)
    must(PREPARE, folder)
    write_script(folder, [*BASELINES, {"architecture": "knn", "n_neighbors": (3,)}], num_folds=3)


_scenarios.SCENARIOS["at once"] = _scenarios.Scenario(("exp.py",), _prepare)


def prepare(base: Path) -> None:
    """Run the experiment once, alone."""
    _scenarios.prepare(base, ["at once"])


def n_cases(_base: Path) -> int:
    """Return how many trials there are."""
    return N_CASES


def note_trainings(log: Path) -> None:
    """Let this process write down each job that it trains."""
    from xval.engine.learners import estimator

    train = estimator.fit_features

    def noted(job: object, *features: object) -> object:
        with os.fdopen(os.open(log, os.O_CREAT | os.O_APPEND | os.O_WRONLY), "a") as file:
            file.write(f"{job.key}\n")  # type: ignore[attr-defined]
        return train(job, *features)

    estimator.fit_features = noted


def is_elsewhere(ended: Ended) -> bool:
    """Return whether a command has said that another process has what it wanted."""
    return bool(_ELSEWHERE.search(ended.printed))


def run_case(case: Case) -> Outcome:
    """Start several runs, wait for all, and look at what they have left."""
    rng = case.rng()
    folder, log = copy(case.base / "at once", case.folder), case.folder / "trained.log"
    n_runs = rng.choice([2, 2, 3])
    waits_s = [rng.choice(_STAGGERS_S) for _ in range(n_runs)]
    makes_store = rng.random() < 0.3
    words = ("exp.py", "--set", "n_mels=10") if makes_store else ("exp.py",)
    runs = []
    for wait_s in waits_s:
        runs.append(Running(words, folder, before=partial(note_trainings, log)))
        time.sleep(wait_s)
    ends = [each.wait() for each in runs]
    outcome = Outcome(
        f"{n_runs} runs, {', '.join(f'{wait_s:g} s' for wait_s in waits_s)} apart" + (", and the store" if makes_store else "")
    )
    for ended in ends:
        outcome.faults += ended.faults
        if ended.code and not is_elsewhere(ended):
            outcome.faults.append(f"exit code {ended.code}: {ended.printed.strip()[-300:]}")
    trained = log.read_text().splitlines()
    if len(trained) != len(set(trained)):
        outcome.faults.append(f"trained twice: {sorted(job for job in set(trained) if trained.count(job) > 1)}")
    log.unlink()
    last = run(words, folder)
    if last.code or "Nothing to do" not in last.printed:
        outcome.faults.append(f"afterwards not all is done: {last.printed.strip()[-300:]}")
    if not makes_store:
        expected = _scenarios.undisturbed(case.base, "at once").digests
        outcome.faults += _scenarios.differences(expected, _scenarios.state(folder))[:3]
    outcome.faults += [f"{path} is left half-written" for path in _scenarios.leftovers(folder)]
    return outcome
