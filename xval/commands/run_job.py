"""Run one job of an experiment, which is one fold of one instance with one seed, from a job file.

`--executor command` and other executors write these files. The job runs on the copy of the code that was made for it, so
later edits do not affect it. It trains and tests, stores its fold folder, and writes its outcome next to the job file
(instance_1_fold_1.outcome.json). A finished job is not run again. A job that another process is running is skipped. The job
uses the GPU that the file names, counted among the GPUs that this process may use (CUDA_VISIBLE_DEVICES, which schedulers
set). On a machine without a GPU it uses the CPU.

exit code: 0 done; 1 failed (the error is recorded), or another process is running it; 2 the file is not a job file; 130
interrupted
"""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from xval.backend import devices
from xval.base.errors import ResultsError
from xval.base.operating_system import become
from xval.jobs.job_file import code_folder, enter_folder, read_job_file, variables_of

_PROGRAM = "xval.engine.worker.job_process"
SUMMARY = "run one job of an experiment, for schedulers"
GROUP = "Run"
RUNS_OWN_CODE = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("file", type=Path, metavar="JOB.json", help="<experiment>/jobs/instance_1_fold_1.json")
    parser.add_argument("--gpu", type=devices.read_device, metavar="ID", help="0, 1, ..., or cpu (default: that of the file)")
    parser.add_argument(
        "--tied", action="store_true", help="end when the standard input ends, for launchers that may be killed"
    )


def run(options: argparse.Namespace) -> int:
    """Replace this process by the process of the job, bound to its device."""
    path = options.file.absolute()
    _check_code(path, Path(code_folder(path)))
    job, wanted = read_job_file(path)
    (slot, *_), where = devices.make_slots(options.gpu or wanted.device, workers=1, threads=wanted.threads)
    sys.stdout.write(f"{job.key}: {where}\n")
    sys.stdout.flush()
    slot = replace(slot, memory_share=wanted.memory_share)
    variables = variables_of(job, slot)
    tied = ["--tied"] if options.tied else []
    enter_folder(path)
    # The C library and the backends read their variables when a process begins, so another program takes this one's place.
    return become([sys.executable, "-P", "-m", _PROGRAM, str(path), *tied], variables)


def _check_code(path: Path, code: Path) -> None:
    """Raise an error for a job whose copy of the code is gone, or is of an incompatible version."""
    if not (code / "xval").is_dir():
        raise ResultsError(f"{code}: the copy of the code for {path} is missing.")
    if not code.joinpath(*_PROGRAM.split(".")).with_suffix(".py").is_file():
        raise ResultsError(
            f"{code}: the copy of the code for {path} has no {_PROGRAM}, so it is of another version. Run the experiment "
            "again, which writes the job file again."
        )
