"""Names, archives, patterns, addresses and saved files that were made to do harm.

Comes in: a project, a secret beside it, and what draws. Goes out: an `Attack`. What runs something makes ``canary`` in the
current folder.
"""

import gzip
import io
import random
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd
from _attack import END, TABLE, Attack
from _scenarios import EXPERIMENT
from _tampers import CANARY, PICKLE

INVISIBLE = "\u202e\u200b"
NAMES = (
    "<img src=x onerror=alert(1)>", "[a](javascript:alert(1))", f"a{INVISIBLE}b", "\x1b[31mred\x9b2J", "=1+1", "a|b*c_d`e`",
    r"50 % & 3_4 #1 $x$ {a} ~^ \end{table}", "n" * 10_000, "../../canary", "😀 中文 עברית",
)  # fmt: skip
_FOLD = f"{EXPERIMENT}/instance_1/fold_1"


def deep_condition(project: Path, secret: Path, rng: random.Random) -> Attack:
    condition = rng.choice(
        [
            "-" * 20_000 + "1 < age",
            "(" * 5000 + "age" + ")" * 5000,
            "not " * 20_000 + "age",
            " and ".join(["age"] * 50_000),
            "__import__('os').system('touch canary')",
        ]
    )
    return Attack(f"train_where={condition[:40]}...", [("exp.py", "--set", f"train_where={condition}")], (2,))


def names(project: Path, secret: Path, rng: random.Random) -> Attack:
    """Names of classes, speakers and comments, in all that is printed and written of them."""
    name, column = rng.choice(NAMES), rng.choice(["item", "label", "comment"])
    script, table = project / "exp.py", project / "audio" / "toy.csv"
    if column == "comment":
        script.write_text(script.read_text().replace("experiment[1] = {", f"experiment[1] = {{'comment_1': {name!r}, "))
    else:
        rows = pd.read_csv(table).replace({"s1": name} if column == "item" else {"low": name})
        rows.to_csv(table, index=False)
        script.write_text(script.read_text().replace("'toy'", "'other'"))
    experiment = EXPERIMENT if column == "comment" else EXPERIMENT.replace("toy", "other")
    steps = [
        (*TABLE, "audio/toy.csv", *END, *(project / "settings.txt").read_text().split()),
        ("exp.py", "--set", "page=complete"),
    ]
    steps += [("-m", "xval", "report", experiment, "--markdown", "--latex"), ("-m", "xval", "audit", experiment)]

    def fault(place: Path) -> str:
        pages = [path.read_text(encoding="utf-8") for path in place.rglob("*.html")]
        return (
            "markup or invisible letters in a page"
            if any("<img src=x" in page or set(page) & set(INVISIBLE) for page in pages)
            else ""
        )

    return Attack(f"{column} {name[:40]!r}", steps, (0, 1, 2), None, fault)


def archive(project: Path, secret: Path, rng: random.Random) -> Attack:
    name, make = rng.choice(sorted(_archives(secret).items()))
    content = make()
    ending = "zip" if content[:2] == b"PK" else "tar.gz" if content[:2] == b"\x1f\x8b" else "tar"
    (project / "corpus").mkdir()
    (project / "corpus" / f"a.{ending}").write_bytes(content)
    (project / "unpack.py").write_text(
        "import hashlib, pathlib, sys\nfrom preprocessing.console import carry_out, make_console\n"
        "from preprocessing.corpora._download import Archive, download\n"
        f"digits = hashlib.sha256(pathlib.Path('corpus/a.{ending}').read_bytes()).hexdigest()\n"
        f"archive = Archive('http://127.0.0.1:9/a.{ending}', f'sha256:{{digits}}')\n"
        "sys.exit(carry_out(lambda: download([archive], pathlib.Path('corpus'), make_console())))\n"
    )
    return Attack(f"an archive: {name}", [("unpack.py",)], (2,))


def endless_pattern(project: Path, secret: Path, rng: random.Random) -> Attack:
    folder = project / "audio" / "x"
    folder.mkdir()
    shutil.copy(project / "audio" / "0_low_0.wav", folder / f"{'a' * 60}.wav")
    for path in project.glob("audio/*.*"):
        path.unlink() if path.suffix == ".csv" else path.rename(folder / path.name)
    pattern, option = (
        rng.choice(["(a+)+b", "(a|a)*b", "(.*)*b$", "(a*)*(a*)*b"]),
        rng.choice(["--item-pattern", "--label-pattern"]),
    )
    return Attack(f"{option} {pattern}", [("-m", "preprocessing", "folders", "audio", option, pattern, *END)], (2,))


def wrong_checksum(project: Path, secret: Path, rng: random.Random) -> Attack:
    place = rng.choice([secret.as_uri(), (project / "audio" / "toy.csv").as_uri(), "file:///dev/zero", "file:///%00"])
    digits = rng.choice(["0" * 64, "0" * 63, ""])
    settings = ("--set", f"initial_model={place}.keras#sha256={digits}")
    return Attack(f"initial_model={place} with a wrong checksum", [("net.py", *settings)], (2,))


def saved_file(project: Path, secret: Path, rng: random.Random) -> Attack:
    """A checkpoint, a model, an ensemble or a job file that another file was put in the place of."""
    contents = {
        "a pickle": PICKLE,
        "a zip bomb": _zipped({"schema.json": bytes(300_000_000)}),
        "outside": _zipped({f"../../{CANARY}": b"x"}),
        "deep JSON": b"[" * 10**6,
        "nothing": b"",
    }
    name, content = rng.choice(sorted(contents.items()))
    command = {
        f"{_FOLD}/model.skops": ("-m", "xval", "predict", _FOLD, "audio"),
        f"{_FOLD}/model.ensemble": ("-m", "xval", "predict", f"{_FOLD}/model.ensemble", "audio"),
        f"{EXPERIMENT}/jobs/instance_1_fold_1.json": ("-m", "xval", "run-job", f"{EXPERIMENT}/jobs/instance_1_fold_1.json"),
        "results/toy/experiment_2/instance_1/.fold_1.checkpoint.npz": ("net.py", "--set", "checkpoint_minutes=0.01"),
    }  # fmt: skip
    path = rng.choice(sorted(command))
    (project / path).parent.mkdir(parents=True, exist_ok=True)
    (project / path).write_bytes(content)
    return Attack(f"{path}: {name}", [command[path]], (0,) if "checkpoint" in path else (1, 2))


def _archives(secret: Path) -> dict[str, Callable[[], bytes]]:
    link, hard, out = tarfile.TarInfo("link"), tarfile.TarInfo("hard"), tarfile.TarInfo(f"../../{CANARY}")
    link.type, link.linkname, hard.type, hard.linkname = tarfile.SYMTYPE, str(secret), tarfile.LNKTYPE, str(secret)
    sparse = tarfile.TarInfo("a.wav")
    sparse.pax_headers = {"GNU.sparse.realsize": "9" * 13, "GNU.sparse.major": "1", "GNU.sparse.minor": "0"}
    return {
        "a way out": lambda: _zipped({f"../../{CANARY}": b"x"}),
        "an absolute path": lambda: _zipped({str(secret.with_name(CANARY)): b"x"}),
        "names that are not UTF-8": lambda: _zipped({"aé": b"x"}).replace("é".encode(), b"\xff\xfe"),
        "a note": lambda: _zipped({".download/a.zip.unpacked.txt": b"x"}),
        "a symbolic link": lambda: _tarred(link),
        "a hard link": lambda: _tarred(hard),
        "a way out of a tar": lambda: _tarred(out),
        "a sparse file": lambda: _tarred(sparse),
        "a bomb of 3 GB": _bomb,
        "nothing": lambda: b"",
    }


def _bomb() -> bytes:
    zeros, packed = tarfile.TarInfo("zeros.wav"), io.BytesIO()
    zeros.size = 3 * 10**9
    with gzip.GzipFile(fileobj=packed, mode="wb", compresslevel=1) as file:
        file.write(zeros.tobuf())
        for _ in range(30):
            file.write(bytes(10**8))
    return packed.getvalue()


def _zipped(members: dict[str, bytes]) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return file.getvalue()


def _tarred(member: tarfile.TarInfo) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as packed:
        packed.addfile(member, io.BytesIO())
    return file.getvalue()
