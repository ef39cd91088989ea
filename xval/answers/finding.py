"""What a finding is: something that has to be known to read the results of some instances."""

from collections.abc import Iterable
from typing import NamedTuple

from xval.answers.finding_table import TABLE
from xval.settings.finding_codes import Code


class Finding(NamedTuple):
    """Something that has to be known to read the results.

    Attributes:
        text: What is, in a sentence.
        advice: What to do.
        instances: Those that it is about; empty: all.
    """

    code: Code
    text: str
    advice: str
    instances: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """Code and slug: ``XV303 no-clear-winner``."""
        return f"{self.code} {TABLE[self.code].slug}"

    @property
    def message(self) -> str:
        """Code, slug and text, as they are shown where the advice has no room."""
        return f"{self.name}: {self.text}"

    @property
    def line(self) -> str:
        """Code, slug, text and advice, as they are shown in one line."""
        return f"{self.message} {self.advice}"


def make_finding(code: Code, case: str = "", instances: Iterable[int] = (), **fields: object) -> Finding:
    """Return a finding with the texts that `TABLE` has for a case, and these fields in them."""
    text = TABLE[code].texts[case]
    return Finding(code, text.message.format(**fields), text.advice.format(**fields), tuple(instances))


def capital(text: str) -> str:
    """Return a text that begins with a capital letter."""
    return f"{text[:1].upper()}{text[1:]}"
