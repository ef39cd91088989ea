"""Tampered files: every kind of file that a run leaves or reads, before every command.

One file of a finished experiment is changed, then every command is run, each on a separate copy. A command that cannot use the
file says so in a line that names it; one that continues without it names it; one that gives the same answer as before did not
need it. Finished folds stay as they are, and nothing in the file is executed.
"""

import json
import os
import random
import re
from pathlib import Path
from typing import NamedTuple

from _case import Case, Outcome
from _commands import Ended, must, run
from _faults import Action, Fault
from _projects import BASELINES, NETWORK, PREPARE, Project, write_audio, write_script
from _scenarios import EXPERIMENT, finished
from _tampers import CANARY, tamper

SUMMARY = "tampered files before every command"
NEEDS_KERAS = True
N_CASES = 500
SCRIPT = "experiments/exp.py"
COMMANDS: tuple[tuple[str, ...], ...] = (
    (SCRIPT, "--quiet"),
    (SCRIPT, "--dry-run"),
    ("-m", "xval", "status", EXPERIMENT),
    ("-m", "xval", "audit", EXPERIMENT),
    ("-m", "xval", "rebuild", EXPERIMENT),
    ("-m", "xval", "report", EXPERIMENT),
    ("-m", "xval", "compare", EXPERIMENT),
    ("-m", "xval", "ensemble", EXPERIMENT, "1,2"),
    ("-m", "xval", "predict", f"{EXPERIMENT}/instance_1", "audio/0_low_0.wav"),
    ("-m", "xval", "predict", f"{EXPERIMENT}/instance_3", "audio/0_low_0.wav"),
    ("-m", "xval", "evaluate", f"{EXPERIMENT}/instance_1/fold_1", "audio/toy.csv", "--output", "evaluation"),
    ("load.py",),
    ("-m", "xval", "run-job", f"{EXPERIMENT}/jobs/instance_1_fold_1.json"),
)
_LOAD = f"""import sys
from xval import load_predictions, load_results
from xval.base.errors import XvalError
try:
    print(load_results("{EXPERIMENT}").drop(columns="seconds", errors="ignore").to_csv())
    print(load_predictions("{EXPERIMENT}").to_csv())
except XvalError as error:
    sys.exit(f"error: {{error}}")
"""
_NUMBERS = re.compile(r"\d+\.\d+ s\b|\d+:\d\d:\d\d|\d+ MB")
_CONFIG = "[experiment]\ndataset = toy\n\n[training]\nnum_epochs = 1\nbatch_size = 8\nlearning_rate = 0.001\n"


class Answer(NamedTuple):
    """What a command does where nothing is tampered with.

    Attributes:
        code: Exit code.
        printed: What `_shown` returns.
        read: The files and folders that it asks for, opens or lists; None: not known.
    """

    code: int
    printed: str
    read: list[str] | None

    def needs(self, name: str, *, is_folder_changed: bool) -> bool:
        """Return whether a tampered file can change what the command does.

        It cannot where the command never asks for it: it is the same program, and all else that it reads is the same. What it
        asks of the folder, and lists there, changes with its time alone.
        """
        return self.read is None or name in self.read or (is_folder_changed and str(Path(name).parent) in self.read)


def prepare(base: Path) -> None:
    """Make a study with a finished experiment: two baselines, a small network, and what every command prints of them."""
    made = base / "made"
    write_audio(made / "audio")
    (made / "experiments").mkdir()
    (made / "config.ini").write_text(_CONFIG)
    must(PREPARE, made)
    write_script(made, [*BASELINES, *NETWORK], SCRIPT, num_epochs=1)
    (made / "load.py").write_text(_LOAD)
    must((SCRIPT, "--quiet"), made)
    must((SCRIPT, "1", "1", "--executor", "command", "--overwrite", "--folds", "1"), made)
    must((SCRIPT, "--quiet"), made)
    answers, project = {}, Project(made, base / "answer")
    for words in COMMANDS:
        fault = Fault(project.folder, Action.READ)
        ended = run(words, project.folder, fault=fault, variables=fault.variables)
        read = None if fault.read is None else sorted(map(os.path.normpath, fault.read))
        answers[" ".join(words)] = Answer(ended.code, _shown(ended), read)
        project.put_back()
    (base / "answers.json").write_text(json.dumps(answers))
    paths = [path.relative_to(made).as_posix() for path in sorted(made.rglob("*")) if path.is_file()]
    kept = [path for path in paths if "/code/" not in path and Path(path).suffix not in (".lock", ".py", ".wav", ".log")]
    kinds: dict[str, list[str]] = {}
    for path in kept:
        kinds.setdefault(re.sub(r"\d+|[0-9a-f]{16}", "*", path), []).append(path)
    (base / "files.json").write_text(json.dumps(kinds))


def n_cases(_base: Path) -> int:
    """Return how many files are tampered with."""
    return N_CASES


def run_case(case: Case) -> Outcome:
    """Tamper with one file and give every command."""
    rng, kinds = case.rng(), json.loads((case.base / "files.json").read_text())
    answers = {words: Answer(*answer) for words, answer in json.loads((case.base / "answers.json").read_text()).items()}
    kind = sorted(kinds)[case.number % len(kinds)]
    name = rng.choice(kinds[kind])
    seed, outcome = rng.random(), Outcome(name)
    project = Project(case.base / "made", case.folder / "copy")
    path = project.folder / name
    done, is_noticeable = tamper(path, random.Random(seed))
    outcome.description = f"{name}: {done}"
    is_folder_changed = path.parent.stat().st_mtime_ns != (case.base / "made" / name).parent.stat().st_mtime_ns
    begun = ""  # a fold without a record is not finished, and is made again
    if path.name == "record.json" and not os.path.lexists(path):
        is_noticeable, begun = False, name.removesuffix("record.json")
    for words in COMMANDS:
        answer = answers[" ".join(words)]
        if not answer.needs(name, is_folder_changed=is_folder_changed):
            continue
        ended = run(words, project.folder, 60)
        outcome.faults += _faults(ended, name, answer, is_noticeable=is_noticeable)
        changed = [each for each in project.changed() if each != name and (case.base / "made" / each).is_file()]
        changed = [each for each in changed if not begun or not each.startswith(begun)]
        damaged = [each for each in finished(changed) if project.has_other_content(each)]
        outcome.faults += [f"{' '.join(words)}: {each} has changed" for each in damaged]
        if any(found.name == CANARY for place in (project.folder, case.folder) for found in place.iterdir()):
            outcome.faults.append(f"{' '.join(words)}: executed what is in the file")
        project.put_back()
        tamper(path, random.Random(seed))
    return outcome


def _shown(ended: Ended) -> str:
    return _NUMBERS.sub("", ended.printed)


def _faults(ended: Ended, name: str, answer: Answer, *, is_noticeable: bool) -> list[str]:
    """Return what is wrong with how a command takes a tampered file."""
    faults = list(ended.faults)
    if faults:
        return faults
    path, words = Path(name), " ".join(ended.words)
    is_named = any(part in ended.printed for part in (path.name, "/".join(path.parts[-2:-1]) + "/", str(path.parent)))
    if ended.code == answer.code and _shown(ended) == answer.printed:
        return []
    if ended.code and not is_named and not _names_job(ended.printed, path):
        faults.append(f"{words}: exit code {ended.code}, and no line names it: {ended.printed.strip()[-300:]}")
    if not ended.code and is_noticeable and not is_named and not _names_job(ended.printed, path):
        faults.append(f"{words}: exit code 0, another answer, and no line names it: {ended.printed.strip()[-200:]}")
    return faults


def _names_job(printed: str, path: Path) -> bool:
    """Return whether the fold of a file is named: instance 1, fold 2; or to do again."""
    found = re.search(r"instance_(\d+)/fold_(\d+)", path.as_posix())
    text = printed.lower()
    return bool(found) and (f"instance {found[1]}" in text or (f"instance_{found[1]}" in text and f"fold {found[2]}" in text))
