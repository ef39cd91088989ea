"""Two machines that share a folder, and locks of the system that do not reach the other one: `lock = lease`.

A machine is a process with a separate host name and a separate mount (bindfs) of one folder, in which new and missing files
appear up to 3 s late; both have it under the same path. In every other case the first is killed, and its heartbeats end. Needs
root and bindfs; without them there are no cases.
"""

import ctypes
import os
import shutil
import socket
import subprocess
import time
from functools import partial
from pathlib import Path

import _scenarios
from _case import Case, Outcome
from _commands import Running, must, run
from _projects import BASELINES, PREPARE, copy, write_audio, write_script
from at_once import is_elsewhere, note_trainings

SUMMARY = "two runs on two mounts whose locks do not reach each other, every other time one is killed (root, bindfs)"
NEEDS_KERAS = False
N_CASES = 100
_NAME = "two machines"
_LEASE_S = 3
_CACHED = "attr_timeout=3,entry_timeout=3,negative_timeout=3"
_NEW_NAMESPACES = 0x00020000 | 0x04000000  # CLONE_NEWNS, CLONE_NEWUTS
_PRIVATE, _BIND = 0x4000 | (1 << 18), 0x1000  # MS_REC | MS_PRIVATE, MS_BIND


def _prepare(folder: Path) -> None:
    write_audio(folder / "audio", n_items=6)
    must(PREPARE, folder)
    write_script(
        folder, [*BASELINES, {"architecture": "knn", "n_neighbors": (3,)}], num_folds=3, lock="lease", lease_s=_LEASE_S
    )


_scenarios.SCENARIOS[_NAME] = _scenarios.Scenario(("exp.py",), _prepare)


def prepare(base: Path) -> None:
    """Run the experiment once, on one machine."""
    if n_cases(base):
        _scenarios.prepare(base, [_NAME])


def n_cases(_base: Path) -> int:
    """Return how many trials there are."""
    return N_CASES if os.getuid() == 0 and shutil.which("bindfs") else 0


def _be_machine(name: str, mount: Path, shared: Path, log: Path) -> None:
    """Let this process be on another machine, where a mount has the path that all know."""
    system = ctypes.CDLL(None, use_errno=True)
    calls = (
        lambda: system.unshare(_NEW_NAMESPACES),
        lambda: system.mount(b"none", b"/", None, _PRIVATE, None),
        lambda: system.mount(os.fsencode(mount), os.fsencode(shared), None, _BIND, None),
    )
    for call in calls:
        if call():
            raise OSError(ctypes.get_errno(), "no machine of its own")
    socket.sethostname(name)
    os.chdir(shared)
    note_trainings(log)


def run_case(case: Case) -> Outcome:
    """Start a run on each machine, wait for both, and look at what they have left."""
    rng, log = case.rng(), case.folder / "trained.log"
    folder, shared = copy(case.base / _NAME, case.folder / "folder"), case.folder / "shared"
    shared.mkdir()
    mounts = [case.folder / name for name in ("alpha", "beta")]
    is_killed, apart_s, killed_s = case.number % 2 == 1, rng.uniform(0, 0.5), rng.uniform(0.1, 1.5)
    outcome = Outcome(f"{apart_s:.2f} s apart" + (f", the first killed after {killed_s:.2f} s" if is_killed else ""))
    try:
        for mount in mounts:
            mount.mkdir()
            subprocess.run(["bindfs", "-o", _CACHED, folder, mount], check=True)
        runs = []
        for mount in mounts:
            runs.append(Running(("exp.py",), shared, before=partial(_be_machine, mount.name, mount, shared, log)))
            time.sleep(apart_s)
        if is_killed:
            time.sleep(killed_s)
            runs[0].kill()
        ends = [each.wait() for each in runs]
    finally:
        for mount in mounts:
            subprocess.run(["umount", "--lazy", mount], check=False)
    for ended in ends[is_killed:]:
        outcome.faults += ended.faults
        if ended.code and not is_elsewhere(ended):
            outcome.faults.append(f"exit code {ended.code}: {ended.printed.strip()[-300:]}")
    trained = log.read_text().splitlines()
    twice = sorted(job for job in set(trained) if trained.count(job) > 1)
    if len(twice) > is_killed:  # the one that was being trained when it was killed
        outcome.faults.append(f"trained twice: {twice}")
    last = run(("exp.py",), folder)
    outcome.faults += last.faults
    if last.code or ("Nothing to do" not in last.printed and not is_killed):
        outcome.faults.append(f"afterwards not all is done: {last.printed.strip()[-300:]}")
    found = _scenarios.differences(_scenarios.undisturbed(case.base, _NAME).digests, _scenarios.state(folder))
    outcome.faults += [difference for difference in found if ".lease/" not in difference][:3]
    return outcome
