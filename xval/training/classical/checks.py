"""What an estimator of scikit-learn needs before anything is fitted: skops, and training items to leave out.

Comes in: an instance and the folds that are to run. Goes out: nothing, or an error that names what to mend. scikit-learn is not
loaded here.
"""

from collections.abc import Iterable
from importlib.util import find_spec

from xval.base.errors import FoldsError, SettingsError, how_to_install
from xval.folds.plan import Fold


def check_skops(architecture: str) -> None:
    """Refuse to begin where skops is not installed: an estimator could not be saved."""
    if find_spec("skops") is None:
        raise SettingsError(
            f"architecture '{architecture}' saves its estimator with skops, which is not installed. Install it: "
            f"{how_to_install('combination')}"
        )


def check_training_items(folds: Iterable[Fold]) -> None:
    """Refuse folds with one training item alone, which a search could not leave out."""
    for fold in folds:
        if len(fold.training) < 2:
            raise FoldsError(
                f"fold {fold.number} has one training item alone; the settings of an estimator are searched by leaving "
                "training items out, for which at least two are needed. Use other folds."
            )
