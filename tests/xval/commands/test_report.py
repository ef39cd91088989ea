"""xval report: the page anew, or the table for a paper."""

import re


def test_the_page_is_written_anew_where_the_results_lie_now(results, command, finished, monkeypatch):
    (results / "report.html").unlink()
    monkeypatch.chdir(finished.folder)

    ended = command("report", results, "--no-audio")

    assert ended.code == 0
    assert f"{results}/report.html: 0." in ended.out.replace("\n", "")
    assert "<audio" not in (results / "report.html").read_text(encoding="utf-8")


def test_the_table_lists_the_chosen_instances_and_the_baseline(results, command, count_reads):
    ended = command("report", results, "3", "--baseline", "2", "--markdown", "--latex")

    lines = ended.out.splitlines()
    assert ended.code == 0
    names = [line.split(" | ")[0].strip("| ") for line in lines if line.startswith("| ")][2:]
    assert names[0] == "chosen among 3, nested"
    assert re.fullmatch(r".+, selected \(bias [+-]0\.\d{3}\)", names[1])
    assert len(names) == 3
    assert r"\toprule" in ended.out
    assert "Compared with =global: " in ended.out
    assert list(count_reads("record.json").values()) == [1] * 6


def test_what_has_no_meaning_is_refused(results, command):
    ended = command("report", results, "7", "--latex")
    assert (ended.code, "there is no instance 7. Available: 1-3" in ended.err) == (2, True)

    ended = command("report", results, "1")
    assert (ended.code, "Add --latex or --markdown: xval report" in ended.err) == (2, True)
