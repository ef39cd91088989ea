"""Functions by which pydantic reads and checks single settings."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Literal, TypeAlias

from pydantic import AfterValidator, ValidationInfo

from xval.base.errors import SettingsError, suggestion
from xval.measures.task import all_tasks
from xval.settings import architectures

if TYPE_CHECKING:
    TaskType: TypeAlias = str
else:
    TaskType = Literal[tuple(all_tasks())]  # their files say which there are
_OLDER_NAMES = {"cnn": "conv", "lstm": "rnn"}


def rename_reshaping(value: object) -> object:
    """Return the reshaping type, also for its earlier name."""
    return _OLDER_NAMES.get(value, value) if isinstance(value, str) else value


def read_gpu(value: object) -> object:
    """Return a device as text, also for 0 and [0, 1]; raise an error for what is not a device."""
    if isinstance(value, list | tuple):
        value = ",".join(map(str, value))
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if isinstance(text, str) and text != "cpu" and not re.fullmatch(r"\s*[0-9]+\s*(,\s*[0-9]+\s*)*", text):
        raise ValueError("expected a GPU number such as 0, several such as 0,1,2, or cpu")
    return text


def check_executor(name: str) -> str:
    """Return the name of an executor; raise an error for any other name."""
    if name not in (names := architectures.executor_names()):
        raise ValueError(f"there is no such executor. {suggestion(name, names)}")
    return name


def reading(read: Callable[[str], str | None]) -> AfterValidator:
    """Return a validator that replaces a text by what a function returns for it; None and an empty text stay."""

    def kept(text: str | None) -> str | None:
        try:
            return text and read(text)
        except SettingsError as error:
            raise ValueError(str(error)) from error

    return AfterValidator(kept)


def join_names(value: object) -> object:
    """Return a list of names as one text, as config.ini has it; any other value as it is."""
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else value


def none_unless_regression(value: str, info: ValidationInfo) -> str:
    """Return none for tasks that predict no numbers, so that their results stay the same as before the setting existed."""
    task = all_tasks().get(str(info.data.get("task_type")))
    return value if task and task.scaled_losses else "none"
