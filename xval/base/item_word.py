"""Replace the word "item" in texts by the dataset's own word, such as speaker, actor or patient."""

import re

from xval.base.errors import plural_of

ITEM = "item"
"""The word where nothing says what an item is."""


def new_items(word: str) -> str:
    """Return ``unseen speakers``; where an item is a fold of the corpus' publisher, unseen data are recordings and no folds."""
    return f"unseen {'recordings' if word == 'fold' else plural_of(word or ITEM)}"


_ABBREVIATED = {
    "spk": "speaker",
    "spkr": "speaker",
    "subj": "subject",
    "pat": "patient",
    "pt": "patient",
    "ptcp": "participant",
    "rec": "recording",
    "sess": "session",
}


def written_out(word: str) -> str:
    """Return a word for an item as texts have it: speaker for spk; empty for what is no word, as grp."""
    word = _ABBREVIATED.get(word, word)
    return word if re.search("[aeiouy]", word) else ""


def call_items(text: str, word: str) -> str:
    """Return a text in which an item is called by a word; names such as ``--item`` stay, as does all for an empty word."""

    def called(item: re.Match[str]) -> str:
        article, blank, first, plural = item.groups(default="")
        name = plural_of(word or ITEM, 1 + len(plural))
        if not re.match(r"[aeio]|u(?!ni|s[aeu])", name, re.IGNORECASE):  # a user, a unit, an utterance
            article = article[:1]
        return article + blank + (name.capitalize() if first == "I" else name)

    return re.sub(r"(?<![-\w])(?<!column )(?:([aA]n)(\s+))?([iI])tem(s?)(?![-\w])", called, text)
