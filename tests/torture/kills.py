"""SIGKILL at any moment of every command that writes much; the same command is run again.

Half of the cases are killed at a call that writes, half after a share of the time. In the end everything must be exactly what
an undisturbed run leaves; the time until the command works again is measured.
"""

import os
import signal
import time
from contextlib import suppress
from pathlib import Path

import _case
import _scenarios
import psutil
from _case import Case, Outcome
from _commands import Running, run
from _faults import Action, Fault
from _projects import copy, digests

from xval.settings.schema import Settings

SUMMARY = "SIGKILL during preprocessing, stores, training, search, tables, ensembles, refits; the same command again"
NEEDS_KERAS = True
N_CASES = 200
NAMES = ["preprocessing", "store", "training", "rebuild", "augmentation", "search", "baselines", "ensemble", "refit", "workers"]
if "checkpoint_minutes" in Settings.model_fields:
    _scenarios.SCENARIOS["checkpoints"] = _scenarios.Scenario(
        ("net.py", "--set", "checkpoint_minutes=0.0001"), _scenarios.SCENARIOS["training"].prepare, needs_keras=True
    )
    NAMES.insert(3, "checkpoints")
if _case.is_light:
    NAMES = NAMES[:1]
_scenarios.SCENARIOS["workers"] = _scenarios.Scenario(
    ("exp.py", "--executor", "processes", "--workers", "2"), _scenarios.SCENARIOS["baselines"].prepare
)


def prepare(base: Path) -> None:
    """Run every scenario once."""
    _scenarios.prepare(base, NAMES)


def n_cases(_base: Path) -> int:
    """Return how many kills there are."""
    return N_CASES


def run_case(case: Case) -> Outcome:
    """Kill a command, then give it again."""
    name, rng = NAMES[case.number % len(NAMES)], case.rng()
    words, undisturbed = _scenarios.SCENARIOS[name].words, _scenarios.undisturbed(case.base, name)
    folder = copy(case.base / name, case.folder)
    by_call = case.number // len(NAMES) % 2 == 0
    call = rng.choice(undisturbed.calls)
    after_s = rng.uniform(0.0, undisturbed.seconds)
    fault = Fault(folder, Action.KILL, call) if by_call else None
    running = Running(words, folder, fault=fault)
    if not by_call:
        time.sleep(after_s)
        if name == "workers" and rng.random() < 0.5:
            _kill_a_worker(running, rng.random())
        else:
            with suppress(ProcessLookupError):
                running.kill()
    first = running.wait()
    outcome = Outcome(f"{name}: killed at " + (f"call {call} ({fault.call})" if fault else f"{after_s:.2f} s"))
    was_killed = first.code == -signal.SIGKILL
    if not was_killed:
        outcome.faults += first.faults
    then = digests(folder)
    again = run(words, folder)
    outcome.faults += again.faults
    if again.code:
        outcome.faults.append(f"given again: exit code {again.code}: {again.printed.strip()[-300:]}")
        return outcome
    if was_killed:
        outcome.seconds = {"killed after": first.seconds, "the same command again": again.seconds}
        outcome.seconds["lost by a kill"] = max(0.0, first.seconds + again.seconds - undisturbed.seconds)
    outcome.faults += [f"{path} of a finished fold has changed" for path in _scenarios.untouched(then, digests(folder))]
    outcome.faults += _scenarios.differences(undisturbed.digests, _scenarios.state(folder))[:3]
    outcome.faults += [f"{path} is left half-written" for path in _scenarios.leftovers(folder)]
    return outcome


def _kill_a_worker(running: Running, draw: float) -> None:
    """Kill one of the processes that a command has started."""
    with suppress(psutil.NoSuchProcess):
        workers = psutil.Process(running.pid).children()
        if workers:
            os.kill(workers[int(draw * len(workers))].pid, signal.SIGKILL)
