"""The texts of cells."""

from xval.answers.summary import parameter_value
from xval.report.workbook.cells import metric_format, plain_text, text_width, title_of


def test_forbidden_characters_are_shown_as_escapes():
    assert plain_text("a\x00b\x07\x1f\ud800\ufffe\tc\nd") == "a\\x00b\\x07\\x1f\\ud800\\ufffe\tc\nd"


def test_long_text_is_cut_and_says_so():
    assert plain_text("x" * 32_767) == "x" * 32_767
    cut = plain_text("x" * 32_768)
    assert len(cut) == 32_767
    assert cut.endswith("x … [cut]")


def test_long_text_is_counted_as_excel_counts_and_no_character_is_halved():
    cut = plain_text("x" + "🎧" * 20_000)
    assert len(cut.encode("utf-16-le")) // 2 <= 32_767
    assert cut.endswith("🎧 … [cut]")


def test_parameters_look_as_in_the_config_file():
    assert [parameter_value(value) for value in (None, [8, 16], (), 0.5, "auto", False)] == [
        "none",
        "8, 16",
        "",
        0.5,
        "auto",
        False,
    ]


def test_errors_show_their_digits_when_they_are_small_and_scores_do_not():
    assert metric_format(True) == "0.000"
    assert metric_format(False) == metric_format(None) == "[=0]0.000;[<0.001]0.0E+00;0.000"


def test_titles_name_the_instance_and_stay_short():
    assert title_of(3, "reg 0.01") == "reg 0.01 (instance 3)"
    long = title_of(3, "x\x00" * 400)
    assert len(long) == 80
    assert "\x00" not in long


def test_widths_show_the_longest_line_within_limits():
    assert text_width(["a", "twelve chars"]) == 14
    assert text_width(["x" * 99, 0.1 + 0.2]) == 40
    assert text_width([0.1 + 0.2, None]) == 8
