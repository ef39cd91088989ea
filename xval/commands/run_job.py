"""Run one job of an experiment: one fold of one instance with one seed, from a file that `--executor command` and others write.

The job runs on the copy of the code that it belongs to, whatever has been edited since. It trains and tests, publishes its fold
folder, and writes what became of it beside the file (instance_1_fold_1.outcome.json). A job that is done is not run again, and
one that another process is running is left to it. The GPU is the one that the file names among those that this process may
see (CUDA_VISIBLE_DEVICES, which schedulers set); on a machine without GPUs it is the CPU.

exit code: 0 done; 1 failed (it is recorded), or another process is running it; 2 the file is none of a job; 130 interrupted
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
    parser.add_argument("--gpu", type=devices.read_device, metavar="ID", help="0, 1, ..., or cpu (default: as the file says)")
    parser.add_argument(
        "--tied", action="store_true", help="end when the standard input does: for launchers that may be killed"
    )


def run(options: argparse.Namespace) -> int:
    """Become the process of the job, bound to its device."""
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
    """Refuse a job whose copy of the code is gone, or is of a version that runs jobs otherwise."""
    if not (code / "xval").is_dir():
        raise ResultsError(f"{code}: the copy of the code for {path} is missing.")
    if not code.joinpath(*_PROGRAM.split(".")).with_suffix(".py").is_file():
        raise ResultsError(
            f"{code}: the copy of the code for {path} has no {_PROGRAM}, so it is of another version. Run the experiment "
            "again, which writes the job file again."
        )
