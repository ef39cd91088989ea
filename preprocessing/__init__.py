"""From audio to feature stores: corpora, decoding, features and the store that experiments read.

From Python: `preprocessing.prepare`, and `preprocessing.store.write` for arrays by item.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from preprocessing.commands.prepare import prepare as prepare


def __getattr__(name: str) -> object:
    if name == "prepare":
        from importlib import import_module

        from preprocessing.console import report_mistakes_in_one_line

        report_mistakes_in_one_line()
        return import_module("preprocessing.commands.prepare").prepare
    message = f"module 'preprocessing' has no attribute '{name}'"
    raise AttributeError(message)
