"""Find ensembles whose validation scores are optimistic because the same items chose or weighted their members.

A fold with several validation items excludes each of them in turn from the fit (`cross_predict` of
xval/reuse/ensembles/combine.py); a fold with a single validation item cannot.
"""

from collections.abc import Sequence

from xval.results.instance import InstanceResults

_FITTED = ("choose", "stack")


def comparable(instances: Sequence[InstanceResults], side: str = "validation") -> Sequence[InstanceResults]:
    """Return the instances with comparable scores on a side; all instances if none is comparable.

    Scores of sides other than validation are always comparable.
    """
    left_out = set(fitted_to_own_items(instances)) if side.endswith("validation") else set()
    return [instance for instance in instances if instance.number not in left_out] or instances


def fitted_to_own_items(instances: Sequence[InstanceResults]) -> tuple[int, ...]:
    """Return the numbers of ensembles that some fold fitted to its only validation item."""
    return tuple(
        instance.number
        for instance in instances
        if any(record.get("method") in _FITTED and len(record["items"]["validation"]) < 2 for record in instance.folds.values())
    )
