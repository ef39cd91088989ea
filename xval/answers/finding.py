"""What a finding is: something that has to be said beside the results of some instances."""

from typing import NamedTuple

from xval.settings.finding_codes import Code


class Finding(NamedTuple):
    """Something that has to be known to read the results.

    Attributes:
        text: What is, a sentence of at most 25 words.
        advice: What to do, likewise.
        instances: Those that it is about; empty: all.
    """

    code: Code
    text: str
    advice: str
    instances: tuple[int, ...] = ()

    @property
    def line(self) -> str:
        """Code, text and advice, as they are shown in one line."""
        return f"{self.code}: {self.text} {self.advice}"


def capital(text: str) -> str:
    """Return a text that begins with a capital letter."""
    return f"{text[:1].upper()}{text[1:]}"
