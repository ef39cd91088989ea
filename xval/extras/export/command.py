"""Write a saved model as ONNX, TensorFlow SavedModel or TFLite, or only its weights, and check that it gives the same output.

MODEL is a .keras file or its fold folder. The exported model is run by onnxruntime, TensorFlow or LiteRT on random inputs. It
is stored only if its predictions are those of the Keras model. A description of the model is stored next to it (in the folder
of a SavedModel), with the features that it reads and the names of its classes.

Models that compute their spectrograms themselves read samples in every format. With --from-samples others do too, if their
features are logmel or stft of whole clips. The last column of the output is then the out-of-distribution score (novelty), if
the model has one. TFLite models with recurrent layers read one example at a time. weights_h5 has only the weights, for
load_weights of a Keras model with the same layers. ONNX and TFLite need the optional part 'export': pip install -e
'.[export]' in the folder of the project.
"""

import argparse
from pathlib import Path

from preprocessing.console import make_console
from xval.base.errors import SettingsError
from xval.commands._model_arguments import add_model_path
from xval.commands._own_modules import add_import
from xval.extras.export.formats import FORMATS

SUMMARY = "write a model as ONNX, SavedModel, TFLite or weights, and check its output"
NAME = "export"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
    add_model_path(parser)
    add_import(parser)
    parser.add_argument("--format", metavar="|".join(FORMATS), help="what to write (default: by the ending of --output)")
    parser.add_argument(
        "--output",
        type=Path,
        metavar="PATH",
        help="file or folder to write, such as net.onnx (default: <dataset>_instance_<i>_fold_<k>... next to the results)",
    )
    parser.add_argument(
        "--from-samples",
        action="store_true",
        help="include the feature extraction, so that the export reads samples, mono and at the model's sample rate",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace an existing export")


def run(options: argparse.Namespace) -> int:
    """Export the model, and print the written files and the largest difference of the outputs."""
    from xval.extras.export.write import export_model

    export = export_model(
        options.model,
        options.format or _format_from_ending(options.output),
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


def _format_from_ending(output: Path | None) -> str:
    """Return the name of the format whose ending a path has; raises SettingsError if there is none."""
    for export_format in FORMATS.values():
        if output is not None and output.name.endswith(export_format.ending):
            return export_format.name
    endings = ", ".join(export_format.ending for export_format in FORMATS.values())
    received = "" if output is None else f"received --output {output}; "
    raise SettingsError(
        f"{received}expected --format {' or '.join(FORMATS)}, or --output with a name that ends in one of {endings}."
    )
