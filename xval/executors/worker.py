"""A worker process: it runs the jobs that come in on its standard input.

Comes in: orders to check or to run jobs. Goes out: lines of JSON, events while a job runs and an outcome after it. The executor
started it with the device, the backend and the threads in its environment, and with the snapshot of the code first on its
path. It ends when its standard input does, also when the executor was killed in the middle of a job. Next: job.py.
"""

import json
import os
import queue
import signal
import sys
import threading
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any


def main() -> None:
    """Run jobs until the standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the executor decides what ends
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print must not mix with the answers
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=_read_lines, args=(lines,), daemon=True).start()

    def answer(message: Mapping[str, Any]) -> None:
        answers.write(json.dumps(message) + "\n")
        answers.flush()

    import xval.training  # noqa: F401 - the backend loads while the executor prepares the first job
    from xval.job import run_job
    from xval.model_check import check_models
    from xval.plan import Job

    while True:
        order = json.loads(lines.get())
        if "check" in order:
            answer({"faults": check_models([Job.from_dict(job) for job in order["check"]])})
        else:
            outcome = run_job(Job.from_dict(order["job"]), answer, device=os.environ["XVAL_DEVICE"])
            answer({"outcome": asdict(outcome)})


def _read_lines(lines: "queue.Queue[str]") -> None:
    for line in sys.stdin:
        lines.put(line)
    os._exit(0)


if __name__ == "__main__":
    main()
