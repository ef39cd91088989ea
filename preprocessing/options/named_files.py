"""Modules of a package that are found by their file names, and the options that the signatures of their functions declare.

Keyword-only arguments are options of a command line or of config.ini.
"""

import inspect
from collections.abc import Sequence
from importlib import import_module
from pkgutil import iter_modules
from types import ModuleType

from xval.base.errors import XvalError, suggestion


def file_names(package: str) -> tuple[str, ...]:
    """Return the names of the files of a package, sorted; those that begin with ``_`` do not count."""
    modules = iter_modules(import_module(package).__path__)
    return tuple(sorted(module.name for module in modules if not module.name.startswith("_")))


def load_file(package: str, name: str, *, kind: str, wanted: Sequence[str], error: type[XvalError]) -> ModuleType:
    """Load a file of a package.

    Args:
        package: Dotted name of the package.
        name: Name of the file.
        kind: What such a file is, for the error.
        wanted: What the file must define.
        error: What is raised.
    """
    names = file_names(package)
    if name not in names:
        raise error(f"Unknown {kind} '{name}'. {suggestion(name, names)}")
    module = import_module(f"{package}.{name}")
    missing = [attribute for attribute in wanted if not hasattr(module, attribute)]
    if missing:
        raise error(f"{module.__file__} has no '{missing[0]}'; a {kind} needs {', '.join(wanted)}.")
    return module


def read_options(
    module: ModuleType, function: str, *, n_positional: int, error: type[XvalError]
) -> tuple[inspect.Parameter, ...]:
    """Return the keyword-only arguments of a function of a file.

    Args:
        module: The file.
        function: The function's name.
        n_positional: Arguments that are no options and come before the ``*``.
        error: What is raised.
    """
    parameters = list(inspect.signature(getattr(module, function)).parameters.values())
    options = parameters[n_positional:]
    if len(parameters) < n_positional or any(option.kind is not inspect.Parameter.KEYWORD_ONLY for option in options):
        raise error(
            f"{module.__file__}: {function} takes {n_positional} positional arguments, and options after a '*'. Change its "
            "signature."
        )
    return tuple(options)
