"""Every error that xval raises on purpose, and the wording of suggestions.

XvalError                     anything below; the command line prints it without a traceback
├── UsageError                the user can fix it: exit code 2
│   ├── SettingsError         a parameter, an instance number, an option of the command line
│   ├── CorpusError           a corpus or table that is missing or wrong, a store that does not fit
│   ├── FoldsError            items that cannot be split as asked without leakage
│   └── ResultsError          the results folder: not writable, or it holds results of other settings
│       └── UnsafeModelError  a saved model that is damaged, or holds what no model of xval holds
├── AudioError                one clip cannot be used; it is reported and left out
├── UndefinedAnswerError      a model answers a clip with NaN or infinite values, which is no answer
├── ExportError               a model cannot be written in a format, or its export gives other output
└── JobError                  one job failed; it is recorded and the others go on
    ├── FirstJobError         in debug mode: the first error of a job, with that error as its cause
    ├── DivergenceError       the loss is NaN or infinite
    └── WorkerError           the process of a job died or ran out of memory
"""

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches


class XvalError(Exception):
    """Base of all errors that xval raises on purpose."""


class UsageError(XvalError):
    """The user can fix it; nothing has been trained."""

    def _render_traceback_(self) -> list[str]:
        """Return the message only for IPython, because a traceback would show the engine, not the user's error."""
        return [f"{type(self).__name__}: {self}"]


class SettingsError(UsageError):
    """A parameter, an instance number or a command line option is wrong."""


class CorpusError(UsageError):
    """A corpus is missing or malformed, or a feature store does not belong to it."""


class FoldsError(UsageError):
    """The items cannot be split as asked without leaking one side into another."""


class ResultsError(UsageError):
    """The results folder cannot be written, or holds results of other settings."""


class UnsafeModelError(ResultsError):
    """A saved model is damaged or has contents that no model of xval has; no part of it has been used."""


class AudioError(XvalError):
    """One clip cannot be decoded or used."""


class UndefinedAnswerError(XvalError):
    """A model predicts NaN or infinite values for a clip."""


class ExportError(XvalError):
    """A model cannot be written in a format, or its export gives different outputs."""


class JobError(XvalError):
    """One job failed."""


class FirstJobError(JobError):
    """A job failed in debug mode; its error is the cause, and its traceback is shown."""


class DivergenceError(JobError):
    """The loss became NaN or infinite."""


class WorkerError(JobError):
    """The process of a job died or ran out of memory."""


def suggestion(received: str, available: Iterable[str]) -> str:
    """Return the end of an error message about an unknown name.

    Returns:
        ``"Available: a, b. Did you mean 'a'?"``, without the question if no name is similar or contains it.
    """
    names = sorted(available)
    close = closest(received, names)
    hint = f" Did you mean '{close}'?" if close else ""
    return f"Available: {', '.join(names)}.{hint}"


def closest(received: str, available: Iterable[str]) -> str:
    """Return the name that is similar to an unknown one, or contains it as a word; empty: none."""
    names = sorted(available)
    close = get_close_matches(received, names, n=1, cutoff=0.6)
    close = close or [name for name in names if received.lower() in name.lower().split("_")][:1]  # f1: macro_f1
    return close[0] if close else ""


def first_of(names: Iterable[object], most: int = 10, separator: str = ", ") -> str:
    """Return some names, or the first of many with the number of others: ``a, b and 7 more``."""
    texts = [str(name) for name in names]
    return separator.join(texts[:most]) + (f" and {len(texts) - most} more" if len(texts) > most else "")


def join_words(words: Sequence[str], last: str = "and") -> str:
    """Return ``a``, ``a and b`` or ``a, b and c``; `last` is the word between the last two."""
    return f" {last} ".join(filter(None, (", ".join(words[:-1]), *words[-1:])))


def capital(text: str) -> str:
    """Return a text that begins with a capital letter."""
    return f"{text[:1].upper()}{text[1:]}"


def shortened(name: str, most: int) -> str:
    """Return a name cut to this number of characters."""
    return name if len(name) <= most else f"{name[: most - 1]}…"


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun: ``1 fold``, ``3 folds``, ``2 classes``."""
    return f"{number} {plural if plural and number != 1 else plural_of(noun, number)}"


def plural_of(noun: str, number: float = 2) -> str:
    """Return the form of a noun for a number: ``fold``, ``folds``, ``classes``, ``boxes``, ``families``."""
    if number == 1:
        return noun
    if re.search("[^aeiou]y$", noun):
        return f"{noun[:-1]}ies"
    return f"{noun}es" if noun.endswith(("s", "x")) else f"{noun}s"


_OF_ONE = {"are": "is", "were": "was", "have": "has", "do": "does"}


def verb_of(number: int, verb: str = "are") -> str:
    """Return the form of a verb for a number: ``is`` or ``are``, ``has`` or ``have``, ``lacks`` or ``lack``."""
    return _OF_ONE.get(verb, f"{verb}s") if number == 1 else verb


def how_to_install(extra: str) -> str:
    """Return the command that installs an optional part of the project, such as ``ray``."""
    return f"pip install -e '.[{extra}]' in the folder of this project"


REMEDY = "Move its folder away to run that part again."
"""Advice on a damaged file in the results of a job."""

# TensorFlow lists the calls that made an operation before it says what was wrong with it.
_GRAPH_ERROR = re.compile(r"Graph execution error:.*^\s*File [^\n]*\n", re.DOTALL | re.MULTILINE)
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")  # Keras writes some of its errors for a terminal


def brief(error: BaseException, most: int = 150) -> str:
    """Return the text of an error in one line of at most this number of characters."""
    return " ".join(str(error).split())[:most]


def one_line(error: BaseException) -> str:
    """Return an error in one line of at most 500 characters, with its type unless it is an error of this project."""
    text = " ".join(_GRAPH_ERROR.sub("", _COLOURS.sub("", str(error))).split())
    name = "" if isinstance(error, XvalError) else f"{type(error).__name__}: "
    return f"{name}{text}"[:500]
