"""Share a model: a folder with the model as ONNX and LiteRT, a page that runs it in a browser, model card and evidence.

MODEL is a .keras file, a model.skops, or the fold folder of either; with --hub also a bundle. The ONNX and LiteRT files read
samples and compute the features themselves. Both must give the same output as the Keras model, or no bundle is written.
README.md is the model card, with the front matter of the Hugging Face Hub. ro-crate-metadata.json describes the folds,
records and code in evidence/. SHA256SUMS has a checksum of each file. Estimators of scikit-learn, also those that combine
networks, have no ONNX or LiteRT file; xval runs them from the folder.

The page, index.html, needs onnxruntime-web, which is not part of xval: npm pack onnxruntime-web@1.30.0 makes a .tgz file.
Exports need the optional part 'export': pip install -e '.[export]' in the folder of the project.

--hub OWNER/NAME lists the files that an upload to the Hugging Face Hub would send, compares those of a bundle with their
checksums, and prints the command of huggingface_hub that uploads them. Upload them yourself, because the files become public,
name speakers and contain code.

exit code: 0 done; with --hub 1 if a file of the bundle has changed since it was written
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from preprocessing.console import EXIT_FAILED, make_console
from xval.base.errors import SettingsError, counted
from xval.base.operating_system import quote
from xval.commands._model_arguments import add_model_path
from xval.commands._own_modules import add_import

if TYPE_CHECKING:
    from xval.extras.bundle.write import Bundle

SUMMARY = "share a model: ONNX, LiteRT, a page that runs it, card, evidence and checksums in one folder"
NAME = "bundle"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_model_path(parser)
    add_import(parser)
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help="folder of the bundle (default: <dataset>_instance_<i>_fold_<k>_bundle next to the results)",
    )
    parser.add_argument("--zip", action="store_true", help="also write the folder as FOLDER.zip")
    parser.add_argument(
        "--licence", default="", metavar="NAME", help="licence of the model, such as mit or cc-by-4.0 (default: unknown)"
    )
    parser.add_argument(
        "--onnxruntime-web",
        type=Path,
        metavar="PATH",
        help="the package onnxruntime-web, a .tgz file or a folder; needed for the page",
    )
    parser.add_argument(
        "--hub", metavar="OWNER/NAME", help="list the files to upload there, and print the command that uploads them"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing bundle")


def run(options: argparse.Namespace) -> int:
    """Write the bundle and print its files; with ``--hub`` list the files to upload, and return 1 if one has changed."""
    from xval.extras.bundle.write import is_bundle

    if options.hub is None:
        _make(options)
        return 0
    if options.hub.count("/") != 1:
        raise SettingsError(f"--hub {options.hub}: expected OWNER/NAME, as the Hub names it.")
    return _list_upload(options.model if is_bundle(options.model) else _make(options).folder, options.hub)


def _list_upload(folder: Path, repository: str) -> int:
    """List the files of a bundle and print the command that uploads them; return 1 if a file differs from its checksum."""
    from xval.extras.bundle.checksums import find_changes
    from xval.extras.bundle.write import CARD_NAME

    console = make_console()
    if changes := find_changes(folder):
        for line in changes:
            console.print(f"{folder}: {line}", soft_wrap=True, markup=False)
        console.print("Make the bundle again, or find out who has changed it.")
        return EXIT_FAILED
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    for path in files:
        console.print(
            f"{path.stat().st_size / 1e6:9.3f} MB  {path.relative_to(folder).as_posix()}", soft_wrap=True, markup=False
        )
    total = sum(path.stat().st_size for path in files)
    console.print(f"{counted(len(files), 'file')}, {total / 1e6:.1f} MB; {CARD_NAME} is the card. Nothing was uploaded.")
    console.print(f"To upload (after hf auth login): hf upload {quote(repository)} {quote(str(folder))} .", soft_wrap=True)
    return 0


def _make(options: argparse.Namespace) -> "Bundle":
    """Write the bundle that the arguments describe, and print its files, the differences of its exports and its notes."""
    from xval.extras.bundle.page import HOW_TO_GET
    from xval.extras.bundle.write import BundleRequest, write_bundle

    request = BundleRequest(options.output, options.zip, options.licence.strip(), options.onnxruntime_web, options.overwrite)
    bundle = write_bundle(options.model, request)
    sizes = [path.stat().st_size for path in bundle.folder.rglob("*") if path.is_file()]
    lines = [f"Written: {bundle.folder} ({counted(len(sizes), 'file')}, {sum(sizes) / 1e6:.1f} MB)"]
    if bundle.zip_file:
        lines.append(f"Written: {bundle.zip_file} ({bundle.zip_file.stat().st_size / 1e6:.1f} MB)")
    lines += [
        f"{name}: predictions differ by at most {difference:.1e} from those of the Keras model, on random clips"
        for name, difference in bundle.differences.items()
    ]
    lines += bundle.notes
    if bundle.differences and not request.runtime:
        lines.append(f"index.html is skipped, because it needs onnxruntime-web. {HOW_TO_GET}.")
    if not request.licence:
        lines.append("The licence is unknown. Give it with --licence NAME.")
    make_console().print("\n".join(lines), soft_wrap=True, markup=False)
    return bundle
