"""The option --import, one for all commands that look at results: what of the user's own code they may run."""

import argparse


def add_import(parser: argparse.ArgumentParser) -> None:
    """Declare the modules that are imported; see `xval.base.user_code.imports`."""
    parser.add_argument(
        "--import",
        action="append",
        default=[],
        dest="modules",
        metavar="MODULE",
        help="your own module with layers or metrics, such as my_nets or architectures.my_net: searched in the current "
        "folder, then in its folder at training. Only this code of yours is run. Repeatable",
    )
