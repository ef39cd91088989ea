"""Whether two states of the code give the same results, bit for bit: what short experiments leave, compared file by file.

python benchmarks/same_bits.py FOLDER [--digits FOLDER] [--only JOB,...]    runs the experiments into FOLDER
python benchmarks/same_bits.py BEFORE AFTER [--may-differ FILE]             compares two such folders; exit code 1: they differ

The code is that of the checkout around the current folder, or else of the one that this file lies in; it is only read. Each
job of _bits_inputs.py runs in a folder of its own with the commands that users type, on the scripts of experiments/ and on
small ones that are written there, so that nothing is asked of the code but what users ask of it. Recordings of the Free Spoken
Digit Dataset are looked for in --digits, in the folder that the environment variable XVAL_FSDD names, and beside the checkout;
without them that job is skipped. A job that has ended in FOLDER is not run again.

What a change means to alter is listed in the file of --may-differ, a line each: JOB/FILE [PART]  # the reason, with * and ? for
any characters, such as "*/terminal/*.txt lines*  # the help has other words". Such differences are counted and are no error; a
line that nothing matches is one.

Compared, by its place below the job's folder:

- model.keras and model.skops: configuration or pipeline, and each array with its type and shape
- predictions.parquet, embeddings, the corpus and its feature stores: each column or array
- history.csv and all other tables, those of load_results, load_scores and load_predictions among them, as they are written
- metrics.json: the figures of a side by their names, the parameters, the curves and the searches; model.json, and JSON that
  commands were asked for
- results.xlsx: each cell with its value, number format, style and link, the layout of each sheet, and the charts
- what each command wrote into the terminal, and its exit code; report.html: the visible text, pictures and sounds; texts

Left out is what differs between two runs of the same code: seconds, times, dates, memory, hashes of the code and of files
that have a date in them, versions, the folders' own paths, addresses in memory; and what is kept for the program itself:
record.json, settings.json and other descriptions, fingerprints of audio, locks, and the copy of the code.
"""

import argparse
import json
import os
import re
import resource
import shlex
import shutil
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from itertools import zip_longest
from pathlib import Path

import numpy as np
from _bits_inputs import JOBS, write_inputs
from _digests import as_text, read_parts

NOTE = "made.json"
TEXTS, PICTURES = (".csv", ".html", ".json", ".md", ".tex", ".txt"), (".png", ".wav")
KINDS = frozenset((".keras", ".skops", ".h5", ".npy", ".npz", ".parquet", ".xlsx", *TEXTS, *PICTURES))
INTERNAL = frozenset(
    (
        "record.json",
        "estimates.json",
        "nested_estimates.json",
        "summary.json",
        "settings.json",
        "folds.json",
        "store.json",
        "added_metrics.json",
    )
)
INTERNAL |= {"checksums.json", "seen_audio.npy", "trained_audio.npy"}
INTERNAL |= {"figures.parquet", "jobs.parquet", "estimates.parquet"}
FIGURES = re.compile(  # names within metrics.json, of an experiment or of an evaluation
    r"\.(training|validation|test|parameters|history|search|thresholds|best_epoch|epochs|n_parameters"
    r"|metrics|intervals|item_metrics|class_metrics|confusion_matrix|calibration)\b"
)
NORMALISED = (
    (re.compile(r"\b20\d\d-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d+)?)?)?"), "DATE"),
    (re.compile(r"\b\d+:\d\d:\d\d\b"), "TIME"),
    (re.compile(r"\b[\d.,]+ s, [\d.,]+ files per second"), "TIME"),
    (re.compile(r"(?<=\bcode )[0-9a-f]{16}\b"), "HASH"),
    (re.compile(r"\(\d+ (s|min|h)\b[^()]*\)"), "(TIME)"),  # of a job that has ended, with what is left
)
TIME_LEFT, LEFT = "time left", re.compile(r"(?<=  )(\d+ (h|min|s)\b ?)+\s*$")  # a column as wide as its longest time
LONGEST_SHOWN = 160  # characters of a value that differs
Mask = Callable[[str], str]
Difference = tuple[str, str, str]  # of a part: where in it, before, after


def main() -> int:
    """Read the command line and do what it says."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path, help="of the results to make, or of those of before")
    parser.add_argument("after", type=Path, nargs="?", help="folder of the results that are compared with them")
    parser.add_argument("--digits", type=Path, help="recordings of the digits (default: XVAL_FSDD)")
    parser.add_argument("--may-differ", metavar="FILE", type=Path, help="what may differ between two folders, and why")
    parser.add_argument("--only", metavar="JOB,...", help=f"only these of: {', '.join(JOBS)}")
    given = parser.parse_args()
    names = given.only.split(",") if given.only else list(JOBS)
    if unknown := set(names) - set(JOBS):
        parser.error(f"--only: no job {', '.join(sorted(unknown))}; allowed: {', '.join(JOBS)}")
    if given.after is None:
        return make(find_checkout(), given.folder.resolve(), given.digits, names)
    for folder in (given.folder, given.after):
        if not (folder / NOTE).is_file():
            parser.error(f"{folder} has no {NOTE}; make it by: python benchmarks/same_bits.py {folder}")
    on_purpose = read_on_purpose(given.may_differ) if given.may_differ else {}
    return compare(given.folder, given.after, names if given.only else None, on_purpose)


def read_on_purpose(path: Path) -> dict[str, str]:
    """Return the reason of each pattern of a file; each line is: JOB/FILE [PART]  # reason."""
    reasons = {}
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        pattern, _, reason = (part.strip() for part in line.partition("#"))
        if pattern and not reason:
            sys.exit(f"{path}, line {number}: received {line!r}; expected JOB/FILE [PART]  # the reason")
        if pattern:
            reasons[pattern] = reason
    return reasons


def find_checkout() -> Path:
    """Return the folder with this project around the current folder, or else the one that this file is of."""
    around = (folder for folder in (Path.cwd(), *Path.cwd().parents) if (folder / "xval" / "__init__.py").is_file())
    return next(around, Path(__file__).resolve().parents[1])


def find_digits(checkout: Path, given: Path | None) -> Path | None:
    """Return the folder of the recordings of the digits, if there is one."""
    folder = given or Path(os.environ.get("XVAL_FSDD", checkout / "../shared/data/fsdd/recordings"))
    return folder.resolve() if folder.is_dir() else None


def make(checkout: Path, folder: Path, digits: Path | None, names: list[str]) -> int:
    """Run jobs, and return the exit code: 1 where a command ended otherwise than it should."""
    digits, begun_s = find_digits(checkout, digits), time.perf_counter()
    if digits is None and "digits" in names:
        names = [name for name in names if name != "digits"]
        print("digits: left out, for their recordings are not there (--digits FOLDER)")
    places = {"folder": folder, "checkout": checkout} | ({"digits": digits} if digits else {})
    note = {name: str(path) for name, path in places.items()}
    if folder.exists() and (not (folder / NOTE).is_file() or json.loads((folder / NOTE).read_bytes()) != note):
        sys.exit(f"{folder} is there, and not by this checkout with these digits; name a folder that is not there")
    names = [name for name in names if not is_done(folder, name)]
    if not folder.exists():
        write_inputs(folder / "inputs")
        (folder / NOTE).write_text(json.dumps(note))
    print(f"the code of {checkout}", flush=True)
    n_wrong = 0
    for name in names:
        wall_s, cpu_s = time.perf_counter(), children_s()
        shutil.rmtree(folder / name, ignore_errors=True)
        (folder / name / "terminal").mkdir(parents=True)
        for number, command in enumerate(JOBS[name], start=1):
            command = command.replace("{experiments}", shlex.quote(str(checkout / "experiments")))
            command = command.replace("{digits}", shlex.quote(str(digits)))
            exit_code = run_python(checkout, shlex.split(command.removeprefix("!")), folder / name, number)
            if (exit_code == 0) == command.startswith("!"):
                n_wrong += 1
                print(f"{name}: exit code {exit_code} of {command} (terminal/{number:02}.txt)", flush=True)
        wall_s, cpu_s = time.perf_counter() - wall_s, children_s() - cpu_s
        print(f"{name:16} {len(JOBS[name]):4} commands {wall_s:6.1f} s, of a processor {cpu_s:6.1f} s", flush=True)
    wrong = f", {n_wrong} commands ended otherwise than they should" if n_wrong else ""
    print(f"{folder}: {time.perf_counter() - begun_s:.0f} s, of a processor {children_s():.0f} s{wrong}")
    return int(n_wrong > 0)


def is_done(folder: Path, name: str) -> bool:
    """Return whether all commands of a job have ended."""
    return len(list((folder / name / "terminal").glob("*.txt"))) == len(JOBS[name])


def children_s() -> float:
    """Return the time of all cores that ended processes have taken (s)."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def run_python(checkout: Path, words: list[str], folder: Path, number: int) -> int:
    """Run Python on the code of a checkout, write what it prints into a file, and return its exit code."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("KERAS_BACKEND", "XVAL_"))}
    variables |= {"PYTHONPATH": str(checkout), "COLUMNS": "120", "JAX_COMPILATION_CACHE_DIR": str(folder.parent / "jax")}
    ended = subprocess.run([sys.executable, *words], cwd=folder, env=variables, capture_output=True, text=True, check=False)
    printed = f"$ python {shlex.join(words)}\n{ended.stdout}\nstandard error:\n{ended.stderr}\nexit code {ended.returncode}\n"
    (folder / "terminal" / f"{number:02}.txt").write_text(printed, encoding="utf-8")
    return ended.returncode


def compare(before: Path, after: Path, names: list[str] | None, on_purpose: dict[str, str]) -> int:
    """Print for each job what differs, and return the exit code; `on_purpose` holds reasons by pattern."""
    masks = (read_mask(before), read_mask(after))
    jobs = names or [name for name in JOBS if (before / name).is_dir() or (after / name).is_dir()]
    n_differing, n_all = 0, 0
    excused: Counter[str] = Counter()

    def is_on_purpose(place: str) -> bool:
        matching = [pattern for pattern in on_purpose if fnmatchcase(place, pattern)]
        excused.update(matching)
        return bool(matching)

    for job in jobs:
        n_parts, differing = 0, []
        files = [set(list_files(folder / job)) for folder in (before, after)]
        names_of_files = sorted(files[0] | files[1])
        for name in names_of_files:
            if not all(name in listed for listed in files):
                if not is_on_purpose(f"{job}/{name}"):
                    differing.append(f"{name}: only {'before' if name in files[0] else 'after'}")
                continue
            paths = (before / job / name, after / job / name)
            compared, found = compare_files(paths, masks)
            n_parts += compared
            if found := [difference for difference in found if not is_on_purpose(f"{job}/{name} {difference[0]}".strip())]:
                where, old, new = found[0]
                differing.append(f"{name}: {len(found)} differ, first {where}: {old} before, {new} after")
        n_differing, n_all = n_differing + len(differing), n_all + len(names_of_files)
        print(
            f"{job:16} {len(names_of_files):5} files, {n_parts:7,} parts: {len(differing) or 'none'} differ",
            *differing,
            sep="\n    ",
        )
    for pattern, reason in on_purpose.items():
        print(
            f"on purpose: {excused[pattern]:6,} {pattern}: {reason}"
            + ("" if excused[pattern] else ". Nothing matches: remove it")
        )
    unused = [pattern for pattern in on_purpose if not excused[pattern]]
    same = "the same but for what is listed" if excused else "the same"
    print(f"{n_differing} of {n_all} files differ" if n_differing else f"{n_all} files, {same}")
    return int(n_differing > 0 or not n_all or (bool(unused) and names is None))


def read_mask(folder: Path) -> Mask:
    """Return the function that takes out of texts of a folder of results what is of its place and its time."""
    note = json.loads((folder / NOTE).read_bytes())

    def mask(text: str) -> str:
        for key, path in note.items():
            text = text.replace(path, key.upper())
        for pattern, word in NORMALISED:
            text = pattern.sub(word, text)
        return text

    return mask


def list_files(folder: Path) -> Iterator[str]:
    """Yield the names of the files that are compared, below a folder."""
    for path in folder.rglob("*"):
        place = path.relative_to(folder)
        hidden = "code" in place.parts or any(part.startswith(".") for part in place.parts)
        if path.is_file() and path.suffix in KINDS and path.name not in INTERNAL and not hidden:
            yield place.as_posix()


def compare_files(paths: tuple[Path, Path], masks: tuple[Mask, Mask]) -> tuple[int, list[Difference]]:
    """Return how many parts two files have, and what differs between them."""
    before, after = ({name: narrow(value) for name, value in read_parts(path) if is_compared(path, name)} for path in paths)
    differences: list[Difference] = []
    names = dict.fromkeys([*before, *after])
    for name in names:
        if name not in before or name not in after:
            differences.append((name, *("there" if name in parts else "not there" for parts in (before, after))))
        else:
            found = compare_values((before[name], after[name]), masks)
            differences += [(f"{name} {where}".strip(), *shorten(old, new)) for where, old, new in found]
    return len(names), differences


def is_compared(path: Path, name: str) -> bool:
    """Return whether a part of a file is compared: of metrics.json the scores, of JSON no order of keys."""
    if path.suffix == ".json" and name.endswith(", keys"):
        return False
    return path.name != "metrics.json" or FIGURES.search(name) is not None


def narrow(value: object) -> object:
    """Return the lines of a table with the time left without it and the widths that follow from it, all else as it is."""
    if isinstance(value, list) and any(isinstance(line, str) and TIME_LEFT in line for line in value):
        return [re.sub(r"([ ─])\1+", r"\1", LEFT.sub("TIME", line)).rstrip() for line in value]
    return value


def compare_values(values: tuple[object, object], masks: tuple[Mask, Mask]) -> Iterator[Difference]:
    """Yield what differs between two values: elements of arrays and lists, or all of it."""
    before, after = values
    if isinstance(before, np.ndarray) and isinstance(after, np.ndarray):
        if (before.dtype, before.shape) != (after.dtype, after.shape):
            yield "type and shape", f"{before.dtype} {before.shape}", f"{after.dtype} {after.shape}"
        elif before.dtype == object:
            yield from compare_values((before.tolist(), after.tolist()), masks)
        elif before.tobytes() != after.tobytes():
            bits = [np.ascontiguousarray(array).view(np.uint8).reshape(before.size, -1) for array in (before, after)]
            for place in np.flatnonzero((bits[0] != bits[1]).any(axis=1)):
                where = [int(number) for number in np.unravel_index(place, before.shape)]
                yield str(where), repr(before.flat[place]), repr(after.flat[place])
    elif isinstance(before, list) and isinstance(after, list):
        if before != after:
            for place, pair in enumerate(zip_longest(before, after, fillvalue="not there")):
                yield from ((f"[{place}]{where}", old, new) for where, old, new in compare_values(pair, masks))
    else:
        texts = (repr(value) if isinstance(value, str) else as_text(value) for value in values)
        old, new = (mask(text) for mask, text in zip(masks, texts, strict=True))
        if old != new:
            yield "", old, new


def shorten(before: str, after: str) -> tuple[str, str]:
    """Return two long texts from shortly before the place where they begin to differ."""
    start = next((place for place, pair in enumerate(zip(before, after, strict=False)) if pair[0] != pair[1]), 0)
    start = max(0, start - LONGEST_SHOWN // 2) if max(len(before), len(after)) > LONGEST_SHOWN else 0
    cut = [("..." if start else "") + text[start : start + LONGEST_SHOWN] for text in (before, after)]
    return cut[0], cut[1]


if __name__ == "__main__":
    sys.exit(main())
