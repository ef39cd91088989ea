"""Lay a model out as a repository of the Hugging Face Hub, and list what an upload would send. Nothing is uploaded.

MODEL is a bundle, whose files are held against their checksums; or a model, which is bundled first, with the options of
`python -m xval bundle`. An upload makes files public that name speakers and hold code, so it stays with you: the command of
huggingface_hub for it is printed.

exit code: 1 where a file of the bundle is not as it was written
"""

import argparse

from preprocessing.console import make_console
from xval.base.errors import SettingsError, counted
from xval.base.operating_system import quote
from xval.commands import bundle

SUMMARY = "lay a model out as a repository of the Hugging Face Hub, and list what would be uploaded"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    bundle.add_arguments(parser)
    parser.add_argument("--dry-run", action="store_true", help="needed: say what would be uploaded, and upload nothing")
    parser.add_argument(
        "--repository", default="OWNER/NAME", metavar="OWNER/NAME", help="of the Hub, for the command that is printed"
    )


def run(options: argparse.Namespace) -> int:
    """List the files of a bundle."""
    from xval.report.bundle.checksums import find_changes
    from xval.report.bundle.write import CARD_NAME, is_bundle

    if not options.dry_run:
        raise SettingsError("publish uploads nothing: add --dry-run; it prints the command that uploads.")
    if options.repository.count("/") != 1:
        raise SettingsError(f"--repository {options.repository}: expected OWNER/NAME, as the Hub names it.")
    console = make_console()
    folder = options.model if is_bundle(options.model) else bundle.make(options).folder
    if changes := find_changes(folder):
        for line in changes:
            console.print(f"{folder}: {line}", soft_wrap=True, markup=False)
        console.print("Make the bundle again, or find out who has changed it.")
        return 1
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in files:
        console.print(
            f"{path.stat().st_size / 1e6:9.3f} MB  {path.relative_to(folder).as_posix()}", soft_wrap=True, markup=False
        )
    total = sum(path.stat().st_size for path in files)
    console.print(f"{counted(len(files), 'file')}, {total / 1e6:.1f} MB; {CARD_NAME} is the card. Nothing was uploaded.")
    console.print(
        f"To upload (after hf auth login): hf upload {quote(options.repository)} {quote(str(folder))} .", soft_wrap=True
    )
    return 0
