"""What pydantic calls to read and check single settings.

Comes in: the value of one setting, as config.ini or a script has it. Goes out: the value that is kept, or a ValueError that
says what is allowed.
"""

import re
from typing import TYPE_CHECKING, Literal, TypeAlias

from pydantic import ValidationInfo

from xval.base.errors import SettingsError, suggestion
from xval.folds.condition import Condition
from xval.measures.task import all_tasks
from xval.settings import architectures

if TYPE_CHECKING:
    TaskType: TypeAlias = str
else:
    TaskType = Literal[tuple(all_tasks())]  # their files say which there are
_OLDER_NAMES = {"cnn": "conv", "lstm": "rnn"}


def rename_reshaping(value: object) -> object:
    """Take the names that reshaping types had."""
    return _OLDER_NAMES.get(value, value) if isinstance(value, str) else value


def read_gpu(value: object) -> object:
    """Take 0 for "0", since the device is written either way, and refuse what is no device."""
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(text, str) and text != "cpu" and not re.fullmatch(r"\s*[0-9]+\s*(,\s*[0-9]+\s*)*", text):
        raise ValueError("allowed: a GPU number such as 0, several such as 0,1,2, or cpu")
    return text


def check_executor(name: str) -> str:
    """Refuse what is no executor."""
    if name not in (names := architectures.executor_names()):
        raise ValueError(f"no such executor. {suggestion(name, names)}")
    return name


def check_condition(text: str | None) -> str | None:
    """Refuse what is no condition."""
    try:
        return text and Condition(text).text
    except SettingsError as error:
        raise ValueError(str(error)) from error


def below_one(value: float | None) -> float | None:
    """Refuse 1 and more."""
    if value is not None and value >= 1:
        raise ValueError("allowed: above 0 and below 1, or none")
    return value


def join_names(value: object) -> object:
    """Take a list of names for the text that config.ini has."""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else value


def of_regression(value: str, info: ValidationInfo) -> str:
    """Take none where no numbers are predicted, so that results of other tasks are what they were before the setting."""
    return value if info.data.get("task_type") == "regression" else "none"
