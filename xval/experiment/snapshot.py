"""The copy of the code as it ran, and what it ran on.

It is written to ``code/<hash>/`` in the results folder before any training. Workers import from it, so that what is stored is
what ran, also when the code is edited meanwhile.
"""

import platform
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import distributions
from pathlib import Path

from xval.base.code_hash import hash_code
from xval.base.config_file import CONFIG_PATH, ROOT, find_study, own_config
from xval.base.json_files import naming, part_path, remove_stale_parts
from xval.base.user_code.files import data_files, imported_modules, own_files
from xval.base.user_code.modules import PACKAGES
from xval.settings.architectures import own_architectures
from xval.settings.given_objects import plain_parameters
from xval.settings.resolve import Declaration

_PACKAGES = (*PACKAGES, "experiments")
_NO_REPOSITORY = "not in a git repository\n"
_FILES = ("pyproject.toml", "constraints.txt")


def code_files(script: Path, own_modules: Iterable[str] = ()) -> dict[str, Path]:
    """Return the files that a snapshot holds, by their path in it: the code, the script, and the parts of the user's study.

    A script outside the project is below ``script/``. Modules of the user's own come with those that they import, and
    with the data files next to them that they name.
    """
    files = {"config.ini": CONFIG_PATH} | {name: ROOT / name for name in _FILES}
    for package in _PACKAGES:
        paths = [path for pattern in ("*.py", "*.toml") for path in (ROOT / package).rglob(pattern)]  # presets are .toml
        files |= {path.relative_to(ROOT).as_posix(): path for path in paths}
    if script.is_file() and script.resolve() not in {path.resolve() for path in files.values()}:
        files[f"script/{script.name}"] = script
    own = {f"architectures/{path.name}": path for path in own_architectures()}  # where a job finds them as those of the project
    code = own_files([*own_modules, *imported_modules(own)], known=_PACKAGES) | own
    files = data_files(code) | files | code
    study, config = find_study(), own_config()
    files |= {"study/config.ini": config} if config else {}
    if study is not None:
        files |= {f"study/{path.relative_to(study).as_posix()}": path for path in study.glob("corpora/*.py")}
    return {name: files[name] for name in sorted(files) if files[name].is_file()}


def take_snapshot(code_folder: Path, script: Path, own_modules: Iterable[str] = ()) -> Path:
    """Copy the code, the git commit, the uncommitted changes and the environment; of the user's study commit and changes, too.

    Where `script` is no file, there is none; `own_modules` are the dotted paths that instances name. Returned is
    ``code/<hash>``, whose name is the hash of only the code.
    """
    remove_stale_parts(code_folder)
    files = code_files(script, own_modules)
    final = code_folder / hash_code(files)
    if final.is_dir():
        return final
    temporary = part_path(final)
    try:
        with naming(final):
            _fill(temporary, files, script)
    except BaseException:  # Ctrl-C too leaves no part
        shutil.rmtree(temporary, ignore_errors=True)
        raise
    try:
        temporary.rename(final)
    except OSError:
        shutil.rmtree(temporary)
        if not final.is_dir():
            raise
    return final


def _fill(temporary: Path, files: Mapping[str, Path], script: Path) -> None:
    for name, path in files.items():
        target = temporary / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    (temporary / "environment.txt").write_text(_describe_environment(), encoding="utf-8")
    _write_version(temporary, ROOT if (ROOT / ".git").exists() else None)
    own_folder = find_study() or (script.resolve().parent if script.is_file() else ROOT)
    if not own_folder.is_relative_to(ROOT):
        _write_version(temporary, own_folder, name="study_")


def as_script(declaration: Declaration) -> str:
    """Return a script that declares an experiment, for one that was declared in a notebook or a session without a file."""
    lines = [
        '"""Written by a run: the experiment as it was declared in a notebook or a session, which has no script."""',
        "",
        "from xval import Experiment",
        "",
        f"experiment = Experiment({declaration.description!r}, **{plain_parameters(declaration.parameters)!r})",
        *(
            f"experiment[{number}] = {plain_parameters(values, set_before=declaration.parameters)!r}"
            for number, values in sorted(declaration.instances.items())
        ),
        "",
        'if __name__ == "__main__":',
        "    experiment.main()",
        "",
    ]
    return "\n".join(lines)


def _write_version(copy: Path, folder: Path | None, name: str = "") -> None:
    """Write the git commit of a folder, whether something in it is not committed, and the changes of committed files."""
    commit = _git(folder, "rev-parse", "HEAD") if folder else ""
    changed = _git(folder, "status", "--porcelain", "--", ".") if folder and commit else ""
    commit_text = f"{commit}{'with' if changed else 'without'} uncommitted changes or new files\n" if commit else _NO_REPOSITORY
    (copy / f"{name}git_commit.txt").write_text(commit_text, encoding="utf-8")
    difference = _git(folder, "diff", "HEAD", "--", ".") if folder and changed else ""
    if difference:
        (copy / f"{name}uncommitted.diff").write_text(difference, encoding="utf-8")


def _git(folder: Path, *arguments: str) -> str:
    """Return what git says of a folder, or nothing where there is no git or no repository."""
    try:
        return subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=30,
            check=True,
        ).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def _describe_environment() -> str:
    """Return the interpreter, the system and the installed packages, a line each."""
    metadata = [distribution.metadata for distribution in distributions()]  # each look at it reads the file again
    packages = sorted({f"{package['Name']}=={package['Version']}" for package in metadata}, key=str.lower)
    return "\n".join([f"# python {sys.version.split()[0]}", f"# {platform.platform()}", *packages]) + "\n"
