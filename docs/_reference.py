"""Write config.ini, xval/base/setting_names.py and docs/reference/ from the code: python docs/_reference.py.

A test holds them equal to it.
"""

import argparse
import ast
import contextlib
import io
import os
import re
import textwrap
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from pydantic.fields import FieldInfo

from augmentation.offline_settings import AUGMENTATION_SECTION, MIXING_SECTION, MixingSettings, augmentation_model
from preprocessing.quality.rules import PACKAGE as QUALITY
from preprocessing.quality.rules import Caution, Fault, PreparingCaution
from xval.__main__ import main as carry_out
from xval.answers.leakage_kinds import LeakageKind
from xval.base.findings import Finding, coded_files, coded_rules, rules_of
from xval.commands import GROUPS, describe_commands
from xval.settings.architectures import COMBINATION, architecture_names, find_architecture
from xval.settings.classical import CLASSICAL
from xval.settings.options import Option
from xval.settings.schema import SECTIONS

_ROOT = Path(__file__).parents[1]
_FOLDER = _ROOT / "docs/reference"
_WORDS = {
    "who": "variants",
    "listed": "variants",
    "items": "speakers",
    "item": "speaker",
    "n_items": "n speakers",
    "n_validated": "n",
    "classes": "the class",
    "few": "n speakers",
    "unknown": "what is wrong with a part that a setting names",
    "why_not": "why the task does not support a setting",
    "above_chance": "above chance",
}
_ESTIMATORS = {
    "constant": "Constant prediction: the most frequent class, or the mean. Every other model has to be better.",
    "svm": "Support vector machine (SVM) for classes. `C` and `gamma` are searched; a linear kernel has no `gamma`.",
    "logistic": "Logistic regression with an L2 penalty. `C` is searched.",
    "forest": "Random forest. `min_samples_leaf` is searched.",
    "boosting": "Gradient boosting of decision trees. `max_leaf_nodes` is searched; `shrinkage` is the learning rate.",
    "knn": "k nearest neighbours. `n_neighbors` is searched.",
    "linear": "Linear regression without a penalty.",
    "ridge": "Ridge regression, which is linear regression with an L2 penalty. `alpha` is searched.",
    "svr": "Support vector regression (SVR). `C` and `gamma` are searched; a linear kernel has no `gamma`.",
    COMBINATION: (
        "A classifier on the outputs of saved networks and 136 hand-crafted features (docs/baselines.md). `models` has the"
        " paths of model.keras files, with `{fold}` for the number of the fold. `layers_dropped` chooses the output of each"
        " network: 0 is its prediction, 1 the input of its last layer with weights, 2 that of the layer before."
        " `basic_features` adds the means and standard deviations of 34 short-term features and their deltas."
        " `pca_components` is the number of principal components before the classifier; 0: no PCA."
    ),
}
_CONFIG_HEAD = """\
# Every default of xval. An experiment overrides a key for all of its instances, an instance only for itself, and
# --set KEY=VALUE on the command line for one run:   config.ini < experiment < instance < --set
# Values are text: numbers, true/false, names, lists with commas. "none" switches an optional value off."""
_NAMES_HEAD = '''\
"""The names of all settings by section, for what reads config.ini without loading the settings.

Made from the code by python docs/_reference.py.
"""

SETTING_NAMES: dict[str, tuple[str, ...]] = {'''
_MADE = "<!-- Made from the code by python docs/_reference.py. -->\n\n"


def settings_page() -> Iterator[str]:
    """Yield the settings with their defaults and meanings."""
    yield "# All settings"
    yield (
        "Each setting of `config.ini`, with its default. An experiment, a variant or `--set KEY=VALUE` overrides it:"
        " [Write and run an experiment](../experiments.md). `none` switches an optional setting off."
    )
    for section, fields in _setting_sections().items():
        rows = [
            f"| `{name}` | {_cell(_default(field), is_code=True)} | {_cell(' '.join(_meaning(name, field).splitlines()))} |"
            for name, field in fields.items()
        ]
        yield f"## [{section}]"
        yield "\n".join(["| setting | default | meaning |", "| --- | --- | --- |", *rows])


def config_file() -> str:
    """Return the text of config.ini: the settings of each section with their meanings and defaults."""
    sections = [_CONFIG_HEAD]
    for section, fields in _setting_sections().items():
        lines = [f"[{section}]"]
        for name, field in fields.items():
            for line in _meaning(name, field).splitlines():
                lines += textwrap.wrap(line, 142, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
            lines.append(f"{name} = {_default(field)}")
        sections.append("\n".join(lines))
    return "\n\n".join(sections) + "\n"


def setting_names() -> str:
    """Return the text of xval/base/setting_names.py: the names of the settings of each section."""
    lines = [_NAMES_HEAD]
    for section, fields in _setting_sections().items():
        names = ", ".join(f'"{name}"' for name in fields)
        wrapped = textwrap.wrap(f"{names},", 128, initial_indent=" " * 8, subsequent_indent=" " * 8)
        lines += [f'    "{section}": (', *wrapped, "    ),"]
    return "\n".join([*lines, "}  # fmt: skip"]) + "\n"


def _setting_sections() -> dict[str, dict[str, FieldInfo]]:
    """Return the fields of the settings of each section of config.ini."""
    models = {**SECTIONS, AUGMENTATION_SECTION: augmentation_model(), MIXING_SECTION: MixingSettings}
    return {section: model.model_fields for section, model in models.items()}


def _meaning(name: str, field: FieldInfo) -> str:
    if not field.description:
        raise ValueError(f"{name}: a setting needs its meaning and unit: Field(default, description=...)")
    return field.description


def _default(field: FieldInfo) -> str:
    text = "none" if field.default is None else str(field.default)
    return text.lower() if isinstance(field.default, bool) else text


def architectures_page() -> Iterator[str]:
    """Yield the networks and estimators that `architecture` may name, with their options."""
    yield "# All networks and estimators"
    yield (
        "The names for the setting `architecture`. An option is a setting of a variant, for example"
        ' `{"architecture": "svm", "C": (1.0, 10.0)}`. `constant` to `svr` are estimators of scikit-learn, and'
        " [Baselines](../baselines.md) explains their shared options. Your own network: [Custom"
        " architectures](../own_parts.md)."
    )
    for name in (*architecture_names(), *CLASSICAL, COMBINATION):
        architecture = find_architecture(name)
        path = _ROOT / "architectures" / f"{name}.py"
        text = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) if path.exists() else _ESTIMATORS[name]
        yield from [f"## {name}", *_about(text), f"Tasks: {', '.join(architecture.task_types)}."]
        if architecture.options:
            yield "| option | type | default |\n| --- | --- | --- |" + "".join(map(_option, architecture.options.values()))


def commands_page() -> Iterator[str]:
    """Yield the help of each command."""
    yield "# All commands"
    yield (
        "`xval COMMAND --help` prints the same. `python -m xval`, `python -m preprocessing` (`xval prepare`) and"
        " `python -m augmentation` (`xval augment`) do the same without an installed program."
    )
    commands = describe_commands()
    for group in GROUPS:
        yield f"## {group}"
        for name, about in commands.items():
            if about.group == group:
                yield from [f"### xval {name}", f"```text\n{_help(name).strip()}\n```"]


def findings_page() -> Iterator[str]:
    """Yield the message, the advice and the reason of each finding."""
    yield "# All findings"
    yield (
        "Findings are warnings about the scores of an experiment. A run, the page and the workbook print the code, name"
        " and message of each; `--details` adds what to do. XV1 findings are about the data, XV2 about training, XV3 about"
        " the result. The words in italics are replaced by names and numbers of the experiment."
    )
    yield (
        "To silence a finding that you accept, set `silence` to its code in config.ini, in the experiment or for one run,"
        " and run the same command again:"
    )
    yield "```sh\npython experiments/exp1.py --set silence=XV105,XV303\n```"
    for code, module in coded_files().items():
        findings = [finding for rule in coded_rules() for finding in rule.findings if finding.code == code]
        yield from [f"## {findings[0].name}", *_finding(findings, " ".join((import_module(module).__doc__ or "").split()))]
    yield "## Faults of a dataset"
    yield (
        "`xval prepare CORPUS --check` names them in `quality.csv` and on the page, the worst first. *refused*: no folds are"
        " made of such a dataset; *left out*: the clip is skipped; *doubtful*: it is used as it is."
    )
    faults = [fault.findings[0] for fault in rules_of(QUALITY, Fault)]
    rows = [f"| {one.slug} | {one.level} | {_filled(one.message)} | {_filled(one.advice)} |" for one in faults]
    yield "\n".join(["| fault | effect | meaning | what to do |", "| --- | --- | --- | --- |", *rows])
    yield "## Cautions about a dataset"
    yield (
        "Such a dataset can be used, but its scores may mean something else. `xval prepare` and each run print the cautions;"
        " only `xval prepare` prints the last two."
    )
    cautions = [one for kind in (Caution, PreparingCaution) for rule in rules_of(QUALITY, kind) for one in rule.findings]
    rows = [f"| {_filled(one.message)} | {_filled(one.advice)} |" for one in cautions]
    yield "\n".join(["| caution | what to do |", "| --- | --- |", *rows])
    yield "## Rules of the audit"
    yield "`xval audit EXPERIMENT` prints for each rule whether it holds."
    rules = rules_of("xval.answers.audit")
    rows = [f"| {rule.findings[0].slug} | {_filled(rule.findings[0].message)} |" for rule in rules]
    yield "\n".join(["| rule | statement |", "| --- | --- |", *rows])
    yield (
        "It names what it finds. *FAILED*: the rule is broken. *damaged*: the rule FAILED because of a damaged file, so"
        " whether anything leaked is unknown. *warning*: nothing leaked, but the results have to be read with it in mind."
        " *not checkable*: the rest of the rule holds. *note*: why there was nothing to check."
    )
    effects: dict[tuple[str, str], list[str]] = {}
    for rule in rules:
        for one in rule.findings[1:]:
            if _has_words(one.message):
                effects.setdefault((rule.findings[0].slug, _filled(one.message)), []).append(one.level or "FAILED")
    rows = [f"| {slug} | {' or '.join(dict.fromkeys(levels))} | {message} |" for (slug, message), levels in effects.items()]
    yield "\n".join(["| rule | effect | message |", "| --- | --- | --- |", *rows])
    yield "## Kinds of leakage"
    yield (
        "The page of an experiment judges each kind of leakage of Kapoor and Narayanan (2023) by the rules of the audit: *ok*"
        " where they hold, *leaked* where one is broken, *unknown* where they could not be checked or no rule judges it."
    )
    kinds = rules_of("xval.answers.leakage_kinds", LeakageKind)
    rows = [f"| {kind.findings[0].slug} | {', '.join(kind.rules)} | {_filled(kind.findings[0].message)} |" for kind in kinds]
    yield "\n".join(
        ["| kind | rules | what holds where it is ok; without a rule, why it is unknown |", "| --- | --- | --- |", *rows]
    )
    yield "## Contradictions of settings"
    yield (
        "Settings that contradict each other are an error: nothing is trained. The error names the place of the setting, and"
        " has this message."
    )
    tables = [f"xval.settings.{module}" for module in ("contradictions", "classical_faults", "combination")]
    contradictions = [rule.findings[0] for table in tables for rule in rules_of(table)]
    rows = [f"| {one.slug} | {_filled(one.message)} | {_filled(one.advice)} |" for one in contradictions]
    yield "\n".join(["| contradiction | message | what to do |", "| --- | --- | --- |", *rows])


def _finding(findings: list[Finding], why: str) -> Iterator[str]:
    """Yield the paragraphs on a finding: its messages and what to do, each once, and why."""
    for label, texts in (
        ("Message", [finding.message for finding in findings]),
        ("What to do", [finding.advice for finding in findings]),
    ):
        filled = [_filled(text) for text in dict.fromkeys(texts) if _has_words(text)]
        if len(filled) == 1:
            yield f"**{label}** {filled[0]}"
        elif filled:
            yield f"**{label}**\n\n" + "\n".join(f"- {text}" for text in filled)
    yield f"**Why** {why}"


def _has_words(text: str) -> bool:
    """Return whether a text has words besides its fields."""
    return bool(re.search(r"\w", re.sub(r"\{\w+\}", "", text)))


def _filled(text: str) -> str:
    """Return a text with its fields as words in italics."""
    text = re.sub(r"\{\{(\w+)\}\}", "\0\\1\1", text)  # braces of the text itself
    text = re.sub(r"\{(\w+)(?:!r)?(?::[.\d]*[a-z])?\}", r"{\1}", text)
    text = re.sub(r"\{\w+:[^{}|?]*\|((?:[^{}]|\{\w+\})*)\}", r"\1", text)  # the words for several
    some = r"\{\w+:\?((?:[^{}]|\{\w+\})*)\}"  # what is there for some values
    text = re.sub(some, r"\1", re.sub(rf"({some})(?={some})", r"\1 or ", text))
    parts = re.split(r"\{(\w+)\}", text)
    text = "".join(f"*{_WORDS.get(part.lower(), part.lower())}*" if at % 2 else _text(part) for at, part in enumerate(parts))
    text = re.sub(r"[Vv]ariants \*variants\*", "*variants*", text)
    text = text.replace("*n speakers* *speakers*", "*n speakers*").replace("**", "* *")
    return text.replace("\0", "{").replace("\1", "}")


def _help(command: str) -> str:
    """Return what `xval COMMAND --help` prints in a terminal of 100 columns."""
    printed = io.StringIO()
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = "100"
    try:
        with contextlib.redirect_stdout(printed), contextlib.suppress(SystemExit):
            carry_out([command, "--help"])
    finally:
        os.environ.pop("COLUMNS")
        if before is not None:
            os.environ["COLUMNS"] = before
    return printed.getvalue()


def _about(text: str) -> Iterator[str]:
    """Yield the paragraphs of a text, each in one line."""
    for paragraph in re.split(r"\n\n+", text):
        yield _text(" ".join(paragraph.split()))


def _option(option: Option) -> str:
    return f"\n| `{option.name}` | {_cell(option.annotation, is_code=True)} | {_cell(repr(option.default), is_code=True)} |"


def _cell(text: str, *, is_code: bool = False) -> str:
    text = text.replace("|", "\\|")
    return f"`{text}`" if is_code and text else _text(text)


def _text(text: str) -> str:
    """Return plain text as Markdown: names of pages are links, and nothing is a tag or is emphasised."""
    parts = re.split(r"(`+[^`]+`+)", text)
    text = "".join(part if part.startswith("`") else re.sub(r"([<*_])", r"\\\1", part) for part in parts)
    return re.sub(r"docs/([\w\\/]+)\.md", lambda page: f"[{page[1]}](../{page[1].replace(chr(92), '')}.md)", text)


PAGES = {
    "commands.md": commands_page,
    "findings.md": findings_page,
    "settings.md": settings_page,
    "architectures.md": architectures_page,
}


def all_pages() -> dict[str, str]:
    """Return the text of each page: its paragraphs, with a blank line between them."""
    return {name: _MADE + "\n\n".join(paragraphs()) + "\n" for name, paragraphs in PAGES.items()}


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    (_ROOT / "config.ini").write_text(config_file(), encoding="utf-8")
    (_ROOT / "xval/base/setting_names.py").write_text(setting_names(), encoding="utf-8")
    _FOLDER.mkdir(exist_ok=True)
    for name, text in all_pages().items():
        (_FOLDER / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
