"""Seconds of the trial before the first job, for each architecture that comes with xval.

python benchmarks/sanity_check.py [--only cnn_small,mlp]      about 5 minutes on 2 cores; KERAS_BACKEND chooses the backend

An instance for each architecture at its own size, on the generated demo corpus, one fold of one epoch: the trial, and the job
that follows it in the same process. Where the trial has compiled what the job uses, the job does not compile it again. Prints
the largest trial last.
"""

import argparse
import tempfile
import time
from pathlib import Path

from rich.console import Console
from rich.table import Table

import preprocessing
from xval import Experiment
from xval.engine.executors import inline
from xval.engine.worker import sanity_check
from xval.settings.architectures import architecture_names, find_architecture, trains_network

LEFT_OUT = ("encoder",)  # it needs the weights of a pretrained one
WAVEFORM = {"features": "waveform", "frontend": "none"}


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="names of architectures, with commas between them")
    options = parser.parse_args()
    names = options.only.split(",") if options.only else [*architecture_names()]
    table = Table("architecture", "trial (s)", "job of one epoch behind it (s)")
    largest = ("", 0.0)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        preprocessing.prepare(corpus="demo", data_folder=folder / "data", quiet=True)
        for number, architecture in enumerate(names, start=1):
            known = find_architecture(architecture)
            if architecture in LEFT_OUT or not trains_network(architecture) or known.task_types[0] == "frame_classification":
                continue
            trial, job = measure(folder, number, architecture)
            table.add_row(architecture, f"{trial:.1f}", f"{job:.1f}")
            largest = max(largest, (architecture, trial), key=lambda row: row[1])
    Console().print(table)
    print(f"largest: {largest[0]} {largest[1]:.1f} s")


def measure(folder: Path, number: int, architecture: str) -> tuple[float, float]:
    """Return the seconds of the trial of an architecture, and of its first job."""
    known = find_architecture(architecture)
    task = "classification" if "classification" in known.task_types else known.task_types[0]
    experiment = Experiment(
        "Trial", dataset="demo", num_experiment=number, num_folds=4, fold_repeats=1, num_epochs=1, task_type=task,
        data_folder=str(folder / "data"), experiment_folder=str(folder / "results"), gpu_ID="cpu", page="none",
    )  # fmt: skip
    experiment[1] = {"architecture": architecture, **(WAVEFORM if known.features == "waveform" else {})}
    seconds = {}

    def timed(name, function):
        def call(*arguments, **options):
            started = time.perf_counter()
            try:
                return function(*arguments, **options)
            finally:
                seconds[name] = time.perf_counter() - started

        return call

    trial, job = sanity_check.sanity_check, inline.run_job
    sanity_check.sanity_check, inline.run_job = timed("trial", trial), timed("job", job)
    try:
        experiment.run(folds=[1], executor="inline", quiet=True)
    finally:
        sanity_check.sanity_check, inline.run_job = trial, job
    return seconds["trial"], seconds["job"]


if __name__ == "__main__":
    main()
