"""Keep two scripts from mixing their instances in one experiment folder: an error names a number that is free.

The settings of each instance say which script wrote them; before there are any, a note of each run (`AtWork`) says which
one is at work.
"""

import os
import time
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Event, Thread

from xval.base.errors import ResultsError
from xval.base.json_files import process_name, write_if_changed, write_json
from xval.results.folder import ExperimentFolder
from xval.settings.resolve import Declaration, describe_numbers

_RENEWED_S = 60.0
OF_ANY_SCRIPT = "xval.cross_validate"
"""The description of what any script adds to an experiment: instances that are numbered by their settings, so that none mix."""


def refuse_other_script(folder: ExperimentFolder, declaration: Declaration, *, replaced: Collection[int] = ()) -> None:
    """Refuse to write to a folder with results of another script.

    A script that was moved is known by its name. Notebooks and sessions, results that do not say which script wrote them, and
    what any script adds (`OF_ANY_SCRIPT`) are not compared.

    Args:
        folder: Of the results.
        declaration: What the script declares.
        replaced: Instances whose results this run replaces.
    """
    others = _instances_of_others(folder, declaration, replaced)
    known = {script: f"{script} ({_describe_instances(numbers)})" for script, numbers in others.items()}
    if running := _other_at_work(folder, declaration):
        known.setdefault(running, f"{running} (running now)")
    if not known:
        return
    listed = ", ".join(known.values())
    raise ResultsError(
        f"{folder.path}: has the results of another script, {listed}. This is {declaration.script}, so the instances of both "
        f"would be mixed in one folder. Set num_experiment={free_number(folder.path)}, which is free. If the script was "
        "renamed, or to continue its results, give --take-over once."
    )


@contextmanager
def working_in(
    folder: ExperimentFolder, declaration: Declaration, *, replaced: Collection[int] = (), takes_over: bool = False
) -> Iterator[None]:
    """Hold an experiment folder, which is there, for a script: of two that begin at once one is refused.

    It is refused as by `refuse_other_script`, unless it takes the results over. Further runs of one script hold it together.
    """
    process = process_name()
    path, script = folder.script_note(process), declaration.script
    if declaration.description == OF_ANY_SCRIPT:
        script = OF_ANY_SCRIPT
    with ExitStack() as at_end:
        with folder.refusing_unwritable(), folder.lock():
            if not takes_over:
                refuse_other_script(folder, declaration, replaced=replaced)
            at_end.callback(_remove, path)  # before it is written, as Ctrl-C may come in between
            write_json(path, {"script": script, "process": process, "since": time.time()})
        ended = Event()
        at_end.callback(ended.set)
        Thread(target=_keep_new, args=(path, ended), daemon=True).start()
        yield


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()


def _keep_new(path: Path, ended: Event) -> None:
    """Renew the time of a note until its run has ended: on other machines an old note counts no more."""
    while not ended.wait(_RENEWED_S):
        with suppress(OSError):
            os.utime(path)


def take_over(folder: ExperimentFolder, declaration: Declaration) -> None:
    """Make the results of another script those of this one: it is the other one, renamed, or goes on with its work."""
    for numbers in _instances_of_others(folder, declaration, ()).values():
        for number in numbers:
            content = {**(folder.settings(number) or {}), "script": declaration.script}
            write_if_changed(folder.instance_folder(number) / "settings.json", content)


def _instances_of_others(folder: ExperimentFolder, declaration: Declaration, replaced: Collection[int]) -> dict[str, list[int]]:
    """Return the instances that other scripts wrote, by script."""
    others: dict[str, list[int]] = {}
    for number in folder.instances():
        settings = folder.settings(number) or {}
        written = str(settings.get("script", ""))
        is_compared = number not in replaced and settings.get("description") != OF_ANY_SCRIPT
        if is_compared and _is_other(written, declaration):
            others.setdefault(written, []).append(number)
    return others


def _describe_instances(numbers: Collection[int]) -> str:
    return f"instance{'s' * (len(numbers) > 1)} {describe_numbers(numbers)}"


def _other_at_work(folder: ExperimentFolder, declaration: Declaration) -> str:
    """Return the other script that a process alive works with in a folder; empty: none does."""
    others = (run.script for run in folder.at_work() if run.process != process_name())
    return next((script for script in others if _is_other(script, declaration)), "")


def _is_compared(declaration: Declaration) -> bool:
    return bool(declaration.script_path) and declaration.description != OF_ANY_SCRIPT


def _is_other(written: str, declaration: Declaration) -> bool:
    """Return whether a script that wrote results is another file than the one that runs."""
    earlier = Path(written)
    if earlier.suffix != ".py" or not _is_compared(declaration):
        return False
    script = Path(declaration.script_path)
    if earlier.name != script.name:
        return True
    # Of one name: both are there, or the one script was moved. A name alone says nothing of its folder.
    return len(earlier.parts) > 1 and earlier.is_file() and script.is_file() and not earlier.samefile(script)


def free_number(experiment: Path) -> int:
    """Return the first number that has no folder next to that of an experiment."""
    number = 1
    while experiment.with_name(f"experiment_{number}").exists():
        number += 1
    return number
