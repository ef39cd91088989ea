"""Whose results an experiment folder holds: two scripts that write to one folder would mix their instances.

Comes in: a results folder, and the script that is to write there. Goes out: nothing, or a `ResultsError` with a number that is
free.
"""

from collections.abc import Collection
from pathlib import Path

from xval.base.errors import ResultsError
from xval.base.json_files import write_if_changed
from xval.results.folder import ExperimentFolder
from xval.settings.resolve import Declaration, describe_numbers

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
    if not others:
        return
    listed = ", ".join(
        f"{script} (instance{'s' * (len(numbers) > 1)} {describe_numbers(numbers)})" for script, numbers in others.items()
    )
    raise ResultsError(
        f"{folder.path}: holds results of another script, {listed}; this is {declaration.script}, and one folder would mix "
        f"the instances of both. Set num_experiment={_free_number(folder.path)}, which is free. If the script was renamed, or "
        "its results are to be continued by this one, give --take-over once."
    )


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
        written = str((folder.settings(number) or {}).get("script", ""))
        if number not in replaced and _is_other(written, declaration):
            others.setdefault(written, []).append(number)
    return others


def _is_other(written: str, declaration: Declaration) -> bool:
    """Return whether a script that wrote results is another file than the one that runs."""
    earlier = Path(written)
    if earlier.suffix != ".py" or not declaration.script_path or declaration.description == OF_ANY_SCRIPT:
        return False
    script = Path(declaration.script_path)
    if earlier.name != script.name:
        return True
    # Of one name: both are there, or the one script was moved. A name alone says nothing of its folder.
    return len(earlier.parts) > 1 and earlier.is_file() and script.is_file() and not earlier.samefile(script)


def _free_number(experiment: Path) -> int:
    """Return the first number that has no folder beside that of an experiment."""
    number = 1
    while experiment.with_name(f"experiment_{number}").exists():
        number += 1
    return number
