"""`Experiment`: the declaration of a script or notebook, with main() for the command line and run() for Python."""

import builtins
import sys
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from difflib import get_close_matches
from functools import reduce
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from preprocessing.clips.columns import with_columns
from preprocessing.corpus import open_corpus
from xval.answers.names import describe_parameters
from xval.base.errors import SettingsError, UsageError
from xval.base.literals import read_literal
from xval.base.terminal import is_session
from xval.experiment import command_line
from xval.experiment.auto_repeats import settle_fold_repeats
from xval.experiment.run import RunRequest, results_folder, run_experiment
from xval.folds.for_sklearn import ClipFolds, ValidationSide
from xval.jobs.folds_file import load_folds
from xval.settings.architectures import find_architecture
from xval.settings.given_objects import plain_parameters
from xval.settings.resolve import Declaration, resolve
from xval.settings.schema import Settings
from xval.settings.space import Choice, Interval, Pruning, SearchPlan

if TYPE_CHECKING:
    from xval.experiment.results import Results


class Experiment:
    """A description and numbered instances, trained and tested on the same folds.

    Args:
        description: One sentence on the question of the experiment; it is stored next to the results.
        **parameters: Parameters of all instances, over config.ini: `dataset`, `num_experiment`, `num_folds`, `task_type`,
            `experiment_folder`, `gpu_ID`, `overwrite_results`, `debug_mode`, `generator`, and any other key of config.ini.

    Example:
        >>> experiment = Experiment("Does dropout help?", dataset="demo", num_folds=4)
        >>> experiment[1] = {"architecture": "cnn_small", "dropout": 0.0, "comment_1": "no dropout"}
        >>> experiment.grid(architecture=["cnn_small", "crnn"], learning_rate=[0.001, 0.0003])
        [2, 3, 4, 5]
    """

    def __init__(self, description: str, **parameters: object) -> None:
        if not isinstance(description, str):
            raise SettingsError(f"Experiment: expected a description, one sentence; received {description!r:.60}.")
        script = _script()
        name = _relative(script) if script else "notebook" if hasattr(builtins, "__IPYTHON__") else "session"
        self._declaration = Declaration(name, str(script or ""), description, dict(parameters))
        self._grid_names: dict[int, tuple[str, str, str]] = {}

    def __setitem__(self, number: int, parameters: Mapping[str, object] | Sequence[str]) -> None:
        """Declare an instance.

        Args:
            number: Its number, 1 or above; it names the folder of its results.
            parameters: A dict, or the older form, a list of ``'name="value"'`` texts. Functions, classes and objects of Keras
                may stand for their names: ``{"optimizer": keras.optimizers.Adam(1e-3)}``.

        Raises:
            SettingsError: The number is not a whole number above 0, or is already used in a script; the parameters have another
                form.
        """
        where = f"{self._declaration.script}, instance {number}"
        if isinstance(number, bool) or not isinstance(number, int) or number < 1:
            raise SettingsError(f"{where}: an instance number is a whole number from 1; received {number!r}.")
        # The cell of a notebook may be run again.
        if number in self._declaration.instances and self._declaration.script_path:
            raise SettingsError(f"{where}: this number is already used. Give each instance its own number.")
        self._grid_names.pop(number, None)
        if isinstance(parameters, Mapping):
            wrong = [name for name in parameters if not isinstance(name, str)]
            if wrong:
                raise SettingsError(f"{where}: parameter names are text; received {wrong[0]!r}.")
            self._declaration.instances[number] = dict(parameters)
        elif isinstance(parameters, Iterable) and not isinstance(parameters, str):
            self._declaration.instances[number] = parse_assignments(parameters, where)
        else:
            raise SettingsError(
                f"{where}: expected a dict of parameters or a list of 'name=\"value\"' texts; received {parameters!r:.60}."
            )

    @property
    def declaration(self) -> Declaration:
        """The declaration of the script for runs."""
        return self._declaration

    def __getitem__(self, number: int) -> dict[str, object]:
        """Return the parameters of an instance as declared.

        Raises:
            SettingsError: There is no instance of this number.
        """
        command_line.choose_numbers(self._declaration, number)
        return self._declaration.instances[number]

    def __iter__(self) -> Iterator[int]:
        """Yield the instance numbers in order."""
        return iter(sorted(self._declaration.instances))

    def __len__(self) -> int:
        """Return the number of instances."""
        return len(self._declaration.instances)

    def grid(self, *unnamed: object, **values: Iterable[object]) -> list[int]:
        """Add an instance for each combination of values; comment_1 names the values that differ.

        The comment omits values that all of them share, unless another instance, such as one of another grid, would have that
        comment too.

        Args:
            *unnamed: Not allowed: every parameter has a name.
            **values: The values of each parameter.

        Returns:
            The numbers of the new instances, from one above the highest so far.

        Raises:
            SettingsError: A parameter has no values, a single text instead of a list, or no name; there is no parameter.
        """
        declared = self._declaration.instances
        try:
            combinations, varied = combine_grid(unnamed, values)
        except SettingsError as error:
            raise SettingsError(f"{self._declaration.script}, grid: {error}") from error
        numbers = []
        for number, parameters in enumerate(combinations, start=max(declared, default=0) + 1):
            short, long = comment_of({name: parameters[name] for name in varied}), comment_of(parameters)
            declared[number] = {"comment_1": short} | parameters
            self._grid_names[number] = short, long, f"{long} ({number})" if long else ""
            numbers.append(number)
        self._name_combinations()
        return numbers

    def _name_combinations(self) -> None:
        """Give the instances of grids their shortest names that no other instance has; a comment of the user's own stays."""
        declared = self._declaration.instances
        comments = {number: parameters.get("comment_1") for number, parameters in declared.items()}
        named = {number: names for number, names in self._grid_names.items() if comments[number] in names}
        used = {comment for number, comment in comments.items() if number not in named}
        times = Counter(short for short, _, _ in named.values())
        for number, (short, long, numbered) in named.items():
            choices = (short, long) if times[short] == 1 else (long,)
            comment = next((name for name in choices if name and name not in used), numbered)
            declared[number]["comment_1"] = comment
            used.add(comment)

    def search(
        self,
        space: Mapping[str, Interval | Choice],
        n_trials: int,
        *,
        at_once: int = 5,
        inner_folds: int = 0,
        pruning: Pruning = "median",
        **parameters: object,
    ) -> int:
        """Add an instance with a hyperparameter search in each fold, on items that the fold does not test.

        Each fold tries `n_trials` settings, trains with the best ones, and tests. The scores of the instance are therefore
        nested: they estimate search and training together. See docs/search.md.

        Args:
            space: For each setting `uniform`, `log_uniform`, `integers` or `choice`.
            n_trials: Number of settings that each fold tries.
            at_once: Number of trials that are suggested together, and may run at the same time in each fold.
            inner_folds: 0: the validation items of the fold score a trial. 2 or more: all items that the fold does not test are
                split into this number of folds, and the score of a trial is the mean over them, which requires as many
                trainings.
            pruning: ``median``, ``hyperband`` or ``none``: the method of stopping trials early.
            **parameters: Parameters of all trials, as for any instance.

        Returns:
            The number of the new instance, one above the highest so far.

        Raises:
            SettingsError: The space or another argument is wrong, or a setting is both searched and fixed.
        """
        where = f"{self._declaration.script}, search"
        try:
            plan = SearchPlan(space, n_trials, at_once, inner_folds, pruning)
        except SettingsError as error:
            raise SettingsError(f"{where}: {error}") from error
        if given := [name for name in plan.space if name in parameters]:
            raise SettingsError(
                f"{where}: '{given[0]}' is searched and also set to {parameters[given[0]]!r}. Keep one of them."
            )
        number = max(self._declaration.instances, default=0) + 1
        self[number] = {"comment_1": f"search {', '.join(plan.space)}"} | parameters | {"search": plan.to_text()}
        return number

    def run(
        self,
        first: int | None = None,
        last: int | None = None,
        gpu: int | str | Sequence[int] | None = None,
        *,
        folds: int | Collection[int] | None = None,
        quiet: bool = False,
        take_over: bool = False,
        **parameters: object,
    ) -> "Results":
        """Train and test the chosen instances as far as they are not finished, and return the results.

        Finished jobs are kept, so running again is quick. A network or a loss that a notebook defines is written as a module
        next to the results, because workers are processes that cannot access the notebook.

        Args:
            first: Number of the first instance; None: all instances.
            last: Number of the last instance (inclusive); None: only the first one.
            gpu: A GPU or several, or ``cpu``; None: the device in config.ini.
            folds: Only these folds; None: all.
            quiet: Print nothing.
            take_over: Continue with the results of another script, such as this one before it was renamed.
            **parameters: Parameters that override all others, like ``--set``: any key of config.ini, such as `workers`,
                `repeats`, `executor`, `overwrite_results`, and any option of the architecture.

        Returns:
            The results of the experiment, including those of earlier runs.

        Raises:
            UsageError: Anything that you can fix: `SettingsError`, `CorpusError`, `FoldsError`, `ResultsError`.
            JobError: Jobs failed and none of the chosen instances is done; in debug mode, the first failure.

        Warns:
            UserWarning: Some jobs failed; the others are done.
        """
        declaration = self._declaration
        numbers = None if first is None else command_line.choose_numbers(declaration, first, last)
        if first is None and last is not None:
            raise SettingsError(f"{declaration.script}: LAST {last} without FIRST. Give both, or none for all instances.")
        known = ("first", "last", "gpu", "folds", "quiet", "take_over")
        for name in parameters:
            if name not in Settings.model_fields and (near := get_close_matches(name, known, 1, 0.8)):
                raise SettingsError(f"run(): unknown parameter '{name}'. Did you mean '{near[0]}'?")
        device = {} if gpu is None else {"gpu_ID": gpu if isinstance(gpu, str) else ",".join(map(str, _as_list(gpu)))}
        request = RunRequest(
            numbers=numbers,
            overrides=device | parameters,
            fold_numbers=None if folds is None else list(_as_list(folds)),
            quiet=quiet,
            take_over=take_over,
            in_python=True,
        )
        find_architecture.cache_clear()  # between the cells of a notebook its file may have been edited
        try:
            code = run_experiment(declaration, request, command_line.make_wide_console(quiet=quiet))
        except UsageError as error:
            in_python = {
                "command line: ": "run(): ",
                "--overwrite": "overwrite_results=True",
                "--take-over once": "take_over=True to run() once",
            }
            raise type(error)(reduce(lambda text, pair: text.replace(*pair), in_python.items(), str(error))) from error
        (instance, *_) = resolve(declaration, numbers, request.overrides)
        from xval.experiment.results import Results, report_failures  # here, because it loads pandas, which main() does without

        results = Results(results_folder(instance.settings).path)
        if code:
            report_failures(results, numbers or list(self))
        return results

    def folds(self, *, validation: ValidationSide = "train") -> ClipFolds:
        """Return the folds that all instances share, as a `cv` for scikit-learn's functions.

        They are the folds in the folder of the results, or, before the first run, those that it will write. Settings of
        instances that use a part of their folds (``train_where``, ``test_where``, ``train_fraction``) are ignored.

        Args:
            validation: How to use validation items, which scikit-learn estimators do not need. ``train``: for training as well.
                ``leave_out``: not at all, so that an estimator trains on the same items as a network of the experiment.

        Raises:
            UsageError: A setting is wrong; the corpus is missing or cannot be split in this way.

        Example:
            >>> folds = experiment.folds()
            >>> x, y = features_of(folds.clips["path"]), folds.clips["label"]
            >>> cross_val_score(LogisticRegression(), x, y, cv=folds)
        """
        declaration = self._declaration
        if not declaration.instances:
            declaration = replace(declaration, instances={1: {}})
        (instance, *_) = resolve(declaration)
        corpus = open_corpus(instance.settings.dataset, Path(instance.settings.data_folder))
        declaration, _ = settle_fold_repeats(declaration, {}, [instance], results_folder(instance.settings))
        (instance, *_) = resolve(declaration)
        plan = load_folds(results_folder(instance.settings), instance.settings)
        return ClipFolds(plan, with_columns(corpus.index, corpus.folder), validation)

    def main(self, arguments: Sequence[str] | None = None) -> None:
        """Run the command line of the script and exit with its code, except at Python's prompt.

        Args:
            arguments: The arguments after the script's name; None: those of the process.

        Raises:
            SystemExit: 0 all done, 1 some job failed, 2 wrong usage or settings, 130 interrupted, or 143 or 129.
        """
        code = command_line.main_of_script(self._declaration, sys.argv[1:] if arguments is None else list(arguments))
        if not is_session():
            sys.exit(code)


def _as_list(numbers: int | Collection[int]) -> Collection[int]:
    return [numbers] if isinstance(numbers, int) else numbers


def _script() -> Path | None:
    """Return the running script; None in a notebook or a session, whose main module is not a file."""
    return Path(sys.argv[0]) if sys.argv[0] and hasattr(sys.modules["__main__"], "__file__") else None


def _relative(script: Path) -> str:
    """Return the path of a script relative to the current folder; only its name if it is elsewhere."""
    path = script.resolve()
    return path.relative_to(Path.cwd()).as_posix() if path.is_relative_to(Path.cwd()) else script.name


def combine_grid(
    unnamed: Sequence[object], values: Mapping[str, Iterable[object]]
) -> tuple[list[dict[str, object]], list[str]]:
    """Return the parameters of each instance of a grid, and which of them differ; the arguments are those of `Experiment.grid`.

    Args:
        unnamed: Arguments without a name, which raise an error.
        values: The values of each parameter.

    Raises:
        SettingsError: As for `Experiment.grid`.
    """
    if unnamed or not values:
        received = f"received {unnamed[0]!r:.60}" if unnamed else "received none"
        raise SettingsError(f"parameters need names, such as grid(learning_rate=[0.1, 0.01]); {received}.")
    columns = {}
    for name, choices in values.items():
        is_list = isinstance(choices, Iterable) and not isinstance(choices, str | Mapping)
        columns[name] = list(choices) if is_list else []
        if not columns[name]:
            raise SettingsError(f"{name}: expected a list of values; received {choices!r}.")
    varied = [name for name, choices in columns.items() if len(choices) > 1 and name not in ("comment_1", "comment_2")]
    return [dict(zip(columns, combination, strict=True)) for combination in product(*columns.values())], varied


def comment_of(parameters: Mapping[str, object]) -> str:
    """Return ``crnn, learning_rate 0.001``, by which a grid names an instance."""
    plain = plain_parameters(parameters).items()
    return describe_parameters({name: value for name, value in plain if name in parameters or value is not None})


def parse_assignments(assignments: Iterable[str], where: str) -> dict[str, object]:
    """Parse the older form of an instance, a list of ``'name="value"'`` texts, without executing it.

    The values are Python literals; errors name `where`.
    """
    values: dict[str, object] = {}
    for text in assignments:
        name, equals, literal = str(text).partition("=")
        name = name.strip()
        if not equals or not name.isidentifier():
            raise SettingsError(f"{where}: received {text!r}; expected an assignment such as 'learning_rate=\"0.001\"'.")
        try:
            value = read_literal(literal.strip())
        except (ValueError, SyntaxError) as error:
            raise SettingsError(
                f'{where}: the value of {text!r} is not a literal. Write a number or a quoted text: {name}="...".'
            ) from error
        if name in values:
            raise SettingsError(f"{where}: '{name}' comes twice.")
        values[name] = value
    return values
