"""The option --import for all commands that show results: the user's modules that they may import."""

import argparse


def add_import(parser: argparse.ArgumentParser) -> None:
    """Declare the option for modules to import; see `xval.base.user_code.imports`."""
    parser.add_argument(
        "--import",
        action="append",
        default=[],
        dest="modules",
        metavar="MODULE",
        help="your own module with layers or metrics, such as my_nets or architectures.my_net: searched in the current "
        "folder, then in its folder at training. Only this code of yours is run. Repeatable",
    )
