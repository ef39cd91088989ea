"""Commands that write much: the project each starts from, the digests of what it leaves undisturbed, and its writing calls.

See _faults.py for the calls.
"""

import importlib
import json
import re
import shutil
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from _commands import Ended, must
from _faults import Fault
from _projects import BASELINES, FEATURES, NETWORK, PREPARE, copy, write_audio, write_script

sys.path.append(str(Path(__file__).parents[2] / "benchmarks"))
_digests = importlib.import_module("_digests")

_FINISHED = re.compile(r"instance_\d+/(fold_\d+|refit)/")
_CODE_CALLS = 200
_VOLATILE = re.compile(r"/summary\.json: |/(nested_)?estimates\.json: .*\.(of|jobs)\b|/results\.xlsx: summary!G\d")
"""Times, and what derived files note of the files that they were made of."""
_UNSTABLE = (".journal", ".html", ".ensemble")  # dates in them
EXPERIMENT = "results/toy/experiment_1"
_SEARCH = f"""from xval import Experiment, log_uniform
experiment = Experiment(
    "a search", dataset="toy", num_folds=2, fold_repeats=1, num_epochs=2, batch_size=8, executor="inline", page="none",
    **{FEATURES!r}
)
experiment.search({{"learning_rate": log_uniform(1e-3, 1e-1)}}, n_trials=2, at_once=2, architecture="mlp", n_units=(4,))
if __name__ == "__main__":
    experiment.main()
"""


@dataclass(frozen=True)
class Scenario:
    """A command and what it starts from.

    Attributes:
        words: What follows ``python``.
        prepare: Fills a folder.
        needs_keras: It loads Keras.
    """

    words: tuple[str, ...]
    prepare: Callable[[Path], None]
    needs_keras: bool = False


def _with_audio(folder: Path) -> None:
    write_audio(folder / "audio")


def _with_store(folder: Path) -> None:
    _with_audio(folder)
    must(PREPARE, folder)
    write_script(folder, BASELINES)
    write_script(folder, NETWORK, "net.py", num_epochs=3)
    (folder / "search.py").write_text(_SEARCH)


def _with_results(folder: Path) -> None:
    _with_store(folder)
    must(("exp.py", "--quiet"), folder)


SCENARIOS = {
    "preprocessing": Scenario(PREPARE, _with_audio),
    "augmentation": Scenario(("-m", "augmentation", "audio", "copies", "1", "--workers", "1"), _with_audio),
    "convert": Scenario(("-m", "preprocessing", "convert", "audio", "converted"), _with_audio),
    "baselines": Scenario(("exp.py",), _with_store),
    "store": Scenario(("exp.py", "--set", "n_mels=10"), _with_store),
    "training": Scenario(("net.py",), _with_store, needs_keras=True),
    "search": Scenario(("search.py", "--folds", "1"), _with_store, needs_keras=True),
    "rebuild": Scenario(("-m", "xval", "rebuild", EXPERIMENT), _with_results),
    "report": Scenario(("-m", "xval", "report", EXPERIMENT), _with_results),
    "refit": Scenario(("-m", "xval", "refit", f"{EXPERIMENT}:1"), _with_results),
    "ensemble": Scenario(("-m", "xval", "ensemble", EXPERIMENT, "1,2"), _with_results),
    "predict": Scenario(
        ("-m", "xval", "predict", f"{EXPERIMENT}/instance_1", "audio", "--output", "predicted.csv"),
        _with_results,
        needs_keras=True,
    ),
    "evaluate": Scenario(
        ("-m", "xval", "evaluate", f"{EXPERIMENT}/instance_1", "audio/toy.csv", "--output", "evaluation"),
        _with_results,
        needs_keras=True,
    ),
}


@dataclass(frozen=True)
class Undisturbed:
    """What a command leaves, and what it takes.

    Attributes:
        digests: Of what is left, by file and part, but for times, dates and folders.
        calls: The numbers of the calls it makes that write, from 1; of the hundreds for the copy of the code, a few.
        seconds: What it takes (s).
    """

    digests: dict[str, str]
    calls: list[int]
    seconds: float


def prepare(base: Path, names: list[str]) -> None:
    """Make what the scenarios start from, run each once, and note what it leaves."""
    made: dict[Callable[[Path], None], Path] = {}
    for name in names:
        scenario, start = SCENARIOS[name], base / name
        if scenario.prepare in made:
            copy(made[scenario.prepare], start)
        else:
            start.mkdir(parents=True)
            scenario.prepare(start)
            made[scenario.prepare] = start
        folder = copy(start, base / "undisturbed" / name)
        fault = Fault(folder)
        ended = must(scenario.words, folder, fault=fault)
        calls = [number for number, call in enumerate(fault.calls, 1) if "/code/" not in call or number % _CODE_CALLS == 0]
        found = {"digests": state(folder), "calls": calls, "seconds": ended.seconds}
        (base / f"{name}.json").write_text(json.dumps(found))
        shutil.rmtree(folder)


def undisturbed(base: Path, name: str) -> Undisturbed:
    """Return what `prepare` has noted."""
    return Undisturbed(**json.loads((base / f"{name}.json").read_text()))


def state(folder: Path) -> dict[str, str]:
    """Return the digests of what a command has left in a folder, which is not named in them."""
    found = {}
    for path in sorted(folder.rglob("*")):
        place = path.relative_to(folder)
        if not path.is_file() or "code" in place.parts or path.suffix == ".lock" or place.parts[0] == "audio":
            continue
        if path.suffix in (".json", ".csv", ".html", ".md", ".txt"):
            text = path.read_text(encoding="utf-8", errors="replace").replace(str(folder.resolve()), "FOLDER")
            path = folder / f"masked{path.suffix}"
            path.write_text(text, encoding="utf-8")
        if path.suffix in _UNSTABLE:
            found[place.as_posix()] = "there"
            continue
        try:
            parts = list(_digests.digest_file(path))
        except Exception as error:  # noqa: BLE001 - whatever is not readable differs
            parts = [("", f"not readable: {error!r:.200}")]
        found |= {f"{place.as_posix()}: {name}": str(value) for name, value in parts}
    for path in folder.glob("masked.*"):
        path.unlink()
    return {name: value for name, value in found.items() if not _VOLATILE.search(name)}


def differences(expected: dict[str, str], found: dict[str, str]) -> list[str]:
    """Return the names of what differs."""
    return [
        f"{name}: {expected.get(name, 'not there')} wanted, {found.get(name, 'not there')} found"
        for name in sorted({*expected, *found})
        if expected.get(name) != found.get(name)
    ]


def leftovers(folder: Path) -> list[str]:
    """Return what is left half-written."""
    return [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.name.endswith((".part", ".tmp"))]


def untouched(before: dict[str, str], after: dict[str, str]) -> list[str]:
    """Return the files of finished folds that have changed."""
    return [name for name in finished(before) if after.get(name) != before[name]]


def finished(names: Iterable[str]) -> list[str]:
    """Return the names of files of finished folds; an ensemble is made anew by each call."""
    return [name for name in names if _FINISHED.search(name) and "instance_9" not in name]


def faults_of(ended: Ended, names: list[str]) -> list[str]:
    """Return what is wrong with how a command says that it could not write one of some files."""
    faults = list(ended.faults)
    if ended.code and not any(name in ended.printed for name in names):
        faults.append(f"exit code {ended.code}, and no line names {' or '.join(names)}: {ended.printed.strip()[-300:]}")
    return faults
