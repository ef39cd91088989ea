"""Command lines: words around options, and what is said of a word too many."""

import pytest

from preprocessing.options.argument_parser import Parser
from xval.base.errors import SettingsError
from xval.commands import find_command
from xval.commands.ensemble import _read_numbers


def parse(name, *arguments):
    parser = Parser(prog=name)
    find_command(name).add_arguments(parser)
    return parser.parse_all(arguments)


def test_options_may_stand_between_the_words():
    found = parse("report", "results", "--latex", "1", "2", "--baseline", "3")

    assert (str(found.folder), found.instances, found.baseline, found.latex) == ("results", [1, 2], 3, True)


def test_an_ensemble_takes_numbers_with_spaces_or_commas_between_them():
    assert [_read_numbers(parse("ensemble", "results", *words).instances) for words in (("1", "2", "3"), ("1,2,3",))] == [
        [1, 2, 3]
    ] * 2


def test_a_word_too_many_may_be_of_a_path_without_quotes():
    with pytest.raises(SettingsError, match=r"Unexpected 'recordings': .*\. A path with spaces needs quotes around it"):
        parse("rebuild", "my", "recordings")
    with pytest.raises(SettingsError, match=r"Unexpected '3': .* FOLDER$"):
        parse("rebuild", "results", "3")
    with pytest.raises(SettingsError, match=r"Unknown option --latx.*Did you mean '--latex'"):
        parse("report", "results", "--latx", "1")
