"""Conditions on columns: what they choose, and that nothing but comparisons is allowed."""

import numpy as np
import pandas as pd
import pytest

from xval.base.errors import SettingsError
from xval.folds.condition import Condition

TABLE = pd.DataFrame(
    {
        "language": ["de", "en", "de", None],
        "age": [20.0, 60.0, np.nan, 40.0],
        "native language": ["de", "it's", "fr", "de"],
        "room": ["b", "10", None, "a"],
        "codes": ["007", "x", "010", "1e"],
    }
)


@pytest.mark.parametrize(
    ("text", "chosen"),
    [
        ('language == "de"', [1, 0, 1, 0]),
        ('language != "de"', [0, 1, 0, 0]),  # a clip without a language satisfies no comparison
        ('not language == "de"', [0, 1, 0, 1]),
        ('language in ("de", "fr") and age < 30', [1, 0, 0, 0]),
        ('language not in ["de"]', [0, 1, 0, 0]),
        ("20 < age <= 60", [0, 1, 0, 1]),
        ("age >= 20 or language == 'de'", [1, 1, 1, 1]),
        ("age > -1.5", [1, 1, 0, 1]),
        ('`native language` == "it\'s"', [0, 1, 0, 0]),
        ("language == 'a`b`'", [0, 0, 0, 0]),
        ("30 >= age or 60 > age and 40 <= age", [1, 0, 0, 1]),
        ("codes < '01'", [1, 0, 0, 0]),
        ("room == '10'", [0, 1, 0, 0]),
    ],
)
def test_rows_that_satisfy_the_comparisons_are_chosen(text: str, chosen: list[int]) -> None:
    assert Condition(text).choose(TABLE).tolist() == [bool(each) for each in chosen]


@pytest.mark.parametrize(
    "text",
    [
        "", "language", "True", "language ==", 'language = "de"', '__import__("os").system("ls") == 1', "age.real == 1",
        "age[0] == 1", "@age == 1", "age + 1 == 2", "age == language", '(lambda: 1) == "x"', 'f"{age}" == "x"', "age is 1",
        'language in "de"', "language in ()", "age == True", "age == (x := 1)", "[age for age in (1,)] == 1", "1 == 1",
        f"age < 1{400 * '0'}",
        # what Python would compute or nest for ever
        *(f"{n * sign}1 < age" for n in (300, 900) for sign in "-~+"), f"age in ({700 * '~'}1,)",
        f"age in ({90 * '['}1{90 * ']'},)", f"{240 * 'not '}age", f"{190 * '('}age{190 * ')'}", f"age < {450 * '1+'}1",
        f"age < 0x{990 * 'f'}", "age < 10**10**10", "age < 'a' * 10**10",
    ],
    ids=lambda text: f"{text[:12]}{len(text)}",
)  # fmt: skip
def test_nothing_else_is_allowed_and_refused_in_one_line(text: str) -> None:
    with pytest.raises(SettingsError, match="allowed: names of columns") as refusal:
        Condition(text)
    assert "\n" not in str(refusal.value)
    assert len(str(refusal.value)) < 700


def test_a_long_text_is_refused() -> None:
    Condition(f"age < {993 * ' '}1")
    with pytest.raises(SettingsError, match="condition of 1001 characters; at most 1000 are allowed"):
        Condition(f"age < {995 * '0'}")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'langauge == "de"',
            "no column 'langauge'. Available: age, codes, language, native language, room. Did you mean 'language'",
        ),
        ('age == "20"', "column 'age' has numbers; received '20'"),
        ("age in (20, '20')", "column 'age' has numbers; received '20'"),
        ("language == 1", r"column 'language' has texts, which need quotes; received 1\.0"),
        ("room < 9", "column 'room' cannot be compared as numbers, because 2 of its 3 cells are not numbers: 'b', 'a'. Leave"),
        ("room < '9'", "column 'room' cannot be compared as numbers"),
        ("codes == 7", "column 'codes' has texts, which need quotes"),  # 007 is a name
    ],
)
def test_what_does_not_fit_the_table_is_named(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        Condition(text).choose(TABLE)
