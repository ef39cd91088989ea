"""Files from elsewhere that were made to do harm: nothing runs, nothing private is read, everything ends, in a line.

Comes in: a case. Goes out: what was wrong. Each case has a project of its own with a secret beside it, puts one hostile file
into it, and gives the commands that meet the file in real processes: no canary is made, no byte of the secret lies in the
project, the exit code is that of a refusal in one line or of a sound result, no terminal is controlled, and memory is bounded.
"""

import os
import re
import resource
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import _case
import _hostile_corpora as corpora
import _hostile_files as files
from _attack import Attack
from _case import Case, Outcome
from _commands import Ended, must
from _projects import BASELINES, NETWORK, PREPARE, SETTINGS, copy, write_audio, write_script
from _tampers import CANARY

SUMMARY = "hostile files from elsewhere: corpora, models, tables, names, archives, patterns"
NEEDS_KERAS = False
MOST_MB = 2000
"""Of resident memory: the largest command here that nothing disturbs, with torch or TensorFlow, takes 900."""
_ADDRESS_SPACE_BYTES = 24 << 30
_TIMEOUT_S = 240.0
_ENDS_WITHIN_S = 40.0
_SECRET_BYTES = 4000
_RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202e]")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")  # ONNX Runtime reports its own errors in red
_QUICK: tuple[Callable[..., Attack], ...] = (files.archive, files.names, files.saved_file)
_ALL: tuple[Callable[..., Attack], ...] = (
    *_QUICK, corpora.audformat_header, corpora.audformat_pickle, corpora.audformat_path, corpora.huggingface_path,
    corpora.endless_onnx, corpora.enormous_onnx, corpora.transformers_folder, corpora.damaged_table, corpora.huge_table,
    files.deep_condition, files.endless_pattern, files.wrong_checksum,
)  # fmt: skip
MAKERS = _QUICK if _case.is_light else _ALL
N_CASES = 12 * len(_ALL)


def prepare(base: Path) -> None:
    """Make a finished experiment, and sound files of other programs."""
    made = base / "made"
    write_audio(made / "audio")
    must(PREPARE, made)
    write_script(made, BASELINES)
    write_script(made, NETWORK, "net.py", num_epochs=1, num_experiment=2)
    (made / "settings.txt").write_text(" ".join(SETTINGS))
    must(("exp.py", "--quiet"), made)
    if not _case.is_light:
        writer = Path(__file__).with_name("_sound_files.py")
        subprocess.run([sys.executable, writer, made], check=True, capture_output=True)


def n_cases(_base: Path) -> int:
    """Return how many attacks there are."""
    return N_CASES


def run_case(case: Case) -> Outcome:
    """Put one hostile file into a project, and give the commands that meet it."""
    rng, project = case.rng(), copy(case.base / "made", case.folder / "project")
    secret = case.folder / "private" / "key.wav"
    secret.parent.mkdir()
    content = rng.randbytes(_SECRET_BYTES)
    secret.write_bytes((case.base / "made" / "audio" / "0_low_0.wav").read_bytes()[:44] + content)
    attack = MAKERS[case.number % len(MAKERS)](project, secret, rng)
    outcome, ended = Outcome(attack.description), None
    for step in attack.steps:
        if callable(step):
            step(project)
            continue
        ended = _run(step, project, attack.ends_after_s)
        outcome.faults += _faults(ended)
    if ended is not None and ended.code not in attack.codes:
        outcome.faults.append(
            f"exit code {ended.code}, not {' or '.join(map(str, attack.codes))}: {ended.printed.strip()[-300:]}"
        )
    if canaries := [path for path in (*case.folder.rglob(CANARY), Path(tempfile.gettempdir()) / CANARY) if path.exists()]:
        outcome.faults.append(f"executed, or written outside: {canaries[0]}")
    outcome.faults += [f"{path} holds what is private" for path in project.rglob("*") if _holds(path, content[:1000])]
    if fault := attack.fault(project):
        outcome.faults.append(fault)
    return outcome


def _run(words: tuple[str, ...], folder: Path, ends_after_s: float | None) -> Ended:
    """Run a command in a process of its own; where it is told to end, it has some seconds for that."""
    started = time.perf_counter()
    variables = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    with tempfile.TemporaryFile() as output:
        running = subprocess.Popen(
            [sys.executable, *words], cwd=folder, env=variables, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            start_new_session=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE_BYTES,) * 2),
        )  # fmt: skip
        descriptor = os.pidfd_open(running.pid)
        has_ended = bool(select.select([descriptor], [], [], ends_after_s or _TIMEOUT_S)[0])
        if not has_ended and ends_after_s:
            running.terminate()
            has_ended = bool(select.select([descriptor], [], [], _ENDS_WITHIN_S)[0])
        os.close(descriptor)
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)  # and what it has left running
        _, status, used = os.wait4(running.pid, 0)
        running.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        printed = output.read().decode(errors="replace")
    return Ended(words, running.returncode, printed, time.perf_counter() - started, used.ru_maxrss / 1024, not has_ended)


def _faults(ended: Ended) -> list[str]:
    """Return what no command may do, whatever it is given."""
    faults = [*ended.faults]
    if ended.added_mb > MOST_MB and not any("MB of memory" in fault for fault in faults):
        faults.append(f"{ended.added_mb:.0f} MB of memory")
    if ended.code == 2 and sum(line.startswith("error: ") for line in ended.printed.splitlines()) != 1:
        faults.append(f"refused, and not in one line: {ended.printed.strip()[-300:]}")
    if found := _RAW.search(_COLOUR.sub("", ended.printed)):
        faults.append(f"printed {found[0]!r}")
    return faults


def _holds(path: Path, content: bytes) -> bool:
    """Return whether a regular file, which is no link, has some bytes in it."""
    return path.is_file() and not path.is_symlink() and path.stat().st_size < 10**8 and content in path.read_bytes()
