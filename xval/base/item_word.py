"""What texts call an item: speaker, actor, patient ...

Comes in: a text of the program, and a word. Goes out: the text with the word.
"""

import re

from xval.base.errors import plural_of

ITEM = "item"
"""The word where nothing says what an item is."""


def call_items(text: str, word: str) -> str:
    """Return a text in which an item is called by a word; names such as ``--item`` stay, as does all for an empty word."""

    def called(item: re.Match[str]) -> str:
        article, first, plural = item.groups(default="")
        name = plural_of(word or ITEM, 1 + len(plural))
        if article and name[0].lower() not in "aeio":
            article = f"{article[0]} "
        return article + (name.capitalize() if first == "I" else name)

    return re.sub(r"(?<![-\w])(?<!column )([aA]n )?([iI])tem(s?)(?![-\w])", called, text)
