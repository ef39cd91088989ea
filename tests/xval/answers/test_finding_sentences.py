"""Every finding has its texts in the table, a section in the docs, and can be silenced."""

import re
from dataclasses import replace
from pathlib import Path

import pytest

from xval.answers.findings import find_findings
from xval.answers.ranking import describe_selection
from xval.base.errors import SettingsError
from xval.base.findings import coded_files, coded_rules
from xval.measures.metrics import metric_names
from xval.settings.resolve import Declaration, resolve
from xval.settings.schema import Settings
from xval.settings.space import SearchPlan, log_uniform

DOCS = Path(__file__).parents[3] / "docs"
MANY = range(1, 12)
ITEMS = {"training": ["a", "b"], "validation": ["c"], "test": ["d", "e"]}


def several(make_instance, folds=(0.5, 0.62, 0.44, 0.58, 0.5, 0.61), **changes):
    """Return many instances, every second one with settings of its own, so that their numbers have no range."""
    return [make_instance(number, list(folds), learning_rate=number, **(changes if number % 2 else {})) for number in MANY]


def measured(instances, low, high, *, missing="", lacking=(), **levels):
    score = {"items": 0.6, "pooled": 0.6, "of": "items", "low": low, "high": high, "method": "t", "chance": 0.5}
    scores = {"test": {"balanced_accuracy": score | {"strategy": "x"} | levels}}
    over_items = {"version": 1, "n_items": 6, "folds_lacking_classes": list(lacking), "missing": missing, "figures": scores}
    return [replace(instance, over_items=over_items) if instance.number % 2 else instance for instance in instances]


def with_records(instances, **facts):
    """Return instances of which every second one has further facts in its records."""
    return [
        replace(instance, jobs={key: record | facts for key, record in instance.jobs.items()})
        if instance.number % 2
        else instance
        for instance in instances
    ]


def heard_before(make):
    return several(make, features="embedding", embedding_model="onnx:encoder.onnx")


def leaked(make):
    return with_records(several(make), near_duplicates=5, outside_weights=["dense/kernel", "dense/bias"])


def vouched(make):
    return several(make, features="embedding", embedding_model="onnx:encoder.onnx", pretrained_on="AudioSet")


def alone(make):
    clips = {f"clip {number}": {"n_clips": 1.0 + (number == 8), "accuracy": 1.0} for number in range(9)}
    return [
        replace(instance, scores={key: replace(scores, items=clips) for key, scores in instance.scores.items()})
        for instance in several(make)
    ]


def corpus(make):
    instances = several(make)
    instances[0].written.cautions.append("7 of 9 clips have no label. Leave them out")
    return instances


def few_validated(make):
    return [
        replace(instance, jobs={key: record | {"items": ITEMS} for key, record in instance.jobs.items()})
        for instance in several(make)
    ]


def missing_folds(make):
    return [make(number, [0.5] * (number % 2 + 1), folds_total=2, learning_rate=number) for number in MANY]


def missing_repeats(make):
    return [make(number, [0.5, 0.6], folds_total=2, repeats=3, learning_rate=number) for number in MANY]


def shared(make):
    column = {"column": "speaker", "n_values": 24, "n_items": 120, "fixes_label": True, "is_who": True}
    return [
        replace(instance, written=instance.written.model_copy(update={"shared_columns": [column]}))
        for instance in several(make)
    ]


def epochs(make):
    return with_records(several(make), best_epoch=3, epochs=3)


def broken(make):
    return with_records(several(make), best_epoch=3, epochs=3, diverged={"epoch": 4, "reason": "loss is nan"})


def at_the_edge(make):
    plan = SearchPlan({"augment_vocal_tract": log_uniform(1e-4, 1e-2)}, 10).to_text()
    return several(make, search=plan, drawn=[{"augment_vocal_tract": 0.0099}] * 6)


def below(make):
    scores = {number: [{"balanced_accuracy": 0.3 if number % 2 else 0.7, "loss": 0.4}] * 2 for number in MANY}
    return [
        make(number, of, monitor="val_loss", learning_rate=number, architecture="cnn_small" if number % 2 else "svm")
        for number, of in scores.items()
    ]


def too_sure(make):
    return [
        make(number, [{"balanced_accuracy": 0.6, "loss": 0.2 + 0.3 * (number % 2)}] * 6, learning_rate=number)
        for number in MANY
    ]


def seeds(make):
    return [make(number, [0.5 + 0.01 * number, 0.6], seed=number) for number in MANY if number % 2]


def fitted(make):
    facts = {"method": "stack", "items": {"training": ["x"], "validation": ["y"], "test": ["t"]}}
    return with_records(several(make, architecture="ensemble"), **facts)


def nested(make):
    folds = {number: [0.1 * (number % 5), 0.5 + 0.01 * number, 0.3] for number in MANY}
    names = ("accuracy", "balanced_accuracy")
    return [make(number, [dict.fromkeys(names, fold) for fold in of], learning_rate=number) for number, of in folds.items()]


def tied(make):
    names = ("accuracy", "balanced_accuracy")
    folds = {number: [0.5 + 0.01 * (number * place % 7) for place in range(6)] for number in MANY}
    return [make(number, [dict.fromkeys(names, fold) for fold in of], learning_rate=number) for number, of in folds.items()]


def identical(make):
    names = ("accuracy", "balanced_accuracy")
    return [make(number, [dict.fromkeys(names, 0.5)] * 6, learning_rate=number) for number in MANY]


BOTH = {"test_where": 'language == "en"', "train_where": 'language == "en"'}
MADE = {
    "XV101": (heard_before, leaked, vouched),
    "XV102": (alone,),
    "XV103": (corpus,),
    "XV104": (lambda make: several(make, [0.5] * 5),),
    "XV105": (few_validated,),
    "XV106": (
        lambda make: measured(several(make), 0.4, 0.7, lacking=[1, 3, 5, 7, 9]),
        lambda make: with_records(several(make, rank_by="balanced_accuracy"), validation_classes={"yes": 0, "no": 4}),
    ),
    "XV107": (lambda make: with_records(several(make), untuned_labels=["glass", "siren", "car", "rain"]),),
    "XV108": (lambda make: several(make, **BOTH),),
    "XV109": (shared,),
    "XV201": (missing_folds,),
    "XV202": (missing_repeats,),
    "XV203": (epochs,),
    "XV204": (at_the_edge,),
    "XV207": (broken,),
    "XV205": (below,),
    "XV206": (too_sure,),
    "XV208": (lambda make: with_records(several(make), failed_parts={"novelty": "ValueError: no"}),),
    "XV301": (lambda make: measured(several(make), 0.4, 0.7),),
    "XV302": (
        lambda make: measured(several(make), 0.55, 0.7, group_chance=0.56, permuted=0.59, permuted_high=0.65),
        lambda make: measured(several(make), None, None, group_chance=0.56, permuted=0.59, permuted_high=0.65),
    ),
    "XV303": (tied, identical),
    "XV304": (nested,),
    "XV305": (seeds,),
    "XV306": (fitted,),
    "XV307": (lambda make: measured(several(make), 0.55, 0.7, missing="fold_1, fold_3: no predictions.parquet"),),
    "XV308": (lambda make: [make(number, [0.5] * 6) for number in MANY],),
}


@pytest.mark.parametrize("code", coded_files())
def test_a_finding_is_a_message_and_what_to_do(code, make_instance):
    for make in MADE[code]:
        found = [finding for finding in find_findings(make(make_instance)) if finding.code == code]
        assert found
        for finding in found:
            assert finding.line == f"{finding.name}: {finding.message} {finding.advice}"
            assert finding.name == f"{code} {finding.slug}"
            for text in (finding.message, finding.advice):
                assert text[0].isupper() or text[0].isdigit() or text.startswith("cnn_small"), text
                assert text.endswith("."), text
                assert not re.search(r"[{}]|\.\.|  ", text), text


def test_slugs_are_words_and_none_is_used_twice():
    slugs = {finding.slug for rule in coded_rules() for finding in rule.findings}
    assert len(slugs) == len(coded_files())
    assert all(re.fullmatch("[a-z]+(-[a-z]+)*", slug) for slug in slugs)


def test_advice_names_settings_that_there_are(make_instance):
    advice = {finding.advice for makers in MADE.values() for make in makers for finding in find_findings(make(make_instance))}
    named = {name for text in advice for name in re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", text)}
    assert "validation_fraction" in Settings.model_fields
    assert named - set(Settings.model_fields) <= {"cnn_small", "val_loss", "next_fold", *metric_names("classification")}


@pytest.mark.parametrize("code", coded_files())
def test_a_finding_that_all_instances_silence_is_not_said(code, make_instance):
    def make(silence):
        def with_setting(number, folds, **changes):
            return make_instance(number, folds, silence=silence, **changes)

        return [finding.code for finding in find_findings(MADE[code][0](with_setting))]

    others = [other for other in make(None) if other != code]
    assert make(f"XV999, {code}") == others
    assert make(", ".join(coded_files().keys() - {code})) == [said for said in make(None) if said == code]


@pytest.mark.parametrize(
    ("given", "of_corpus", "word"),
    [
        (["auto", "auto"], ["actor", ""], "actor"),
        (["patient", "patient"], ["actor", "actor"], "patient"),
        (["auto", None], ["", ""], "item"),
        (["auto", "auto"], ["actor", "session"], "item"),
    ],
)
def test_an_item_is_called_as_the_setting_or_else_the_corpus_has_it(make_instance, given, of_corpus, word):
    instances = [make_instance(number, [0.5] * 5, item_name=name) for number, name in enumerate(given, start=1)]
    instances = [
        replace(instance, written=instance.written.model_copy(update={"item_name": name}))
        for instance, name in zip(instances, of_corpus, strict=True)
    ]
    (text,) = [finding.message for finding in find_findings(instances) if finding.code == "XV104"]
    assert text.startswith(f"Only 5 {word}s were tested")


def test_a_silenced_leak_stays_beside_the_score(make_instance):
    silenced = [make_instance(1, [0.5, 0.6], features="embedding", embedding_model="onnx:encoder.onnx", silence="XV101")]
    assert "XV101" not in {finding.code for finding in find_findings(silenced)}
    assert "pretrained part of unknown origin: onnx:encoder.onnx" in describe_selection(silenced)


def test_what_is_silenced_is_no_other_setting_and_unknown_codes_are_refused():
    def resolved(**given):
        return resolve(Declaration("exp.py", "exp.py", "a test", {"dataset": "toy", **given}, {1: {"architecture": "mlp"}}))[0]

    assert resolved(silence="xv303, XV105").settings.silence == "XV105, XV303"
    assert resolved(silence=["XV105"]).settings_hash == resolved().settings_hash
    with pytest.raises(SettingsError, match=r"silence.*no finding with the code XV5; expected none, or some of XV101, XV102"):
        resolved(silence="XV5, XV101")


def test_each_code_has_its_section_in_the_docs():
    text = (DOCS / "reference/findings.md").read_text(encoding="utf-8")
    headings = re.findall(r"^## (.+)$", text, re.MULTILINE)
    names = sorted({finding.name for rule in coded_rules() for finding in rule.findings})
    assert [heading for heading in headings if heading.startswith("XV")] == names
