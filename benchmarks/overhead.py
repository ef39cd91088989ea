"""What the manager costs around training: per job, for a plan, for what is finished already, for the derived files.

python benchmarks/overhead.py [--quick]      1,000 instances of 10 folds, about 3 minutes on 2 cores; --quick: 20 of 3

Jobs of no work write the files of a real fold and compute nothing, so that their time is the manager's alone: claim, temporary
folder, record, flushing to the disk, name, messages, display, and the derived files meanwhile. (They are below TMPDIR: where
that is in memory, flushing costs nothing.) A small real job is divided into its steps by a profile. The finished experiment is
made of one that was really run (finished_experiment.py). What looks at an experiment without running it is compared with the
start of Python. Prints each figure with its target, and last the largest ratio of a figure to its target.
"""

import argparse
import cProfile
import io
import os
import pstats
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from finished_experiment import declare, run_python, run_script, write_corpus, write_finished
from rich.console import Console

from xval.backend.devices import Slot
from xval.engine.executors import inline, processes
from xval.experiment.progress import JobProgress
from xval.jobs.folds_file import load_folds, write_folds
from xval.jobs.job import Job
from xval.jobs.observers import WatchedJobs
from xval.jobs.plan import in_stages, make_jobs, make_plan, write_settings
from xval.results.folder import ExperimentFolder
from xval.settings.resolve import Declaration, resolve

HERE = Path(__file__).parent
N_RUNS = 3
# The steps of a job: what they are called here, and the functions that take them, by file and name.
STEPS = {
    "claim": (("job_locks.py", "claim"),),
    "data": (("fold.py", "load_fold"), ("__init__.py", "open_store")),
    "build": (("build.py", "build_model"),),
    "fit": (("fit.py", "train_model"),),
    "predict, figures": (("fold.py", "evaluate_model"),),
    "predictions.parquet": (("fold.py", "write"),),
    "model.keras": (("saving_api.py", "save_model"),),
    "model.json": (("model_files.py", "describe_model"),),
    "seen audio": (("provenance.py", "write_seen_audio"),),
    "JSON files": (("json_files.py", "write_json"),),
    "publish": (("folder.py", "publish"),),
}


def measure_idle_jobs(jobs: Sequence[Job], template: Path) -> float:
    """Return the seconds per job of no work: what surrounds it in a run, in one warm worker.

    Args:
        jobs: The jobs; an outcome is yielded of each.
        template: A real fold folder, whose files every job writes.
    """
    console = Console(file=io.StringIO())
    progress = JobProgress(console, jobs, quiet=False)
    watched = WatchedJobs(jobs, progress.watch)
    ended: list[float] = []
    os.environ["IDLE_FOLD"] = str(template)
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, (str(HERE), str(HERE.parent), os.environ.get("PYTHONPATH"))))
    with progress:
        for outcome in processes.run(jobs, [Slot("cpu", 1)], watched.report, worker_module="idle_jobs"):
            if outcome.status != "done":
                raise RuntimeError(f"instance {outcome.instance}, fold {outcome.fold}: {outcome.error}")
            watched.end(outcome)
            ended.append(time.perf_counter())
    return (ended[-1] - ended[0]) / (len(ended) - 1)


def measure_steps(jobs: Sequence[Job]) -> tuple[float, dict[str, float]]:
    """Return the seconds of a small real job in a warm process, and of its steps under a profile.

    Args:
        jobs: Five of one instance or of instances of the same network; the first two warm the process up.
    """
    slots = [Slot("cpu", 1)]
    outcomes = inline.run(jobs, slots, lambda _event: None)
    seconds = []
    profile = cProfile.Profile()
    for place in range(len(jobs)):
        started = time.perf_counter()
        if place == len(jobs) - 1:
            profile.enable()
        outcome = next(outcomes)
        profile.disable()
        seconds.append(time.perf_counter() - started)
        if outcome.status != "done":
            raise RuntimeError(outcome.error)
    found = pstats.Stats(profile).stats.items()  # type: ignore[attr-defined]
    seconds_of: dict[tuple[str, str], float] = {}
    for (file, _, function), values in found:
        key = Path(file).name, function
        seconds_of[key] = seconds_of.get(key, 0.0) + values[3]
    steps = {name: sum(seconds_of[function] for function in wanted) for name, wanted in STEPS.items()}
    return median(seconds[2:-1]), {"all, under the profile": seconds[-1], **steps}


def plan_jobs(folder: Path, declaration: Declaration, name: str) -> list[Job]:
    """Return all jobs of an experiment of which nothing has run, and write what stands before any job.

    Args:
        folder: As given to `declare`.
        declaration: The experiment.
        name: Of its results folder.
    """
    results = ExperimentFolder(folder / name)
    results.prepare(declaration.description)
    instances = resolve(declaration)
    folds = load_folds(results, instances[0].settings)
    write_folds(results, folds, "tones", folder / "data")
    for instance in instances:
        write_settings(results, instance, declaration.description)
    (store,) = (path for path in (folder / "data" / "tones" / "features").iterdir() if path.is_dir())
    return make_jobs(make_plan(results, instances, folds), folder / "code", dict.fromkeys(declaration.instances, store), {})


def plan_anew(folder: Path, declaration: Declaration) -> None:
    """Go from a declaration to all of its jobs in stages, with nothing written."""
    results = ExperimentFolder(folder / "planned")
    instances = resolve(declaration)
    folds = load_folds(results, instances[0].settings)
    planned = make_plan(results, instances, folds)
    jobs = in_stages(make_jobs(planned, folder / "code", dict.fromkeys(declaration.instances, folder / "store"), {}))
    if not jobs or planned.done:
        raise RuntimeError(f"{len(jobs)} stages of jobs planned, {len(planned.done)} done")


def measure(action: Callable[[], object], n_runs: int = N_RUNS) -> tuple[float, float]:
    """Return the medians of the seconds that something takes by the clock, and of those that a processor works on it."""
    seconds, worked = [], []
    for _ in range(n_runs):
        started, before = time.perf_counter(), sum(os.times()[:4])
        action()
        seconds.append(time.perf_counter() - started)
        worked.append(sum(os.times()[:4]) - before)
    return median(seconds), median(worked)


def measure_starts(folder: Path, n_runs: int = 5) -> dict[str, float]:
    """Return how many times as long as ``python -c pass`` each way of looking at an experiment takes.

    Args:
        folder: Where `declare` has written a script of one instance; one fold of it is trained, so that nothing is left to do.
        n_runs: How often each is measured, in turn; the least time counts, as the one that was disturbed least.
    """
    done = ("1", "1", "--folds", "1", "--quiet")
    run_script(folder, *done)
    commands = {
        "python -c pass": ("-c", "pass"),
        **{name: ("tones.py", name) for name in ("--help", "--list", "--dry-run")},
        "nothing to do": ("tones.py", *done),
    }
    least = dict.fromkeys(commands, float("inf"))
    for _ in range(n_runs):
        for name, command in commands.items():
            started = time.perf_counter()
            run_python(folder, *command)
            least[name] = min(least[name], time.perf_counter() - started)
    python_s = least.pop("python -c pass")
    return {name: seconds / python_s for name, seconds in least.items()}


def forget_derived(results: ExperimentFolder) -> None:
    """Delete the derived files."""
    results.workbook.unlink(missing_ok=True)
    for number in results.instances():
        for name in ("metrics.json", "estimates.json"):
            (results.instance_folder(number) / name).unlink(missing_ok=True)


def show(name: str, seconds: float, worked_s: float | None = None, target_s: float | None = None) -> None:
    """Print a figure, with the time of the processor and the target if they are known."""
    target = "" if target_s is None else f"   target {1000 * target_s:8,.0f} ms"
    worked = "" if worked_s is None else f"   (processor {1000 * worked_s:,.0f} ms)"
    print(f"{name:72} {1000 * seconds:10,.1f} ms{target}{worked}", flush=True)


def main(n_instances: int, n_folds: int, n_idle: int) -> None:
    """Measure everything and print it."""
    ratios = []

    def judge(name: str, target_s: float, seconds: float, worked_s: float | None = None) -> None:
        show(name, seconds, worked_s, target_s)
        ratios.append(seconds / target_s)

    n_jobs = n_instances * n_folds
    share = n_jobs / 10_000  # of the targets, which are for 10,000 jobs; what a process needs to start is not shared
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_corpus(folder)
        declaration = declare(folder, n_instances, n_folds)
        results = write_finished(folder, declaration)
        print(f"{n_instances} instances of {n_folds} folds; {n_idle} jobs of no work")
        idle = plan_jobs(folder, declaration, "idle")[:n_idle]
        judge("a job of no work in a warm worker", 0.05, measure_idle_jobs(idle, results.fold_folder(1, 1)))
        judge(f"plan of {n_jobs:,} jobs", max(2 * share, 0.5), *measure(lambda: plan_anew(folder, declaration)))
        commands = {name: ("-m", "xval", name, str(results.path)) for name in ("rebuild", "status", "audit")}
        target_s = max(30 * share, 5)
        forget_derived(results)
        rebuilt = measure(lambda: run_python(folder, *commands["rebuild"]), 1)
        judge(f"rebuild of {n_instances:,} metric dicts and the workbook", target_s, *rebuilt)
        rebuilt = measure(lambda: run_python(folder, *commands["rebuild"]), 1)
        judge("the same where the metric dicts have not changed", target_s, *rebuilt)
        restarted = measure(lambda: run_script(folder, "--quiet"))
        judge(f"finished experiment of {n_jobs:,} jobs found done", max(5 * share, 2.5), *restarted)
        show("status of it", *measure(lambda: run_python(folder, *commands["status"]), 1))
        if share < 1:
            # It ends with 1: the scores of all instances but one are made up.
            show("audit of it", *measure(lambda: run_python(folder, *commands["audit"], exit_code=1), 1))
        seconds, steps = measure_steps(plan_jobs(folder, declaration, "small")[:5])
        show("a small real job in a warm process: one epoch, two dozen examples, mlp", seconds)
        for name, step_s in steps.items():
            show(f"    {name}", step_s)
        look = folder / "look"
        write_corpus(look)
        declare(look, 1, n_folds)
        for name, times in measure_starts(look).items():
            print(f"{f'{name}, against python -c pass':72} {times:10,.1f} times", flush=True)
    print(f"ratio     {max(ratios):7.3f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What the manager costs around training.")
    parser.add_argument("--quick", action="store_true", help="20 instances of 3 folds, for the tests")
    if parser.parse_args().quick:
        main(n_instances=20, n_folds=3, n_idle=40)
    else:
        main(n_instances=1000, n_folds=10, n_idle=500)
