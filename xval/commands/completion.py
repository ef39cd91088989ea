"""Print a script with which the Tab key completes commands, options and files in a shell.

It works for the installed programs: xval, and xval-preprocessing and xval-augmentation (the commands prepare and augment).

  xval completion bash > ~/.xval_completion; echo '. ~/.xval_completion' >> ~/.bashrc
  xval completion zsh > ~/.xval_completion; echo 'eval "$(cat ~/.xval_completion)"' >> ~/.zshrc
  xval completion fish > ~/.config/fish/completions/xval.fish

To include the corpora of your own study, run this command in its folder.
"""

import argparse
import sys
from pathlib import Path
from typing import Any

import shtab

from augmentation import command_line as augmentation
from preprocessing import commands, corpora
from preprocessing.commands import convert, encoders, make, rename, show
from preprocessing.options.argument_parser import Parser
from xval.commands import command_names, find_command

SUMMARY = "print a script that completes commands and options in bash, zsh, fish or tcsh"
GROUP = "Maintain"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    parser.add_argument("shell", choices=shtab.SUPPORTED_SHELLS, help="the shell")


def run(options: argparse.Namespace) -> int:
    """Print the script."""
    for parser in (_xval(), _preprocessing(), _augmentation()):
        sys.stdout.write(shtab.complete(parser, shell=options.shell) + "\n")
    return 0


def _xval() -> Parser:
    root = Parser(prog="xval")
    below = root.add_subparsers()
    for name in command_names():
        command = find_command(name)
        parser = below.add_parser(name, help=command.SUMMARY, **_parents(name))
        if name == "prepare":
            _add_preprocessing(parser)
        elif name != "augment":
            command.add_arguments(parser)
        _complete_files(parser)
    return root


def _parents(name: str) -> dict[str, Any]:
    return {"parents": [augmentation.make_parser()], "add_help": False} if name == "augment" else {}


def _preprocessing() -> Parser:
    root = Parser(prog="xval-preprocessing")
    _add_preprocessing(root)
    return root


def _add_preprocessing(root: Parser) -> None:
    below = root.add_subparsers()
    for name in corpora.corpus_names():
        _add(below, name, make.make_parser(name)[0], corpora.summarise_corpus(name))
    for name, command in (("show", show), ("convert", convert), ("rename", rename), ("encoders", encoders)):
        _add(below, name, command.make_parser(), commands.COMMANDS[name])


def _augmentation() -> Parser:
    root = Parser(prog="xval-augmentation", **_parents("augment"))
    _complete_files(root)
    return root


def _add(below: "argparse._SubParsersAction[Parser]", name: str, parser: Parser, text: str) -> None:
    _complete_files(below.add_parser(name, parents=[parser], add_help=False, help=text.replace("%", "%%")))


def _complete_files(parser: argparse.ArgumentParser) -> None:
    """Make shtab complete files for arguments that are paths."""
    for action in parser._actions:  # argparse has no other list of them
        if action.type is Path:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
