"""From audio to feature stores: corpora, decoding, features and the store that experiments read.

From Python: `preprocessing.prepare`, and `preprocessing.store.write` for arrays by item.
"""

from typing import TYPE_CHECKING

from xval.base.terminal import report_mistakes_in_one_line

if TYPE_CHECKING:
    from preprocessing.commands.prepare import prepare as prepare

# Whichever part of the project a script imports, it comes by here.
report_mistakes_in_one_line()


def __getattr__(name: str) -> object:
    from importlib import import_module

    if name == "store":  # without a separate import
        return import_module("preprocessing.store")
    if name == "prepare":
        report_mistakes_in_one_line()  # as `xval` does, should another have put the usual hook back
        return import_module("preprocessing.commands.prepare").prepare
    message = f"module 'preprocessing' has no attribute '{name}'"
    raise AttributeError(message)
