"""Copy each search into a database for Optuna's own tools, such as its dashboard, while the search runs.

`search_storage` of the settings is a URL of SQLAlchemy, in which ``${NAME}`` is an environment variable. xval never reads this
copy: the records of the trials decide what runs next.
"""

import re
from os import environ
from typing import TYPE_CHECKING

from xval.base.errors import SettingsError

if TYPE_CHECKING:
    import optuna

_VARIABLE = re.compile(r"\$\{(\w+)\}")


def open_storage(url: str) -> "optuna.storages.BaseStorage":
    """Open the database at a URL such as ``postgresql://me:${PASSWORD}@host/searches``, and make missing tables.

    Raises:
        SettingsError: A variable is not set, or the database cannot be opened; the message does not show values of variables.
    """
    import optuna

    if missing := [name for name in _VARIABLE.findall(url) if name not in environ]:
        raise SettingsError(f"search_storage={url}: the environment variable {missing[0]} is not set.")
    try:
        return optuna.storages.RDBStorage(_VARIABLE.sub(lambda match: environ[match[1]], url))
    except Exception as error:  # noqa: BLE001 - whatever a driver of a data base raises
        reason = hide_values(url, str(error).partition("\n")[0])
        raise SettingsError(f"search_storage={url}: cannot be opened ({type(error).__name__}: {reason}).") from None


def hide_values(url: str, text: str) -> str:
    """Return a text without the values of the variables of a URL."""
    for name in _VARIABLE.findall(url):
        text = text.replace(environ[name], f"${{{name}}}") if environ.get(name) else text
    return text


def copy_study(study: "optuna.Study", storage: "optuna.storages.BaseStorage", name: str) -> None:
    """Write a study to a storage, replacing an earlier copy with the same name."""
    import optuna

    if name in optuna.get_all_study_names(storage):
        optuna.delete_study(study_name=name, storage=storage)
    optuna.copy_study(from_study_name=study.study_name, from_storage=study._storage, to_storage=storage, to_study_name=name)
