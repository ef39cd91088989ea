"""The commands of ``xval prepare``, a file each; make.py runs where a corpus is named instead of a command."""

from collections.abc import Sequence
from importlib import import_module

from preprocessing.corpora import corpus_names
from xval.base.errors import SettingsError

COMMANDS = {
    "show": "draw a clip as a model reads it: waveform, spectrogram, windows",
    "rename": "rename a prepared dataset",
    "encoders": "list pretrained encoders and download their files",
    "convert": "write wav copies of the audio files in a folder",
}
"""The commands and what they do; each is a file of this folder with a function main(arguments)."""


def carry_out(arguments: Sequence[str]) -> int | None:
    """Carry out what follows ``xval prepare``; return the exit code, where a command has one."""
    if arguments[:1] in (["check"], ("check",)) and "check" not in corpus_names():  # as it was before
        raise SettingsError(f"'check' is no command. Type: xval prepare {' '.join(arguments[1:]) or 'CORPUS ...'} --check")
    is_command = bool(arguments) and arguments[0] in COMMANDS
    name = arguments[0] if is_command else "make"
    code: int | None = import_module(f"{__name__}.{name}").main(arguments[1:] if is_command else arguments)
    return code
