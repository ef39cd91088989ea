"""Experiment: what a script declares, and its main().

Comes in: a description, parameters of the experiment, and numbered instances. Goes out: a `Declaration`, which run.py runs.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

from xval.errors import SettingsError
from xval.experiment import command_line
from xval.settings.resolve import Declaration, parse_assignments


class Experiment:
    """A description and numbered instances, trained and tested on the same folds.

    Args:
        description: One sentence on what the experiment asks; it is written beside the results.
        **parameters: Parameters of all instances, over config.ini: `dataset`, `num_experiment`, `num_folds`, `task_type`,
            `experiment_folder`, `gpu_ID`, `overwrite_results`, `debug_mode`, `generator`, and any other key of config.ini.

    Example:
        >>> experiment = Experiment("Does dropout help?", dataset="demo", num_folds=4)
        >>> experiment[1] = {"architecture": "cnn_small", "dropout": 0.0, "comment_1": "no dropout"}
        >>> experiment.grid(architecture=["cnn_small", "crnn"], learning_rate=[0.001, 0.0003])
        [2, 3, 4, 5]
    """

    def __init__(self, description: str, **parameters: object) -> None:
        script = Path(sys.argv[0] or "experiment.py")
        self._declaration = Declaration(_relative(script), str(script), description, dict(parameters))

    def __setitem__(self, number: int, parameters: Mapping[str, object] | Sequence[str]) -> None:
        """Declare an instance.

        Args:
            number: Its number, 1 or above; it names the folder of its results.
            parameters: A dict, or the older form, a list of ``'name="value"'`` texts.

        Raises:
            SettingsError: The number is no whole number above 0 or already used, or the parameters are of another form.
        """
        where = f"{self._declaration.script}, instance {number}"
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise SettingsError(f"{where}: an instance number is a whole number, 1 or above; received {number!r}.")
        if number in self._declaration.instances:
            raise SettingsError(f"{where}: this number is already used; give each instance its own.")
        if isinstance(parameters, Mapping):
            wrong = [name for name in parameters if not isinstance(name, str)]
            if wrong:
                raise SettingsError(f"{where}: parameter names are text; received {wrong[0]!r}.")
            self._declaration.instances[number] = dict(parameters)
        elif isinstance(parameters, Iterable) and not isinstance(parameters, str):
            self._declaration.instances[number] = parse_assignments(parameters, where)
        else:
            raise SettingsError(
                f"{where}: a dict of parameters or a list of 'name=\"value\"' texts is wanted; received {parameters!r:.60}."
            )

    def __getitem__(self, number: int) -> dict[str, object]:
        """Return the parameters of an instance as declared."""
        return self._declaration.instances[number]

    def __iter__(self) -> Iterator[int]:
        """Yield the instance numbers in order."""
        return iter(sorted(self._declaration.instances))

    def __len__(self) -> int:
        """Return the number of instances."""
        return len(self._declaration.instances)

    def grid(self, **values: Iterable[object]) -> list[int]:
        """Add the product of values as further instances; comment_1 names what differs between them.

        It leaves out what all of them share, unless an instance from elsewhere already has that comment.

        Args:
            **values: For each parameter the values that it takes.

        Returns:
            The numbers of the new instances, from one above the highest so far.

        Raises:
            SettingsError: A parameter has no values, or a single text where a list is wanted.
        """
        columns = {}
        for name, choices in values.items():
            columns[name] = [] if isinstance(choices, str) or not isinstance(choices, Iterable) else list(choices)
            if not columns[name]:
                raise SettingsError(
                    f"{self._declaration.script}, grid: {name}: a list of values is wanted; received {choices!r}."
                )
        first = max(self._declaration.instances, default=0) + 1
        used = {parameters.get("comment_1") for parameters in self._declaration.instances.values()}
        varied = [name for name, choices in columns.items() if len(choices) > 1 and name not in ("comment_1", "comment_2")]
        numbers = []
        for number, combination in enumerate(product(*columns.values()), start=first):
            parameters = dict(zip(columns, combination, strict=True))
            short, long = _describe({name: parameters[name] for name in varied}), _describe(parameters)
            comment = next((text for text in (short, long) if text and text not in used), f"{long} ({number})" if long else "")
            used.add(comment)
            self[number] = {"comment_1": comment} | parameters
            numbers.append(number)
        return numbers

    def main(self, arguments: Sequence[str] | None = None) -> None:
        """Run the command line of the script and exit with its code.

        Args:
            arguments: The arguments after the script's name; those of the process when omitted.

        Raises:
            SystemExit: Always: 0 all done, 1 some job failed, 2 wrong usage or settings, 130 interrupted.
        """
        sys.exit(command_line.main_of_script(self._declaration, sys.argv[1:] if arguments is None else list(arguments)))


def _describe(parameters: Mapping[str, object]) -> str:
    """Return ``crnn, learning_rate 0.001``."""
    shown = {name: f"{value:g}" if isinstance(value, float) else str(value) for name, value in parameters.items()}
    return ", ".join(text if name == "architecture" else f"{name} {text}" for name, text in shown.items())


def _relative(script: Path) -> str:
    """Return the path of a script below the current folder, as its user typed it; its name alone elsewhere."""
    try:
        return script.resolve().relative_to(Path.cwd()).as_posix()
    except ValueError:
        return script.name
