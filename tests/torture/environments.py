"""Odd environments: no home, another locale, closed streams, a read-only folder, few file handles, names with anything in them.

Comes in: a case. Goes out: what was wrong. Commands run in processes of their own, since a locale and the like are read when
Python begins. Each works as everywhere else, or says in one line what is missing.
"""

import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from _case import Case, Outcome
from _commands import TIMEOUT_S, Ended
from _projects import PREPARE, copy, digests, make_baselines
from _scenarios import EXPERIMENT, untouched

SUMMARY = "odd environments: locale, home, streams, rights, limits, names of folders"
NEEDS_KERAS = False
COMMANDS: tuple[tuple[str, ...], ...] = (
    PREPARE,
    ("exp.py",),
    ("exp.py", "2", "2", "--overwrite"),
    ("-m", "xval", "status", EXPERIMENT),
    ("-m", "xval", "audit", EXPERIMENT),
    ("-m", "xval", "rebuild", EXPERIMENT),
    ("-m", "xval", "report", EXPERIMENT),
    ("-m", "xval", "compare", EXPERIMENT),
)


@dataclass(frozen=True)
class Environment:
    """What is odd.

    Attributes:
        variables: Of the environment, over those of this process.
        removed: Variables that are not there.
        redirect: What a shell adds to the command.
        limits: Called in the process before Python begins.
        folder: Name of the folder of the project.
        may_fail: It may refuse, in a line.
    """

    variables: dict[str, str] = field(default_factory=dict)
    removed: tuple[str, ...] = ()
    redirect: str = ""
    limits: Callable[[], object] | None = None
    folder: str = "project"
    may_fail: bool = False


def _few_files() -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))


ENVIRONMENTS = {
    "LC_ALL=C": Environment({"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}),
    "LC_ALL=POSIX, ASCII streams": Environment({"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}),
    "LANG=tr_TR, Latin-9 streams": Environment({"LANG": "tr_TR.UTF-8", "PYTHONIOENCODING": "iso8859-15"}),
    "no HOME": Environment(removed=("HOME", "USER", "LOGNAME")),
    "HOME that does not exist": Environment({"HOME": "/not/there"}),
    "TMPDIR that does not exist": Environment({"TMPDIR": "/not/there"}),
    "no variables but PATH": Environment(removed=("*",)),
    "TERM=dumb, 10 columns": Environment({"TERM": "dumb", "COLUMNS": "10", "LINES": "2"}),
    "COLUMNS=0": Environment({"COLUMNS": "0", "FORCE_COLOR": "1"}),
    "PYTHONHASHSEED=1": Environment({"PYTHONHASHSEED": "1"}),
    "PYTHONOPTIMIZE=2": Environment({"PYTHONOPTIMIZE": "2"}),
    "PYTHONWARNINGS=error::UserWarning": Environment({"PYTHONWARNINGS": "error::UserWarning:xval"}),
    "TZ=Pacific/Kiritimati": Environment({"TZ": "Pacific/Kiritimati"}),
    "standard input closed": Environment(redirect="<&-"),
    "standard output closed": Environment(redirect=">&-", may_fail=True),
    "standard error closed": Environment(redirect="2>&-"),
    "all streams closed": Environment(redirect="<&- >&- 2>&-", may_fail=True),
    "standard output full": Environment(redirect=">/dev/full", may_fail=True),
    "a reader that has gone": Environment(redirect="| true", may_fail=True),
    "umask 077": Environment(limits=lambda: os.umask(0o077)),
    "umask 777": Environment(limits=lambda: os.umask(0o777), may_fail=True),
    "40 file handles": Environment(limits=_few_files, may_fail=True),
    "spaces and umlauts": Environment(folder="a b ü ß"),
    "a line break in the path": Environment(folder="a\nb"),
    "quotes and wildcards": Environment(folder="a'b\"c*?[x]{y}$z;&|"),
    "brackets of rich": Environment(folder="[bold]x[/bold] :smile:"),
    "names that are not UTF-8": Environment(folder=os.fsdecode(b"a\xff\xfeb")),
    "a leading dash": Environment(folder="-rf"),
    "a long path": Environment(folder="/".join(["x" * 100] * 8)),
}


def prepare(base: Path) -> None:
    """Make a corpus and a finished experiment."""
    make_baselines(base / "made")


def n_cases(_base: Path) -> int:
    """Return how many there are: every command in every environment."""
    return len(ENVIRONMENTS) * len(COMMANDS)


def run_case(case: Case) -> Outcome:
    """Run a command in an environment."""
    name = list(ENVIRONMENTS)[case.number // len(COMMANDS) % len(ENVIRONMENTS)]
    environment, words = ENVIRONMENTS[name], COMMANDS[case.number % len(COMMANDS)]
    (case.folder / environment.folder).parent.mkdir(parents=True)
    folder = copy(case.base / "made", case.folder / environment.folder)
    before = digests(folder)
    ended = _run(words, folder, environment)
    outcome = Outcome(f"{name}: {' '.join(words[:4])}", ended.faults)
    if ended.code and not environment.may_fail:
        outcome.faults.append(f"exit code {ended.code}: {ended.printed.strip()[-300:]}")
    if ended.code > 2 and environment.may_fail and ended.code not in (120, 130):
        outcome.faults.append(f"exit code {ended.code}: {ended.printed.strip()[-300:]}")
    if "--overwrite" not in words:
        outcome.faults += [f"{path} has changed" for path in untouched(before, digests(folder))]
    _allow(case.folder)
    return outcome


def _run(words: Sequence[str], folder: Path, environment: Environment) -> Ended:
    """Run a command in a process of its own; what goes nowhere else is kept."""
    variables = {key: value for key, value in os.environ.items() if not key.startswith(("XVAL_TORTURE", "KERAS"))}
    if "*" in environment.removed:
        variables = {"PATH": variables["PATH"]}
    variables = {key: value for key, value in variables.items() if key not in environment.removed} | environment.variables
    shell = ["bash", "-c", f'"$@" {environment.redirect}', "bash", sys.executable, *words]
    started = time.perf_counter()
    try:
        done = subprocess.run(
            shell, cwd=folder, env=variables, preexec_fn=environment.limits, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL, timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired as ended:
        return Ended(words, -9, str(ended.output), TIMEOUT_S, 0.0, timed_out=True)
    code = done.returncode - 256 if done.returncode > 190 else done.returncode
    return Ended(words, code, done.stdout.decode(errors="replace"), time.perf_counter() - started, 0.0, timed_out=False)


def _allow(folder: Path) -> None:
    """Let the folder be removed, whatever rights were given in it."""
    for path in folder.rglob("*"):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)
