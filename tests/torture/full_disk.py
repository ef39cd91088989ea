"""A disk that is full at the N-th call that writes, for every N of every command that writes much.

Either only this call fails (ENOSPC), or it and all later ones that need space. The command must say in a line which file, leave
finished folds as they are, and finish when it is run again.
"""

import json
import re
from pathlib import Path

import _case
import _scenarios
from _case import Case, Outcome
from _commands import run
from _faults import Action, Fault
from _projects import copy, digests

SUMMARY = "a full disk at the N-th call that writes, once or from there on"
NAMES = ("preprocessing", "augmentation", "convert", "baselines", "store", "rebuild", "report", "refit", "ensemble")
if _case.is_light:
    NAMES = NAMES[:1]
NEEDS_KERAS = False
_PART = re.compile(r"^\.(.+?)\.[^.]+-\d+-\d+\.[0-9a-f]{8}\.part$")


def prepare(base: Path) -> None:
    """Run every scenario once."""
    _scenarios.prepare(base, list(NAMES))
    cases = [
        (name, int(action), call)
        for name in NAMES
        for call in _scenarios.undisturbed(base, name).calls
        for action in (Action.FAIL_ONCE, Action.FAIL_FROM_HERE)
    ]
    (base / "cases.json").write_text(json.dumps(cases))


def n_cases(base: Path) -> int:
    """Return how many there are: two for each call."""
    return len(json.loads((base / "cases.json").read_text()))


def run_case(case: Case) -> Outcome:
    """Let a command meet a full disk, then give it again."""
    cases = json.loads((case.base / "cases.json").read_text())
    name, action, call = cases[case.number % len(cases)]
    words = _scenarios.SCENARIOS[name].words
    folder = copy(case.base / name, case.folder)
    before = digests(folder)
    fault = Fault(folder, Action(action), call)
    ended = run(words, folder, fault=fault)
    how = "once" if action == Action.FAIL_ONCE else "from there on"
    outcome = Outcome(f"{name}: a full disk at call {call} ({fault.call}), {how}")
    outcome.faults += _scenarios.faults_of(ended, _names(fault.call, action))
    outcome.faults += [f"{path} has changed" for path in _scenarios.untouched(before, digests(folder))]
    outcome.faults += [f"{path} is left half-written" for path in _scenarios.leftovers(folder)]
    again = run(words, folder)
    outcome.faults += again.faults
    if again.code:
        outcome.faults.append(f"given again: exit code {again.code}: {again.printed.strip()[-300:]}")
    else:
        found = _scenarios.differences(_scenarios.undisturbed(case.base, name).digests, _scenarios.state(folder))
        outcome.faults += [f"given again: {difference}" for difference in found[:3]]
        outcome.faults += [f"given again: {path} is left half-written" for path in _scenarios.leftovers(folder)]
    return outcome


def _names(call: str, action: int) -> list[str]:
    """Return what a message about a call may name: the file, by the name that it would have got, or a folder it is in.

    Where everything fails from there on, it may be another file.
    """
    if action == Action.FAIL_FROM_HERE:
        return ["results/toy", "data/toy", "copies", "converted"]
    parts = [_PART.sub(r"\1", part) for part in Path(call.partition(" ")[2]).parts]
    above = ["/".join(parts[:depth]) for depth in range(1, len(parts))]
    return [parts[-1], *(folder for folder in above if folder not in ("results", "data"))]
