"""The instances of a grid: the product of the values that parameters take, each with a comment that says what is its own."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import product

from xval.answers.names import describe_parameters
from xval.base.errors import SettingsError
from xval.settings.given_objects import plain_parameters


def combine(
    unnamed: Sequence[object], values: Mapping[str, Iterable[object]], used: Collection[object], *, first: int
) -> dict[int, dict[str, object]]:
    """Return the parameters of each instance of a grid by its number; the arguments are those of `Experiment.grid`.

    Args:
        unnamed: What was given without a name, which is refused.
        values: For each parameter the values that it takes.
        used: The comments of instances from elsewhere.
        first: The number of the first instance.

    Raises:
        SettingsError: As of `Experiment.grid`.
    """
    if unnamed or not values:
        received = f"received {unnamed[0]!r:.60}" if unnamed else "received none"
        raise SettingsError(f"parameters need names, such as grid(learning_rate=[0.1, 0.01]); {received}.")
    columns = {}
    for name, choices in values.items():
        is_list = isinstance(choices, Iterable) and not isinstance(choices, str | Mapping)
        columns[name] = list(choices) if is_list else []
        if not columns[name]:
            raise SettingsError(f"{name}: expected a list of values; received {choices!r}.")
    varied = [name for name, choices in columns.items() if len(choices) > 1 and name not in ("comment_1", "comment_2")]
    combinations, comments = {}, set(used)
    for number, combination in enumerate(product(*columns.values()), start=first):
        parameters = dict(zip(columns, combination, strict=True))
        short, long = comment_of({name: parameters[name] for name in varied}), comment_of(parameters)
        comment = next((text for text in (short, long) if text and text not in comments), f"{long} ({number})" if long else "")
        comments.add(comment)
        combinations[number] = {"comment_1": comment} | parameters
    return combinations


def comment_of(parameters: Mapping[str, object]) -> str:
    """Return ``crnn, learning_rate 0.001``, by which a grid names an instance."""
    plain = plain_parameters(parameters).items()
    return describe_parameters({name: value for name, value in plain if name in parameters or value is not None})
