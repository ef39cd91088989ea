"""What differs between two readings of the user's own code, of `xval.base.own_code.hash_definitions` each."""

from collections.abc import Mapping

from xval.base.module_places import find_spec
from xval.base.own_code import FILE, FORM, IMPORT, IMPORTED, SHIPPED

Definitions = Mapping[str, str]
"""The hash of each definition, by ``module:name``."""


def find_changes(before: Definitions | None, now: Definitions | None) -> list[str]:
    """Return the definitions and files that differ; none where one side is not known, or xval has shipped both.

    Files are compared where both sides have them: code that reads another one differs itself. What runs because it is imported
    is compared where both sides are of a version of xval that saw it.
    """
    if before is None or now is None or before == now:
        return []
    unseen = (IMPORTED,) if FORM not in before or FORM not in now else ()
    changed = []
    for name in sorted({*before, *now} - {FORM}):
        hashes = [known[name] for known in (before, now) if name in known]
        if len(hashes) == 1 and hashes[0].startswith((FILE, *unseen)):
            continue
        is_of_xval = all(text.startswith(SHIPPED) for text in hashes)
        is_same = (
            name in before and name in now and len({text.removeprefix(SHIPPED).removeprefix(IMPORTED) for text in hashes}) == 1
        )
        if not is_of_xval and not is_same:
            changed.append(name)
    return changed


def describe_changes(before: Definitions | None, now: Definitions | None) -> str:
    """Return the files whose definitions have changed, with these; empty: none has."""
    of_modules: dict[str, list[str]] = {}
    for changed in find_changes(before, now):
        module, _, name = changed.partition(":")
        verb = "is gone" if changed not in (now or {}) else "has changed" if changed in (before or {}) else "is new"
        what = {"": "code outside of functions and classes", IMPORT: "code run when it is imported"}.get(name, name)
        of_modules.setdefault(module, []).append(f"{what} {verb}")
    texts = []
    for module, changes in of_modules.items():
        spec = find_spec(module)
        texts.append(f"{spec.origin if spec and spec.has_location else module}: {', '.join(changes)}")
    return "; ".join(texts)
