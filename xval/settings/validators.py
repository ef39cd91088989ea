"""What pydantic calls to read and check single settings.

Comes in: the value of one setting, as config.ini or a script has it. Goes out: the value that is kept, or a ValueError that
says what is allowed.
"""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from pydantic import AfterValidator, ValidationInfo
from pydantic_core import PydanticKnownError

from xval.base.errors import SettingsError, suggestion
from xval.base.user_code import definitions
from xval.folds.plan import Strategy
from xval.measures.task import all_tasks
from xval.settings import architectures

if TYPE_CHECKING:
    TaskType: TypeAlias = str
else:
    TaskType = Literal[tuple(all_tasks())]  # their files say which there are
_OLDER_NAMES = {"cnn": "conv", "lstm": "rnn"}
_NAMES_OF_SCIKIT_LEARN = {
    "leaveonegroupout": "leave_one_out", "stratifiedgroup": "balanced", "stratifiedgroupkfold": "balanced",
    "predefinedsplit": "predefined", "groupshufflesplit": "holdout",
}  # fmt: skip


def rename_reshaping(value: object) -> object:
    """Take the names that reshaping types had."""
    return _OLDER_NAMES.get(value, value) if isinstance(value, str) else value


def read_strategy(value: object) -> object:
    """Take scikit-learn's names of strategies that are built in, and refuse what is none of them and no dotted path."""
    name = value if isinstance(value, str) else ""
    name = _NAMES_OF_SCIKIT_LEARN.get(name.replace("_", "").lower(), name)
    if name not in get_args(Strategy) and not definitions.is_dotted(name):
        listed = [f"'{strategy}'" for strategy in get_args(Strategy)]
        raise PydanticKnownError("literal_error", {"expected": f"{', '.join(listed[:-1])} or {listed[-1]}"})
    return name


def read_gpu(value: object) -> object:
    """Take 0 for "0" and [0, 1] for "0,1", since the device is written either way, and refuse what is no device."""
    if isinstance(value, list | tuple):
        value = ",".join(map(str, value))
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(text, str) and text != "cpu" and not re.fullmatch(r"\s*[0-9]+\s*(,\s*[0-9]+\s*)*", text):
        raise ValueError("expected a GPU number such as 0, several such as 0,1,2, or cpu")
    return text


def check_executor(name: str) -> str:
    """Refuse what is no executor."""
    if name not in (names := architectures.executor_names()):
        raise ValueError(f"there is no such executor. {suggestion(name, names)}")
    return name


def reading(read: Callable[[str], str | None]) -> AfterValidator:
    """Return a validator that keeps a text, if there is one, as a function returns it that knows its form."""

    def kept(text: str | None) -> str | None:
        try:
            return text and read(text)
        except SettingsError as error:
            raise ValueError(str(error)) from error

    return AfterValidator(kept)


def below_one(value: float | None) -> float | None:
    """Refuse 1 and more."""
    if value is not None and value >= 1:
        raise ValueError("expected a number above 0 and below 1, or none")
    return value


def join_names(value: object) -> object:
    """Take a list of names for the text that config.ini has."""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else value


def of_regression(value: str, info: ValidationInfo) -> str:
    """Take none where no numbers are predicted, so that results of other tasks are what they were before the setting."""
    task = all_tasks().get(str(info.data.get("task_type")))
    return value if task and task.scaled_losses else "none"
