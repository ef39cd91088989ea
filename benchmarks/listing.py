"""How long a shared folder of many experiments takes to be listed: ``xval list``, imports and the table included.

python benchmarks/listing.py [--quick] [--experiments N]

The experiments are generated: 5 instances with 6 finished folds each, with the summary that a run leaves. Prints wall and
processor time, and last the ratio of the processor time to the 2 s that 1,000 experiments may take.
"""

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from xval.base.json_files import write_json
from xval.results.folder import ExperimentFolder
from xval.results.summaries import SUMMARY_VERSION, Main, Summary, Tested, state_of_files

ALLOWED_S = 2.0
N_CORPORA, N_INSTANCES, N_FOLDS = 20, 5, 6


def add_experiment(root: Path, number: int) -> None:
    """Leave the files of a finished experiment, those of its jobs empty."""
    corpus = f"corpus_{number % N_CORPORA}"
    folder = ExperimentFolder(root / corpus / f"experiment_{number // N_CORPORA + 1}")
    for instance in range(1, N_INSTANCES + 1):
        for fold in range(1, N_FOLDS + 1):
            (job := folder.fold_folder(instance, fold)).mkdir(parents=True)
            for name in ("record.json", "scores.parquet", "predictions.parquet"):
                (job / name).touch()
        (folder.instance_folder(instance) / "settings.json").touch()
    folder.folds_file.touch()
    main = Main(metric="accuracy", side="test", higher_is_better=True, value=0.6, low=0.5, high=0.7, chance=0.125)
    summary = Summary(
        version=SUMMARY_VERSION,
        made_of=state_of_files(folder)[0],
        description=f"Does setting {number} help on unseen speakers?",
        corpus=corpus,
        n_instances=N_INSTANCES,
        jobs={"done": N_INSTANCES * N_FOLDS},
        selected=3,
        name="svm, mfcc",
        main=main,
        lines={"result": "svm, mfcc reaches 0.600."},
        tested=Tested(items="a", n_instances=N_INSTANCES, fold_hashes=["d"], seeds=["1"]),
    )
    write_json(folder.summary_file, summary.model_dump(), flushed=False)


def main(n_experiments: int) -> None:
    """Generate the folder, list it, and print the seconds."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(n_experiments):
            add_experiment(Path(folder), number)
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run([sys.executable, "-m", "xval", "list", folder], check=True, stdout=subprocess.DEVNULL)
        wall_s, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"{n_experiments} experiments: {wall_s:.2f} s, processor {processor_s:.2f} s")
    print(f"ratio {processor_s / (ALLOWED_S * n_experiments / 1000):.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=1000, metavar="N")
    parser.add_argument("--quick", action="store_true", help="as little as it takes to see that it runs")
    options = parser.parse_args()
    main(50 if options.quick else options.experiments)
