"""Check the requirements of a scikit-learn estimator before fitting: skops, and training items to leave out.

An error names the fix. scikit-learn is not loaded here.
"""

from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from typing import Any

from xval.base.errors import FoldsError, SettingsError, how_to_install
from xval.folds.plan import Fold
from xval.settings.classical import single_values

_FEWEST = 3  # items of a fold: one each for training, validation and test


def check_skops(architecture: str) -> None:
    """Raise an error if skops is not installed, because an estimator could not be saved."""
    if find_spec("skops") is None:
        raise SettingsError(
            f"architecture '{architecture}' saves its estimator with skops, which is not installed. Install it: "
            f"{how_to_install('combination')}"
        )


def check_training_items(folds: Iterable[Fold], options: Mapping[str, Any] | None = None) -> None:
    """Raise an error for folds with only one training item, which a search could not leave out.

    Args:
        folds: All that are to run.
        options: Of the instance, where single values of them would need no search.
    """
    for fold in folds:
        if len(fold.training) < 2:
            n_items = len(fold.training) + len(fold.validation) + len(fold.test)
            more = f"set num_folds = {n_items} and a smaller validation_fraction, to train with more items"
            ways = [f"give each option one value, which needs no search: {single_values(options)}"] if options else []
            ways += [more] if n_items > _FEWEST else ["add items"]
            advice = ", or ".join(ways)
            raise FoldsError(
                f"fold {fold.number} has only one training item, but the search of an estimator's settings holds out "
                f"training items and needs at least two. {advice[0].upper()}{advice[1:]}."
            )
