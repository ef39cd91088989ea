"""A job as a file, what became of it as a file next to it, and the process that takes the one to the other.

    <experiment>/jobs/instance_3_fold_1.json           the job, and the device and threads that it wants
                      instance_3_fold_1_repeat_2.json  the same, from the second repeat on
                      instance_3_fold_1.outcome.json   what became of it; it appears when the job has ended
                      instance_3_fold_1.log            what its process printed, where an executor started it
                      instance_3_fold_1.printed        what of this the user's own code did, for the terminal

Each file is written whole or not at all. A job file names the copy of the code that is run: it is as trusted as a script.
"""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any, cast

from pydantic import ValidationError

from preprocessing.console import EXIT_INTERRUPTED
from xval.backend.devices import Slot, environment
from xval.base.errors import ResultsError
from xval.base.file_forms import describe_faults, form_of
from xval.base.json_files import FORMAT_VERSION, read_json, write_json
from xval.base.operating_system import ENDING_SIGNALS, WARNING_SIGNALS, end_processes, has_ended, open_regular
from xval.jobs.job import Job
from xval.jobs.outcome import JobOutcome

FIRST_JOB, NO_NETWORK = "XVAL_FIRST_JOB", "no_network"
"""What tells a process that its first job trains no network."""
_SECONDS_BETWEEN_LOOKS = 0.1
_LOG_TAIL = 4000
# Told to end by the user or a scheduler, before or after it had begun to listen.
_INTERRUPTED = (
    EXIT_INTERRUPTED,
    *(128 + number for number in ENDING_SIGNALS),
    *(-number for number in (signal.SIGINT, *ENDING_SIGNALS, *WARNING_SIGNALS)),
)


def job_file(job: Job) -> Path:
    """Return where the file of a job is, whether it is written or not."""
    return job.folder.path / "jobs" / f"instance_{job.instance}_{job.key.folder_name.replace('/', '_')}.json"


def write_job_file(job: Job, slot: Slot) -> Path:
    """Write a job file and return its path; the outcome of an earlier try, and what that printed, is removed.

    The slot has the device as the machine that runs it numbers it, and the threads.
    """
    path = job_file(job)
    path.parent.mkdir(exist_ok=True)
    outcome_file(path).unlink(missing_ok=True)
    printed_file(path).unlink(missing_ok=True)
    content = {"format_version": FORMAT_VERSION, "folder": str(Path.cwd()), "slot": asdict(slot), "job": job.to_dict()}
    write_json(path, content)
    return path


def read_job_file(path: Path) -> tuple[Job, Slot]:
    """Return the job of a file, and the slot that it wants."""
    content = _read(path)
    try:
        return Job.from_dict(content["job"]), form_of(Slot).validate_python(content["slot"])
    except (KeyError, TypeError, AttributeError, ValidationError) as error:
        raise _no_job_file(path, error) from error


def enter_folder(path: Path) -> None:
    """Go to the folder that a job file was written from, if this machine has it: models may be named from there."""
    with suppress(OSError):
        os.chdir(str(_read(path).get("folder", ".")))


def code_folder(path: Path) -> str:
    """Return the copy of the code that the job of a file runs, without looking at the rest of it."""
    content = _read(path)
    try:
        return str(content["job"]["code_folder"])
    except (KeyError, TypeError) as error:
        raise _no_job_file(path, error) from error


def outcome_file(path: Path) -> Path:
    """Return where the outcome of a job file is."""
    return path.with_suffix(".outcome.json")


def log_file(path: Path) -> Path:
    """Return where the log of a job file is."""
    return path.with_suffix(".log")


def printed_file(path: Path) -> Path:
    """Return where the lines are that the user's own code prints in the process of a job file."""
    return path.with_suffix(".printed")


def write_outcome(path: Path, outcome: JobOutcome) -> None:
    """Write what became of the job of a file next to it."""
    write_json(outcome_file(path), {"format_version": FORMAT_VERSION, **asdict(outcome)})


def read_outcome(path: Path) -> JobOutcome | None:
    """Return what became of the job of a file, or None where it has not ended."""
    content = read_json(outcome_file(path))
    if content is None:
        return None
    content.pop("format_version", None)
    try:
        return form_of(JobOutcome).validate_python(content)
    except ValidationError as error:
        raise ResultsError(
            f"{outcome_file(path)}: cannot be read as the result of a job ({describe_faults(error)}). Delete it and run the "
            "job again."
        ) from error


def command_line(path: Path) -> list[str]:
    """Return the command that runs the job of a file, from any folder."""
    return [sys.executable, "-P", "-m", "xval", "run-job", str(path.resolve())]


def variables_of(job: Job, slot: Slot) -> dict[str, str]:
    """Return the environment of a process that runs a job, or others like it, at a slot, on their copy of the code."""
    bound = environment(slot, job.settings.backend, deterministic=job.settings.deterministic)
    code = {"PYTHONPATH": _with_code_first(job.code_folder), "PYTHONDONTWRITEBYTECODE": "1"}
    return {**os.environ, **bound, **code, "XVAL_DEVICE": slot.device}


def _with_code_first(code: str) -> str:
    """Return the PYTHONPATH of this process with a folder in front."""
    inherited = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return os.pathsep.join([code, *(part for part in inherited if part and part != code)])


class JobProcess:
    """The process that runs a job file, for launchers that run next to it on its machine.

    It ends with its launcher, however that ends. What it prints goes into the log.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._ended_by_us = False
        variables = os.environ | {"PYTHONPATH": _with_code_first(code_folder(path))}
        with log_file(path).open("wb") as log:
            self._process = subprocess.Popen(
                [*command_line(path), "--tied"], stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT, env=variables
            )
        self._input = cast("IO[bytes]", self._process.stdin)  # the process ends when this is closed, by us or by our end

    def wait(self) -> int:
        """Wait for the end of the process and return its exit code; if it died without an outcome, write one that says so."""
        try:
            while not self._has_ended():
                time.sleep(_SECONDS_BETWEEN_LOOKS)
        except BaseException:
            self.end()
            raise
        finally:
            code = self._process.wait()
            self._input.close()
        if code not in _INTERRUPTED and not self._ended_by_us and not outcome_file(self._path).exists():
            job, _ = read_job_file(self._path)
            outcome = JobOutcome.of(job.key, "crashed", error=describe_exit(code), details=self._printed())
            write_outcome(self._path, outcome)
        return code

    @property
    def was_interrupted(self) -> bool:
        """Whether a signal from outside ended it; its job has no outcome then."""
        return self._process.returncode in _INTERRUPTED and not self._ended_by_us

    def end(self) -> None:
        """End it, by force if need be; its job has no outcome then. A signal handler may call this while `wait` waits."""
        self._ended_by_us = True
        end_processes([self._process])

    def _has_ended(self) -> bool:
        """Look without the lock of `Popen.wait`, which a signal handler would wait for without end."""
        return self._process.returncode is not None or has_ended(self._process.pid)

    def _printed(self) -> str:
        with suppress(OSError), open_regular(log_file(self._path)) as file:
            return read_tail(file)
        return ""


def read_tail(log: IO[bytes]) -> str:
    """Return the last of what a process has printed."""
    log.seek(max(0, log.seek(0, os.SEEK_END) - _LOG_TAIL))
    return log.read().decode(errors="replace")


def describe_exit(code: int) -> str:
    """Return one line on how a process that ran a job ended; the exit code is minus the number of the signal that killed it."""
    if code >= 0:
        return f"the worker process ended with exit code {code}"
    name = next((known_signal.name for known_signal in signal.Signals if known_signal == -code), f"signal {-code}")
    hint = " (the system may have run out of memory)" if name == "SIGKILL" else ""
    return f"the worker process was killed by {name}{hint}"


def remove_leftovers(job: Job, *, until: float = 0.0) -> None:
    """Remove what a process that has ended left of a job, unless another process runs that job now.

    A process that still has the job, and was told to end, is waited for `until` then (monotonic s).
    """
    while True:
        with job.folder.claim(*job.key) as is_ours:  # which removes it
            if is_ours or time.monotonic() > until:
                return


def _read(path: Path) -> dict[str, Any]:
    content = read_json(path)
    if content is None:
        raise ResultsError(f"{path}: there is no such file. Expected a job file, <experiment>/jobs/instance_1_fold_1.json.")
    return content


def _no_job_file(path: Path, error: Exception) -> ResultsError:
    fault = f"{type(error).__name__}: {error}"
    if isinstance(error, ValidationError):
        fault = describe_faults(error)
    return ResultsError(f"{path}: not a job file ({fault}). An experiment writes job files with --executor command.")
