"""Try by the hundred what goes wrong on real machines.

python tests/torture [--seed N] [--kinds files,kills] [--share 0.05]
python tests/torture --case kind:seed

Each case is drawn from only its kind and its seed; ``--case`` repeats one, and keeps its folder. Prints a table of what was
tried and what failed, with seeds, and ends with 1 where something failed. Linux, with a C compiler.
"""

import argparse
import gc
import importlib
import multiprocessing
import os
import shutil
import statistics
import sys
import tempfile
import time
import traceback
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType

from _faults import load_layer

KINDS = ("files", "kills", "full_disk", "at_once", "two_machines")
_LIGHT = (
    "scipy.stats", "pandas", "pyarrow.parquet", "soundfile", "av", "xlsxwriter", "sklearn.svm", "sklearn.linear_model",
    "sklearn.model_selection", "sklearn.pipeline", "skops.io", "matplotlib", "jinja2", "preprocessing.commands.corpus_features",
    "preprocessing.commands.convert", "xval.experiment.declare", "xval.engine.learners.estimator", "xval.report.rebuild",
    "xval.answers.audit", "xval.report.page", "augmentation.folder",
)  # fmt: skip
_HEAVY = ("xval.reuse.inference.model", "xval.training.setup", "xval.reuse.new_data.evaluation", "h5py")


def main() -> int:
    """Read the command line, carry out the cases, print the table; return 1 where a case failed."""
    parser = argparse.ArgumentParser(prog="python tests/torture", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, default=0, help="other cases (default: 0)")
    parser.add_argument("--kinds", default=",".join(KINDS), help=f"some of {', '.join(KINDS)}")
    parser.add_argument("--share", type=float, default=1.0, help="of the cases, spread evenly (default: 1)")
    parser.add_argument("--case", metavar="KIND:SEED", help="this one alone; its folder is kept")
    parser.add_argument("--light", action="store_true", help="no commands that load Keras, and few others: a part of make test")
    parser.add_argument("--processes", type=int, default=len(os.sched_getaffinity(0)), help="cases at a time (default: cores)")
    given = parser.parse_args()
    kinds = [given.case.partition(":")[0]] if given.case else given.kinds.split(",")
    if unknown := set(kinds) - set(KINDS):
        parser.error(f"no kind {', '.join(sorted(unknown))}; allowed: {', '.join(KINDS)}")
    modules = _load(kinds, light=given.light)
    place = Path(tempfile.mkdtemp(prefix="torture ü "))  # no TemporaryDirectory: a fork would remove it at its end
    try:
        if given.case:
            return _repeat(modules[kinds[0]], given.case, place)
        return _print(_carry_out(modules, given, place), modules)
    finally:
        shutil.rmtree(place)


class _WithoutTorch:
    """Refuses what scikit-learn imports on the way, and no command here uses: every fork would be slower."""

    def find_spec(self, name: str, *_: object) -> None:
        if name == "torch":
            raise ModuleNotFoundError("PyTorch is excluded here", name=name)


def _load(kinds: Sequence[str], *, light: bool) -> dict[str, ModuleType]:
    """Import the kinds, and what their commands import, which is done once for all forks."""
    os.environ.pop("LD_PRELOAD", None)  # this process has it, and what it forks
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1", "COLUMNS": "200", "OMP_NUM_THREADS": "1"}
    os.environ.pop("KERAS_BACKEND", None)
    importlib.import_module("_case").is_light = light  # the kinds look there when they are imported
    modules = {name: importlib.import_module(name) for name in kinds}
    needs_keras = not light and any(module.NEEDS_KERAS for module in modules.values())
    if needs_keras:
        os.environ["KERAS_BACKEND"] = "tensorflow"
    errors = os.dup(2)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what TensorFlow says of the machine
    sys.meta_path.insert(0, _WithoutTorch())
    backends = importlib.import_module("xval.base.keras_backends")
    find_spec = backends.find_spec
    backends.find_spec = lambda name: None if name == "torch" else find_spec(name)
    for name in (*_LIGHT, *(_HEAVY if needs_keras else ())):
        importlib.import_module(name)
    os.dup2(errors, 2)
    gc.freeze()  # else each fork copies what its collector touches
    if needs_keras:  # every fork has it, as a notebook would; `predict` wants to choose the device first
        importlib.import_module("xval.reuse.inference")._bind = lambda *_, **__: None
    return modules


def _carry_out(modules: dict[str, ModuleType], given: argparse.Namespace, place: Path) -> Iterator[tuple]:
    """Yield (kind, seed, outcome, seconds) of each case."""
    from _case import SEEDS_PER_RUN, Case

    cases = []
    for kind, module in modules.items():
        base = place / kind / "base"
        base.mkdir(parents=True)
        module.prepare(base)
        number_of = module.n_cases(base)
        chosen = [number for number in range(number_of) if int((number + 1) * given.share) > int(number * given.share)]
        cases += [Case(kind, given.seed * SEEDS_PER_RUN + number, base, place / kind / str(number)) for number in chosen]
    context = multiprocessing.get_context("fork")
    with context.Pool(given.processes) as pool:
        yield from pool.imap_unordered(_run, cases)


def _run(case: object) -> tuple:
    """Carry out a case; an error of this suite is a fault, too."""
    from _case import Outcome

    started = time.perf_counter()
    module = importlib.import_module(case.kind)
    try:
        outcome = module.run_case(case)
    except Exception as error:  # noqa: BLE001 - one case must not end the others
        where = traceback.extract_tb(error.__traceback__)[-1]
        outcome = Outcome("an error of the suite", [f"{type(error).__name__}: {error} ({where.filename}:{where.lineno})"])
    shutil.rmtree(case.folder, ignore_errors=True)
    return case.kind, case.seed, outcome, time.perf_counter() - started


def _repeat(module: ModuleType, name: str, place: Path) -> int:
    """Carry out one case, and print everything of it."""
    from _case import Case

    kind, _, seed = name.partition(":")
    base = place / "base"
    base.mkdir()
    module.prepare(base)
    module.n_cases(base)
    kept = Path(tempfile.mkdtemp(prefix=f"{kind}_{seed}_"))
    outcome = module.run_case(Case(kind, int(seed), base, kept / "case"))
    print(f"{name}: {outcome.description}", *(f"  {fault}" for fault in outcome.faults), kept, sep="\n")
    return int(bool(outcome.faults))


def _print(outcomes: Iterator[tuple], modules: dict[str, ModuleType]) -> int:
    """Print each failed case as it ends, and the table; return the exit code."""
    tried: dict[str, int] = defaultdict(int)
    failed: dict[str, list[int]] = defaultdict(list)
    cost: dict[str, float] = defaultdict(float)
    seconds: dict[str, list[float]] = defaultdict(list)
    for kind, seed, outcome, took_s in outcomes:
        tried[kind] += 1
        cost[kind] += took_s
        for name, value in outcome.seconds.items():
            seconds[f"{kind}: {name}"].append(value)
        if outcome.faults:
            failed[kind].append(seed)
            print(f"{kind}:{seed} {outcome.description}", *(f"    {fault}" for fault in outcome.faults), sep="\n", flush=True)
    print(f"\n{'kind':13} {'tried':>5} {'failed':>6} {'time (s)':>8}  what")
    for kind, module in modules.items():
        print(f"{kind:13} {tried[kind]:5} {len(failed[kind]):6} {cost[kind]:8.0f}  {module.SUMMARY}")
        if failed[kind]:
            print(f"{'':13} seeds {', '.join(map(str, sorted(failed[kind])))}")
    for name, values in seconds.items():
        print(f"{name}: median {statistics.median(values):.2f} s, most {max(values):.2f} s, of {len(values)}")
    return int(any(failed.values()))


if __name__ == "__main__":
    load_layer()
    sys.exit(main())
