"""xval: cross-validated deep-learning experiments on audio with Keras 3.

The public names, which scripts and docs import only from here: ``from xval import Experiment``. Each is loaded when it is
used, so that importing a part of the project stays cheap.
"""

import sys
from importlib import import_module
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING

from xval.base.terminal import report_mistakes_in_one_line as _report_mistakes
from xval.base.version import __version__ as __version__

_report_mistakes()

# An architectures/ of one's own in the current folder must not hide that of the project from Python: a package that is on the
# path is found before a folder without __init__.py, but one of an editable installation after it.
_ROOT = str(Path(__file__).resolve().parents[1])
if _ROOT not in sys.path:
    sys.path.append(_ROOT)

if TYPE_CHECKING:
    from xval.answers.comparison.choose import compare_instances as compare_instances
    from xval.answers.dataframes import load_jobs as load_jobs
    from xval.answers.dataframes import load_results as load_results
    from xval.answers.dataframes import load_scores as load_scores
    from xval.answers.predictions import load_predictions as load_predictions
    from xval.backend.torch_module import TorchModule as TorchModule
    from xval.base.errors import XvalError as XvalError
    from xval.experiment.cross_validate import cross_validate as cross_validate
    from xval.experiment.declare import Experiment as Experiment
    from xval.experiment.results import Results as Results
    from xval.jobs.observers import Observer as Observer
    from xval.measures.metrics import Chance as Chance
    from xval.measures.metrics import metric as metric
    from xval.measures.verification import verification_eer as verification_eer
    from xval.reuse.inference import load_model as load_model
    from xval.reuse.inference.sources import Segment as Segment
    from xval.settings.space import choice as choice
    from xval.settings.space import integers as integers
    from xval.settings.space import log_uniform as log_uniform
    from xval.settings.space import uniform as uniform

_PUBLIC = {
    "Chance": "xval.measures.metrics",
    "Experiment": "xval.experiment.declare",
    "Observer": "xval.jobs.observers",
    "Results": "xval.experiment.results",
    "Segment": "xval.reuse.inference.sources",
    "TorchModule": "xval.backend.torch_module",
    "XvalError": "xval.base.errors",
    "choice": "xval.settings.space",
    "compare_instances": "xval.answers.comparison.choose",
    "cross_validate": "xval.experiment.cross_validate",
    "integers": "xval.settings.space",
    "load_scores": "xval.answers.dataframes",
    "load_jobs": "xval.answers.dataframes",
    "load_model": "xval.reuse.inference",
    "load_predictions": "xval.answers.predictions",
    "load_results": "xval.answers.dataframes",
    "log_uniform": "xval.settings.space",
    "metric": "xval.measures.metrics",
    "uniform": "xval.settings.space",
    "verification_eer": "xval.measures.verification",
}


_NOW = {"Stretch": "Segment", "load_figures": "load_scores"}
"""Names of earlier versions."""


def _refuse_hidden_packages() -> None:
    """Refuse a file of the user's own that Python finds in place of a package next to this one."""
    for name in ("preprocessing", "augmentation", "architectures"):
        loaded = sys.modules.get(name)
        spec = loaded.__spec__ if loaded else PathFinder.find_spec(name)
        if spec is None or spec.origin is None or Path(spec.origin).resolve() == Path(_ROOT, name, "__init__.py"):
            continue
        from xval.base.errors import SettingsError

        raise SettingsError(f"{spec.origin}: this file has the name of a package of xval and hides it. Rename the file.")


_refuse_hidden_packages()


def __getattr__(name: str) -> object:
    if name in _PUBLIC:
        _report_mistakes()
        return getattr(import_module(_PUBLIC[name]), name)
    if name in _NOW:  # of an AttributeError, `from xval import ...` would not show the text
        raise ImportError(f"xval.{name} is now xval.{_NOW[name]}: from xval import {_NOW[name]}", name="xval")
    raise AttributeError(f"module 'xval' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted({*_PUBLIC, *(name for name in globals() if name.startswith("__"))})
