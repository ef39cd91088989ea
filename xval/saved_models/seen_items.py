"""Which items a saved model has seen: those that trained it or chose its epoch, and those of the models that it started from.

Comes in: the content of model.json. Goes out: `SeenItems`, which tells the items of a fold that are among them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

_MOST_NAMED = 5


@dataclass(frozen=True)
class SeenItems:
    """The items that a model has seen.

    Attributes:
        by_corpus: By the name of their corpus, as far as is known.
        is_complete: These are all: xval made this model, the one that it started from, and so on.
    """

    by_corpus: Mapping[str, frozenset[str]]
    is_complete: bool

    @classmethod
    def of(cls, description: Mapping[str, Any]) -> Self:
        """Return what a model.json says; nothing of it need be there."""
        found = {corpus: frozenset(items) for corpus, items in (description.get("seen_items") or {}).items()}
        return cls(found, bool(found) and description.get("initial_model_items") != "unknown")

    def among(self, corpus: str, items: Iterable[str]) -> str:
        """Return the names of those of some items that the model has seen, five at most and how many more; else nothing."""
        seen = sorted(self.by_corpus.get(corpus, frozenset()) & frozenset(items))
        more = f" and {len(seen) - _MOST_NAMED} more" if len(seen) > _MOST_NAMED else ""
        return ", ".join(seen[:_MOST_NAMED]) + more
