"""What differs between two readings of the user's own code, of `xval.base.own_code.hash_definitions` each."""

from collections.abc import Mapping

from xval.base.module_places import find_spec
from xval.base.own_code import SHIPPED

Definitions = Mapping[str, str]
"""The hash of each definition, by ``module:name``."""


def find_changes(before: Definitions | None, now: Definitions | None) -> list[str]:
    """Return the definitions that differ; none where one side is not known, or xval has shipped both."""
    if before is None or now is None or before == now:
        return []
    changed = []
    for name in sorted({*before, *now}):
        hashes = [known[name] for known in (before, now) if name in known]
        is_of_xval = all(text.startswith(SHIPPED) for text in hashes)
        is_same = name in before and name in now and len({text.removeprefix(SHIPPED) for text in hashes}) == 1
        if not is_of_xval and not is_same:
            changed.append(name)
    return changed


def describe_changes(before: Definitions | None, now: Definitions | None) -> str:
    """Return the files whose definitions have changed, with these; empty: none has."""
    of_modules: dict[str, list[str]] = {}
    for changed in find_changes(before, now):
        module, _, name = changed.partition(":")
        verb = "is gone" if changed not in (now or {}) else "has changed" if changed in (before or {}) else "is new"
        of_modules.setdefault(module, []).append(f"{name or 'what it runs outside of functions and classes'} {verb}")
    texts = []
    for module, changes in of_modules.items():
        spec = find_spec(module)
        texts.append(f"{spec.origin if spec and spec.has_location else module}: {', '.join(changes)}")
    return "; ".join(texts)
