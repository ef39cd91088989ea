"""Find ensembles whose validation scores do not rank them, because their members were chosen or weighed by the same items.

A fold with several validation items leaves each of them out of the fit (`cross_predict` of xval/reuse/ensembles/combine.py);
one with a single item cannot.
"""

from collections.abc import Sequence

from xval.results.instance import InstanceResults

_FITTED = ("choose", "stack")


def comparable(instances: Sequence[InstanceResults], side: str = "validation") -> Sequence[InstanceResults]:
    """Return the instances whose scores of a side can be compared; all of them if that is true of none.

    Scores of other sides than validation always compare.
    """
    left_out = set(fitted_to_own_items(instances)) if side.endswith("validation") else set()
    return [instance for instance in instances if instance.number not in left_out] or instances


def fitted_to_own_items(instances: Sequence[InstanceResults]) -> tuple[int, ...]:
    """Return the numbers of ensembles that were fitted, in some fold, to the one item that they are validated with."""
    return tuple(
        instance.number
        for instance in instances
        if any(record.get("method") in _FITTED and len(record["items"]["validation"]) < 2 for record in instance.folds.values())
    )
