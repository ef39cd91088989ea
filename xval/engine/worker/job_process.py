"""The process of one job file: it trains, tests, publishes the fold, and writes the outcome.

run-job starts it with the device, the backend and the threads in its environment, and with the copy of the code first on its
path.
"""

import os
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from preprocessing.console import EXIT_FAILED, EXIT_INTERRUPTED, carry_out
from preprocessing.interrupts import rescue
from xval.backend.devices import load_keras
from xval.backend.gpu_readings import watched_gpus
from xval.base.operating_system import WARNING_SIGNALS
from xval.engine.worker.printed import PrintedLines
from xval.engine.worker.run import record_failure, run_job
from xval.jobs.job_file import printed_file, read_job_file, write_outcome
from xval.jobs.outcome import FAILED
from xval.settings.architectures import trains_network


def main(path: Path, *, is_tied: bool) -> int:
    """Run the job of a file; `is_tied`: end when the launcher closes the standard input of this process.

    Returns:
        0: the job is done. 1: it failed, or another process is running it. 2: the file is not a job file. 130: interrupted.
    """
    for warning in WARNING_SIGNALS:
        signal.signal(warning, signal.SIG_IGN)  # schedulers warn all processes of a job; the launcher ends what is to end
    if is_tied:
        threading.Thread(target=_end_with_input, daemon=True).start()
    return carry_out(lambda: _run(path, is_launched=is_tied))


def _run(path: Path, *, is_launched: bool) -> int:
    job, _ = read_job_file(path)
    if trains_network(job.settings.architecture):
        load_keras()

    log = sys.stdout

    def report(event: Mapping[str, Any]) -> None:
        if "note" in event:
            log.write(f"{event['note']}\n")
            return
        values = ", ".join(f"{name} {value:.4g}" for name, value in event["values"].items())
        log.write(f"epoch {event['epoch']}: {values}\n")
        log.flush()

    def show(line: str) -> None:
        log.write(f"{line}\n")
        with suppress(OSError), printed_file(path).open("a", encoding="utf-8") as file:  # a full disk does not stop a job
            file.write(f"{line}\n")

    printed = PrintedLines(show)
    if is_launched:  # by a driver, which reads that file; else a terminal is here
        sys.stdout = printed.as_text()
    device = os.environ["XVAL_DEVICE"]
    with watched_gpus([device]):
        outcome = run_job(job, report, device=device)
    printed.end()
    if outcome.status in FAILED:
        record_failure(job, outcome)
    write_outcome(path, outcome)
    name = str(outcome.key)
    if outcome.status == "done":
        log.write(f"{name}: done in {outcome.seconds:.1f} s\n")
        return 0
    reason = "another process is running it" if outcome.status == "elsewhere" else f"{outcome.error}\n{outcome.details}"
    sys.stderr.write(f"{name} {outcome.status}: {reason}\n")
    return EXIT_FAILED


def _end_with_input() -> None:
    while os.read(0, 4096):
        pass
    rescue()
    os._exit(EXIT_INTERRUPTED)  # the next one that claims the job removes what this leaves


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), is_tied=sys.argv[2:] == ["--tied"]))
