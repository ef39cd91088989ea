"""Divide the time of a run into parts, from the times at which its files were written, and estimate how short it could be.

The parts add up to the whole. Also: how the start of a worker divides, the multiplications of `cnn_small`, and how many the
processor does in a second.
"""

import queue
import time
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from _folds import make_jobs
from threadpoolctl import threadpool_limits

from preprocessing.parallel import count_cores
from preprocessing.store import open_store
from xval.backend.devices import Slot
from xval.engine.executors._worker_process import Messages, Worker, build_models

Span = tuple[float, float]

_KERNEL = 3 * 3
TRAINING = 3  # forward, gradients of the values, gradients of the weights
_MATRIX = 1024


def divide(started: float, stamps: Iterable[tuple[str, float]]) -> dict[str, float]:
    """Return the seconds of parts that follow each other.

    Args:
        started: When the first one began (s since 1970).
        stamps: Name of each part, and when it ended; one that ended before an earlier one has no seconds.
    """
    parts, last = {}, started
    for name, ended in stamps:
        parts[name] = max(0.0, ended - last)
        last = max(last, ended)
    return parts


def all_busy_s(spans: Sequence[Span]) -> float:
    """Return how long as many jobs ran at a time as ever did (s).

    Args:
        spans: Begin and end of each job (s).
    """
    times = sorted({moment for span in spans for moment in span})
    counts = [(sum(begin <= first and last <= end for begin, end in spans), last - first) for first, last in pairwise(times)]
    most = max(count for count, _ in counts)
    return sum(seconds for count, seconds in counts if count == most)


def divide_run(results: Path, records: Sequence[dict[str, Any]], started: float, ended: float) -> dict[str, float]:
    """Return the parts of the run of an experiment of one instance (s); their sum is the time from its start to its end.

    Args:
        results: Its folder.
        records: Of its folds.
        started: When the command was started (s since 1970).
        ended: When it ended.
    """
    instance = results / "instance_1"
    ends = [(instance / f"fold_{record['fold']}" / "record.json").stat().st_mtime for record in records]
    spans = [(end - record["seconds"], end) for end, record in zip(ends, records, strict=True)]
    busy_s = all_busy_s(spans)
    begun = min(begin for begin, _ in spans)
    workbook = (results / "results.xlsx").stat()  # it is given the time at which its making began
    return divide(
        started,
        (
            ("start of the main process, plan", (results / "description.txt").stat().st_mtime),
            ("features, folds, copy of the code", (instance / "settings.json").stat().st_mtime),
            ("start of the workers, TensorFlow, model check", begun),
            ("folds: every worker busy", begun + busy_s),
            ("folds: a worker without work (the tail)", max(ends)),
            ("end of the workers", workbook.st_mtime),
            ("metrics and workbook", workbook.st_ctime),
            ("page", (results / "report.html").stat().st_mtime),
            ("table, end of the main process", ended),
        ),
    )


def start_worker(folder: Path, store: str, parameters: Mapping[str, Any]) -> tuple[float, float]:
    """Return how long a worker takes to start with its backend, and then to check a model (s).

    Args:
        folder: Of results; nothing is written there.
        store: The folder of a feature store of three items or more.
        parameters: Of an experiment on it.
    """
    jobs = make_jobs(folder, store, 1, parameters)
    messages: Messages = queue.Queue()
    started = time.perf_counter()
    worker = Worker(0, Slot("cpu", 1), jobs[0], messages)
    try:
        build_models(worker, [], messages)  # it answers as soon as it has loaded what it needs
        loaded = time.perf_counter()
        build_models(worker, jobs, messages)
        return loaded - started, time.perf_counter() - loaded
    finally:
        worker.end()


def multiplications(n_frames: int, n_bins: int, n_classes: int, n_filters: Sequence[int] = (16, 32, 64, 128)) -> int:
    """Return the multiplications of `cnn_small` for one example, forward; those of its scaling and averages are skipped."""
    total, n_channels = 0, 1
    for filters in n_filters:
        total += n_frames * n_bins * _KERNEL * n_channels * filters
        n_frames, n_bins, n_channels = max(1, n_frames // 2), max(1, n_bins // 2), filters
    return total + n_bins * n_channels * n_classes


def training_scores(records: Sequence[dict[str, Any]], store: Path) -> int:
    """Return the multiplications of the training of some folds on a feature store of log-mel spectrograms."""
    n_frames, n_bins, *_ = open_store(store).example_shape
    forward = multiplications(n_frames, n_bins, len(records[0]["class_names"]))
    return sum(TRAINING * forward * record["n_training_examples"] * record["epochs"] for record in records)


def peak_per_s(n_runs: int = 5) -> float:
    """Return the multiplications that all cores do in a second, in a product of matrices in NumPy (float32), at best."""
    first, second = np.random.default_rng(0).normal(size=(2, _MATRIX, _MATRIX)).astype(np.float32)
    least = float("inf")
    with threadpool_limits(count_cores()):
        for _ in range(n_runs):
            started = time.perf_counter()
            first @ second
            least = min(least, time.perf_counter() - started)
    return _MATRIX**3 / least
