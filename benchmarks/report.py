"""The page of a large experiment: seconds and megabytes, against 60 s and 30 MB for 1,000 instances of 10 folds.

python benchmarks/report.py [--quick]      --quick: 20 instances of 3 folds, which measure nothing

The finished experiment is made of one that was really run (finished_experiment.py). metrics.json of all instances is rebuilt
first; then the command writes the page in a separate process, without the leakage audit, whose time is that of reading every
model. Prints the larger of both ratios last.
"""

import argparse
import tempfile
import time
from pathlib import Path

from finished_experiment import declare, run_python, write_corpus, write_finished

from xval.report.rebuild import rebuild

MOST_S, MOST_MB = 60.0, 30.0


def main() -> None:
    """Measure, and print the ratio last."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true")
    n_instances, n_folds = (20, 3) if parser.parse_args().quick else (1000, 10)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_corpus(folder)
        results = write_finished(folder, declare(folder, n_instances, n_folds))
        started = time.perf_counter()
        rebuild(results)
        rebuilt_s = time.perf_counter() - started
        started = time.perf_counter()
        run_python(folder, "-m", "xval", "report", str(results.path), "--no-audit")
        page_s = time.perf_counter() - started
        page_mb = results.page.stat().st_size / 1e6
    print(f"{n_instances} instances of {n_folds} folds: metrics.json and workbook {rebuilt_s:.1f} s")
    print(f"page: {page_s:.1f} s, {page_mb:.1f} MB")
    print(f"ratio {max(page_s / MOST_S, page_mb / MOST_MB):.3f}")


if __name__ == "__main__":
    main()
