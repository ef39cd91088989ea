"""Write a saved model as ONNX, TensorFlow SavedModel or TFLite, or its weights alone, and check that it gives the same output.

MODEL is a .keras file or its fold folder. The export appears under its name only when its answers to random inputs, run by
onnxruntime, TensorFlow or LiteRT, are those of the Keras model; beside it (in a SavedModel: in its folder) lies the model's
description, with the features that it reads and the names of its classes. Models that make their spectrograms themselves read
samples in every format; with --from-samples others do, too, whose features are logmel or stft of whole clips, and the last
column of the answers is the novelty, where the model knows it. With recurrent layers, TFLite reads one example at a time.
weights_h5 are the weights alone, for load_weights of a Keras model that is built alike. ONNX and TFLite need the optional part
'export': pip install -e '.[export]' in the folder of the project.
"""

import argparse
from pathlib import Path

from preprocessing.console import make_console
from xval.base.errors import SettingsError
from xval.commands._model_arguments import add_model_path
from xval.commands._own_modules import add_import
from xval.reuse.export.formats import FORMATS
from xval.reuse.export.write import export_model

SUMMARY = "write a model as ONNX, SavedModel, TFLite or weights, and check that it gives the same output"
GROUP = "Models"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_model_path(parser)
    add_import(parser)
    parser.add_argument("--format", metavar="|".join(FORMATS), help="what to write (default: by the ending of --output)")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="PATH",
        help="where to, such as net.onnx (default: <dataset>_instance_<i>_fold_<k>... next to the results)",
    )
    parser.add_argument(
        "--from-samples",
        action="store_true",
        help="include the front end, so that the export reads the samples of a clip, mono and at the model's sample rate",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an export that already exists")


def run(options: argparse.Namespace) -> int:
    """Export, and say what was written and how well it agrees."""
    export = export_model(
        options.model,
        options.format or _format_of(options.output),
        options.output,
        overwrite=options.overwrite,
        from_samples=options.from_samples,
    )
    shape = ", ".join("any" if size is None else str(size) for size in export.input_shape)
    agreement = export.agreement
    make_console().print(
        f"Written: {export.path} (input {shape}), described in {export.description}\n"
        f"Checked on {agreement.n_batches} batches of random input: the outputs differ by at most "
        f"{agreement.difference:.1e} from those of the Keras model (allowed: {agreement.tolerance:.1e})"
    )
    return 0


def _format_of(output: Path | None) -> str:
    """Return the format of which a path has the ending."""
    for export_format in FORMATS.values():
        if output is not None and output.name.endswith(export_format.ending):
            return export_format.name
    endings = ", ".join(export_format.ending for export_format in FORMATS.values())
    received = "" if output is None else f"received --output {output}; "
    raise SettingsError(
        f"{received}expected --format {' or '.join(FORMATS)}, or --output with a name that ends in one of {endings}."
    )
