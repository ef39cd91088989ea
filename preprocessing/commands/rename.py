"""``xval prepare rename OLD NEW``: rename a prepared dataset; results that name the old one still find it, by a note."""

from collections.abc import Sequence

from preprocessing.console import make_console
from preprocessing.options.argument_parser import Parser, add_data_folder_argument
from xval.base.config_file import default_folder
from xval.base.errors import CorpusError

_PROGRAM = "xval prepare rename"


def main(arguments: Sequence[str]) -> None:
    """Rename a corpus, and say what becomes of its results."""
    from preprocessing.corpus_folder import rename_corpus

    values = make_parser().parse_all(arguments)
    old, new = values.old, values.new
    if old == new:
        raise CorpusError(f"{old}: already has this name.")
    folder = rename_corpus(old, new, values.data_folder)
    console = make_console()
    console.print(f"Renamed    {old} to {new}: {folder}")
    results = default_folder("experiment_folder") / old
    if results.is_dir():
        console.print(
            f"Results    stay in {results}; they find the dataset by its old name, as does a script with dataset={old}"
        )
    console.print(f"Next       new experiments: --set dataset={new}")


def make_parser() -> Parser:
    """Return the parser of the command."""
    parser = Parser(
        prog=_PROGRAM,
        description="Rename a prepared dataset.\n\n"
        "Its features and results stay valid. The old name still finds it, until you prepare another dataset with that name.",
    )
    parser.add_argument("old", metavar="OLD", help="present name: data/<old>")
    parser.add_argument("new", metavar="NEW", help="new name, not used by another dataset")
    add_data_folder_argument(parser)
    return parser
