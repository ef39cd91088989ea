"""Command lines: words around options, and what is said of a word too many."""

import pytest

from preprocessing.commands.make import make_parser
from preprocessing.options.argument_parser import Parser
from xval.base.errors import SettingsError
from xval.commands import find_command


def parse(name, *arguments):
    parser = Parser(prog=name)
    find_command(name).add_arguments(parser)
    return parser.parse_all(arguments)


def test_options_may_stand_between_the_words():
    found = parse("report", "results", "--latex", "1", "2", "--baseline", "3")

    assert (found.experiment, found.instances, found.baseline, found.latex) == ("results", ["1", "2"], 3, True)


def test_a_word_too_many_may_be_of_a_path_without_quotes():
    with pytest.raises(SettingsError, match=r"Unexpected 'recordings': .*\. A path with spaces needs quotes around it"):
        parse("audit", "my", "recordings")
    with pytest.raises(SettingsError, match=r"Unexpected '3': .* EXPERIMENT$"):
        parse("audit", "results", "3")
    with pytest.raises(SettingsError, match=r"Unknown option --latx.*Did you mean '--latex'"):
        parse("report", "results", "--latx", "1")


def test_a_value_may_begin_with_a_dash():
    for pattern in (r"-([0-9]+)\.wav$", "--([a-z]+)[.]", "-", "-(a)=b"):
        found = parse("evaluate", "model", "data", "--item-pattern", pattern, "--leave-out-seen")
        assert (found.item_pattern, found.leave_out_seen, found.data) == (pattern, True, ["data"])
        parser, _ = make_parser("folders")
        found = parser.parse_all(["--item-pattern", pattern, "--label-pattern", "-([a-z]+)", "recordings"])
        assert (found.item_pattern, found.label_pattern, [str(folder) for folder in found.audio_folder]) == (
            pattern,
            "-([a-z]+)",
            ["recordings"],
        )
    assert parse("evaluate", "model", "--items", "a", "--", "-data").data == ["-data"]


def test_a_value_that_looks_like_an_option_is_asked_for_with_an_equals_sign():
    with pytest.raises(
        SettingsError,
        match=r"--item-pattern: expected one argument, as in --item-pattern REGEX\. .* as in --item-pattern=-\.\.\. See",
    ):
        parse("evaluate", "model", "data", "--item-pattern", "--take")
    assert parse("evaluate", "model", "data", "--item-pattern=--take").item_pattern == "--take"
    with pytest.raises(SettingsError, match="--item-pattern: expected one argument"):
        parse("evaluate", "model", "data", "--item-pattern", "--leave-out-seen")
