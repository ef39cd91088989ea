"""From a folder of recordings to a ranked answer, in one command.

It prepares the corpus, writes an experiment as a script, experiments/start_<dataset>.py, and runs its instances as the steps
of a ladder, the cheapest first, all on the same folds: a constant answer; duration and level of a clip; an SVM on MFCC, and on
hand-made features for voices; a small network; a linear classifier and an SVM on the embeddings of each pretrained encoder
that is on this machine (xval prepare encoders), and, on a GPU, these fine-tuned. It stops when the time is up, and
ends with the table, the three lines and the page. The same command continues.

Edit the script, and run it or this command again: what is finished is kept.

source:
  a folder with a folder for each class; --item-pattern finds the speaker in the names of its files, --label-pattern the class
  several folders, each of which is a class
  a folder of a corpus that xval prepare knows, such as RAVDESS
  a csv, xlsx or parquet file with the columns path, item and label
  the name of a corpus that is prepared already

exit code: 0 done, or stopped when the time was up; 1 a step failed, or none was finished in the time given; 2 wrong usage or
input
"""

import argparse

from preprocessing.clips.listing import ONE, SEVERAL
from preprocessing.console import GOES_ON
from preprocessing.options.argument_parser import number_reader
from xval.backend.devices import read_device
from xval.experiment.command_line import make_wide_console
from xval.experiment.start import StartRequest, start

SUMMARY = "from a folder of recordings to a ranked answer: baselines, embeddings and a network on the same folds"
GROUP = "Start"
RUNS_OWN_CODE = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments."""
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
        help="stop after this many; 0: prepare, write the script and train nothing (default: %(default)g)",
    )
    parser.add_argument(
        "--label-pattern", metavar="REGEX", help="finds the class in the path of a file, if folders are not classes"
    )
    parser.add_argument(
        "--item-pattern", metavar="REGEX", help="finds the speaker in the path of a file: '([^/_]+)_[0-9]+[.]wav'"
    )
    parser.add_argument(
        "--labels", metavar="A,B", help="the class of each folder, where several are given (default: their names)"
    )
    parser.add_argument("--classes", metavar="A,B", help="use only the clips of these classes (default: all)")
    parser.add_argument(
        "--similar-names",
        choices=(ONE, SEVERAL),
        help="treat speakers, or classes, that differ only in notation (1 and 01, spk_1 and spk-1) as one or as several "
        "(default: ask)",
    )
    parser.add_argument("--reader", metavar="NAME", help="of the folder: one of xval prepare (default: the one that knows it)")
    parser.add_argument("--dataset", metavar="NAME", help="name of the dataset (default: that of the folder or table)")
    parser.add_argument("--gpu", type=read_device, metavar="ID", help="0, 1, ..., or cpu (default: as config.ini says)")


def run(options: argparse.Namespace) -> int:
    """Run the ladder."""
    try:
        return start(StartRequest(**vars(options)), make_wide_console())
    except KeyboardInterrupt as stopped:
        raise KeyboardInterrupt(str(stopped) or GOES_ON) from stopped
