"""Prepare a folder of recordings, train baselines and networks on it, and rank them, in one command.

The command prepares the dataset and writes an experiment script, experiments/start_<dataset>.py. Then it runs the instances
of the script, the cheapest first, all on the same folds:
  1. a constant prediction
  2. duration and level of a clip
  3. an SVM on MFCC, and for voices an SVM on hand-made features
  4. a small network
  5. a linear classifier and an SVM on embeddings, for each available pretrained encoder (xval prepare encoders)
  6. on a GPU, these encoders fine-tuned
It stops when the time is up. It prints the table and the lines Result, Evidence and Next, and writes the page report.html.
The same command continues.

To change the experiment, edit the script and run it, or this command, again. Finished results are kept.

source:
  a folder with one folder per class; --item-pattern finds the speaker in the names of the files, --label-pattern the class
  several folders, each of which is a class
  the folder of a corpus for which xval prepare has a reader, such as RAVDESS
  a csv, xlsx or parquet file with the columns path, item and label
  the name of a prepared dataset

exit code: 0 done, or stopped because the time was up; 1 a step failed, or none was finished in time; 2 wrong usage or input
"""

import argparse

from preprocessing.clips.listing import ONE, SEVERAL
from preprocessing.console import GOES_ON
from preprocessing.options.argument_parser import number_reader
from xval.backend.devices import read_device
from xval.experiment.command_line import make_wide_console

SUMMARY = "prepare a folder of recordings, and rank baselines, embeddings and a network on it"
NAME = "quickstart"
RUNS_OWN_CODE = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `xval quickstart` to a parser."""
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="recordings, a table of clips, or the name of a prepared dataset; or the folder of each class",
    )
    parser.add_argument(
        "--minutes",
        type=number_reader("--minutes"),
        default=30.0,
        metavar="N",
        help="stop after this many minutes; 0: prepare the dataset and write the script only (default: %(default)g)",
    )
    parser.add_argument(
        "--label-pattern", metavar="REGEX", help="finds the class in the path of a file, if folders are not classes"
    )
    parser.add_argument(
        "--item-pattern", metavar="REGEX", help="finds the speaker in the path of a file: '([^/_]+)_[0-9]+[.]wav'"
    )
    parser.add_argument("--labels", metavar="A,B", help="the class of each folder, if several are given (default: their names)")
    parser.add_argument("--classes", metavar="A,B", help="use only the clips of these classes (default: all)")
    parser.add_argument(
        "--similar-names",
        choices=(ONE, SEVERAL),
        help="treat speakers, or classes, that differ only in notation (1 and 01, spk_1 and spk-1) as one or as several "
        "(default: ask)",
    )
    parser.add_argument("--reader", metavar="NAME", help="reader of the folder, see xval prepare (default: the one that fits)")
    parser.add_argument("--dataset", metavar="NAME", help="name of the dataset (default: that of the folder or table)")
    parser.add_argument("--gpu", type=read_device, metavar="ID", help="0, 1, ..., or cpu (default: that of config.ini)")


def run(options: argparse.Namespace) -> int:
    """Prepare the dataset, and run the steps until the time is up."""
    from xval.extras.quickstart.start import StartRequest, start  # here, because it loads pandas

    try:
        return start(StartRequest(**vars(options)), make_wide_console())
    except KeyboardInterrupt as stopped:
        raise KeyboardInterrupt(str(stopped) or GOES_ON) from stopped
