"""xval: cross-validated deep-learning experiments on audio with Keras 3.

What a script needs: ``from xval import Experiment``. Everything else is loaded when it is used, so that importing a part of
the project stays cheap.
"""

import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from xval.version import __version__ as __version__

# An architectures/ of one's own in the current folder must not hide that of the project from Python: a package that lies on the
# path is found before a folder without __init__.py, but one of an editable installation after it.
_ROOT = str(Path(__file__).resolve().parents[1])
if _ROOT not in sys.path:
    sys.path.append(_ROOT)

if TYPE_CHECKING:
    from xval.experiment.cross_validate import cross_validate as cross_validate
    from xval.experiment.declare import Experiment as Experiment
    from xval.experiment.results import Results as Results
    from xval.inference import load_model as load_model
    from xval.results.comparison.choose import compare_instances as compare_instances
    from xval.results.dataframes import load_figures as load_figures
    from xval.results.dataframes import load_predictions as load_predictions
    from xval.results.dataframes import load_results as load_results
    from xval.settings.space import choice as choice
    from xval.settings.space import integers as integers
    from xval.settings.space import log_uniform as log_uniform
    from xval.settings.space import uniform as uniform

_PUBLIC = {
    "Experiment": "xval.experiment.declare",
    "Results": "xval.experiment.results",
    "cross_validate": "xval.experiment.cross_validate",
    "compare_instances": "xval.results.comparison.choose",
    "load_model": "xval.inference",
    "load_figures": "xval.results.dataframes",
    "load_predictions": "xval.results.dataframes",
    "load_results": "xval.results.dataframes",
    "choice": "xval.settings.space",
    "integers": "xval.settings.space",
    "log_uniform": "xval.settings.space",
    "uniform": "xval.settings.space",
}


def __getattr__(name: str) -> object:
    if name in _PUBLIC:
        from preprocessing.console import report_mistakes_in_one_line

        report_mistakes_in_one_line()
        return getattr(import_module(_PUBLIC[name]), name)
    message = f"module 'xval' has no attribute '{name}'"
    raise AttributeError(message)


def __dir__() -> list[str]:
    return sorted({*globals(), *_PUBLIC})
