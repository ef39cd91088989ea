"""Read ``name = value`` lines of scripts and command lines, which are never executed."""

from collections.abc import Iterable

from xval.base.errors import SettingsError
from xval.base.literals import read_literal


def parse_assignments(assignments: Iterable[str], where: str) -> dict[str, object]:
    """Read the older form of an instance, a list of ``'name="value"'`` texts; nothing is executed.

    The values are Python literals; `where` is named in errors.
    """
    values: dict[str, object] = {}
    for text in assignments:
        name, equals, literal = str(text).partition("=")
        name = name.strip()
        if not equals or not name.isidentifier():
            raise SettingsError(f"{where}: received {text!r}; expected an assignment such as 'learning_rate=\"0.001\"'.")
        try:
            value = read_literal(literal.strip())
        except (ValueError, SyntaxError) as error:
            raise SettingsError(
                f'{where}: the value of {text!r} is not a literal. Write a number or a quoted text: {name}="...".'
            ) from error
        if name in values:
            raise SettingsError(f"{where}: '{name}' comes twice.")
        values[name] = value
    return values
