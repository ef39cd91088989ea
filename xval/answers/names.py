"""Give each instance of a set a unique short name from its comments, or from the parameters in which the instances differ."""

from collections import Counter
from collections.abc import Collection, Hashable, Iterable, Mapping
from typing import Protocol, TypeVar

from xval.answers.summary import differing_parameters, parameter_value
from xval.base.errors import counted, join_words, shortened
from xval.settings.resolve import describe_numbers

CHOICE = "choosing by validation"
"""The name of nested selection in a comparison with a variant."""

_LONGEST = 60  # characters, of names that are made and of those in sentences
_MOST_RUNS = 3
_SAID_ALONE = ("architecture", "features", "frontend")
_COUNTED = {"time_parts": "part"}

_Key = TypeVar("_Key", bound=Hashable)


class _HasParameters(Protocol):
    @property
    def number(self) -> int: ...

    @property
    def parameters(self) -> Mapping[str, object]: ...


def find_names(parameters: Mapping[_Key, Mapping[str, object]]) -> dict[_Key, str]:
    """Return the name of each instance.

    The name is its comments if there are any, else its architecture. Instances with equal names also get the parameters that
    differ between them, as far as there is room, and then their number if names are still equal.

    Args:
        parameters: The parameters of each instance, with the comments, by the instance's name in sentences, such as its number.
    """
    names = {key: _first_part(instance_parameters) for key, instance_parameters in parameters.items()}
    for name in [name for name, n in Counter(names.values()).items() if n > 1]:
        alike = [key for key in names if names[key] == name]
        differing = differing_parameters([parameters[key] for key in alike])
        for key in alike:
            for text in _texts({part: parameters[key][part] for part in differing if part in parameters[key]}):
                if len(names[key]) + len(text) + 2 <= _LONGEST:
                    names[key] = ", ".join(filter(None, (names[key], text)))
    counts = Counter(names.values())
    taken = {name for name, n in counts.items() if n == 1}
    for key, name in names.items():
        if not name or counts[name] > 1:
            numbered = f"{name} #{key}".strip()
            while numbered in taken:
                numbered += f" #{key}"
            taken.add(numbered)
            names[key] = numbered
    return names


def names_of(instances: Iterable[_HasParameters]) -> dict[int, str]:
    """Return the name of each instance by its number, as in `find_names`."""
    return find_names({instance.number: instance.parameters for instance in instances})


def name_instances(
    numbers: Collection[int], instances: Iterable[_HasParameters], *, most: int = 2, is_first: bool = False
) -> str:
    """Return ``SVM (3)``, ``SVM (3) and CNN (4)``, or of more ``variants 3-5, 7``.

    `instances` is the whole set, which determines the names. Up to `most` instances are named, ``SVM (3), kNN (4) and MLP
    (5)``; more than two only if no name has a comma. `is_first`: the text begins a sentence; names do not change.
    """
    listed = list(numbers)
    names = names_of(instances) if len(listed) <= most else {}
    if not names or (len(listed) > 2 and any("," in names[number] for number in listed)):
        return f"{'V' if is_first else 'v'}ariant{'s' * (len(listed) > 1)} {name_numbers(listed)}"
    return join_words([f"{shortened(names[number].removesuffix(f' #{number}'), _LONGEST)} ({number})" for number in listed])


def name_numbers(numbers: Iterable[int]) -> str:
    """Return ``3`` or ``3-5, 7``; only the first of many: ``1, 3, 5 and more``."""
    runs = describe_numbers(numbers).split(", ")
    return ", ".join(runs[:_MOST_RUNS]) + " and more" * (len(runs) > _MOST_RUNS)


def name_folds(numbers: Collection[int]) -> str:
    """Return ``fold 3`` or ``folds 3-5, 7``."""
    return f"fold{'s' * (len(numbers) > 1)} {name_numbers(numbers)}"


def call_compared(names: Iterable[str], word: str = "instance") -> str:
    """Return ``instance 3``, ``instances 1, 3-7`` or ``instance 3 and choosing by validation``.

    Args:
        names: The names in a comparison: ``3``, ``nested``, or ``path:3`` for another experiment, which stays as it is.
        word: The word for them, such as instance.
    """
    split = {name: name.rpartition(":") for name in names}
    numbered = [name for name, (_, _, which) in split.items() if which != "nested"]
    listed = describe_numbers(map(int, numbered)) if all(map(str.isdecimal, numbered)) else ", ".join(numbered)
    called = [f"{word}{'s' * (len(numbered) > 1)} {listed}"] * bool(numbered)
    called += [f"{CHOICE} in {path}" if path else CHOICE for path, _, which in split.values() if which == "nested"]
    return " and ".join(called)


def describe_parameters(parameters: Mapping[str, object]) -> str:
    """Return ``crnn, learning_rate 0.001``, by which a grid names its instances."""
    return ", ".join(_texts(parameters))


def _texts(parameters: Mapping[str, object]) -> list[str]:
    texts = []
    for name, value in parameters.items():
        shown = f"{value:g}" if isinstance(value, float) else str(parameter_value(value))
        if name in _COUNTED and isinstance(value, int):
            texts.append(counted(value, _COUNTED[name]))
        else:
            texts.append(shown if name in _SAID_ALONE else f"{name} {shown}")
    return texts


def _first_part(parameters: Mapping[str, object]) -> str:
    comments = (str(parameters.get(name) or "").strip() for name in ("comment_1", "comment_2"))
    return ", ".join(filter(None, comments)) or str(parameters.get("architecture", ""))
