"""How an experiment was made, as the methods section of a paper has it; `citations` has its sources.

Comes in: what the page shows. Goes out: sentences.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from preprocessing.corpus import CUSTOM
from preprocessing.quality.cautions import lost_audio
from xval.answers.audit.verdict import Verdict
from xval.answers.comparison.text import describe_methods
from xval.answers.figure_text import interval_clause
from xval.answers.item_sentences import item_decision_of, item_scaling_of
from xval.answers.item_words import call_items_of, item_word, items_word
from xval.answers.summary import side_name, test_side
from xval.base.errors import counted
from xval.report.contents import PageContents
from xval.report.looks import describe_looks
from xval.results.instance import InstanceResults
from xval.results.read import fitted_sides
from xval.settings.architectures import COMBINATION, ENSEMBLE, trains_network
from xval.settings.classical import CLASSICAL
from xval.settings.resolve import describe_numbers
from xval.settings.schema import Settings

_STRATEGIES = {
    "balanced": "items were assigned to folds so that labels are balanced",
    "leave_one_out": "each fold tests one item",
    "predefined": "the folds are those of the corpus",
    "holdout": "one part of the items was tested",
}
_SCALINGS = {
    ("per_bin", "global"): "normalised by statistics of the training items",
    ("per_clip",): "normalised in each example by its own statistics",
}
_ENSEMBLES = {
    "mean": "by their mean, which needs no fitting",
    "choose": "by the mean of members that greedy forward selection on its validation items chose",
    "stack": "by a regression that was fitted to its validation items",
}


def describe_protocol(contents: PageContents) -> list[str]:
    """Return the protocol, a paragraph per part."""
    first = contents.instances[0]
    settings = contents.by_number[contents.ranking.selected or first.number].settings
    of_folds = " ".join([_describe_folds(contents, settings), *_describe_parts(contents.instances), *_describe_cut(contents)])
    described = (call_items_of(contents.instances, text) for text in (_describe_training(contents), _describe_values(contents)))
    parts = [of_folds, *described, describe_looks(contents.instances)]
    if contents.comparisons:
        parts.append(describe_methods(contents.comparisons[0]))
    parts.append(describe_audit(contents.verdicts))
    return [part for part in parts if part]


def describe_audit(verdicts: Sequence[Verdict] | None) -> str:
    """Return what the leakage audit found, in a sentence or two."""
    if verdicts is None:
        return "The leakage audit was not run for this page; xval report runs it."
    states = [verdict.state for verdict in verdicts]
    tally = ", ".join(
        f"{states.count(state)} {state}" for state in ("ok", "warning", "not checkable", "FAILED") if state in states
    )
    failed = [verdict.rule for verdict in verdicts if verdict.state == "FAILED"]
    broken = f" Broken: {', '.join(failed)}." if failed else ""
    return (
        f"Leakage and values were audited by {counted(len(verdicts), 'rule')} on the files of the experiment: {tally}.{broken}"
        " The table has what is known of each kind of leakage (Kapoor & Narayanan, 2023)."
    )


def _describe_folds(contents: PageContents, settings: Settings) -> str:
    plan = contents.folds.plan
    tested = {item for fold in plan.folds for item in fold.test}
    sizes = sorted({(len(fold.training), len(fold.validation), len(fold.test)) for fold in plan.folds})
    strategy = str(plan.settings.get("fold_strategy", settings.fold_strategy))
    made = (
        call_items_of(contents.instances, _STRATEGIES[strategy])
        if strategy in _STRATEGIES
        else f"the folds are those of {strategy}"
    )
    clips = ""
    if contents.corpus is not None:
        index = contents.corpus.index
        n_clips = int((~index["augmented"].astype(bool)).sum())
        clips = f" ({counted(n_clips, settings.task.clip_word)})"
    item, items = item_word(contents.instances), items_word(contents.instances)
    deals = ""
    if plan.n_deals > 1:
        n_times = f"{plan.n_deals} times"
        deals = f", {n_times}, each time grouped differently; each {item} was tested {n_times}, and its values averaged"
    listed = "; ".join(f"{training} training, {validation} validation, {test} test" for training, validation, test in sizes)
    how = f"by cross-validation with {len(plan.folds)} folds over {counted(len(tested), item)}"
    if len(plan.folds) == 1:
        how = f"on one split, with {counted(len(tested), f'test {item}')},"
    return (
        f"Models of {counted(len(contents.instances), 'instance')} were tested {how} of the corpus '{settings.dataset}'"
        f"{clips}; {made}{deals} (seed {plan.settings.get('fold_seed', settings.fold_seed)}). "
        f"No {item} is on two sides of a fold, and all instances have the same folds ({items} per fold: {listed}; hash "
        f"{contents.folds.hash})."
    )


def _describe_parts(instances: Sequence[InstanceResults]) -> list[str]:
    """Return which instances used a part of their folds, a sentence for each kind."""
    kinds: dict[tuple[float, str | None, str | None], list[int]] = {}
    for instance in instances:
        settings = instance.settings
        kind = (settings.train_fraction, settings.train_where, settings.test_where)
        kinds.setdefault(kind, []).append(instance.number)
    sentences = []
    for (fraction, train_where, test_where), numbers in kinds.items():
        items = items_word(instances)
        said = (
            [f"trained on {100 * fraction:g} % of the training {items} of each fold, drawn by the seed"] if fraction < 1 else []
        )
        said += [f"trained and validated on clips with {train_where}"] if train_where else []
        said += [f"tested on clips with {test_where}"] if test_where else []
        plural = "s" if len(numbers) > 1 else ""
        verb = "were" if plural else "was"
        sentences += [f"Instance{plural} {describe_numbers(numbers)} {verb} {', and '.join(said)}."] if said else []
    return sentences


def _describe_cut(contents: PageContents) -> list[str]:
    """Return which instances heard a part of their clips, a sentence for each length."""
    corpus = contents.corpus
    if corpus is not None and corpus.is_custom:
        return []
    by_length: dict[tuple[float | None, float | None], list[InstanceResults]] = {}
    for instance in contents.instances:
        length = (instance.settings.clip_length_s, instance.settings.crop_s)
        if length != (None, None) and instance.settings.architecture != ENSEMBLE:
            by_length.setdefault(length, []).append(instance)
    sentences = []
    for (clip_length_s, crop_s), instances in by_length.items():
        numbers = [instance.number for instance in instances]
        who = f"Instance{'s' * (len(numbers) > 1)} {describe_numbers(numbers)} heard"
        if clip_length_s is not None:
            sentences.append(
                f"{who} the first {clip_length_s:g} s of each clip{_amount(contents, instances[0], clip_length_s)}."
            )
        if crop_s is not None:
            amount = _amount(contents, instances[0], crop_s)
            sentences.append(f"{who} a random crop of {crop_s:g} s of each training clip in each epoch{amount}.")
    return sentences


def _amount(contents: PageContents, instance: InstanceResults, length_s: float) -> str:
    if contents.corpus is None:
        return " (how many are longer is not known without the corpus)"
    index = contents.corpus.index
    settings = instance.settings.feature_settings().model_copy(update={"clip_length_s": length_s})
    lost = lost_audio(index[~index["augmented"].astype(bool)], settings).describe()
    return f" ({lost or 'none is longer'})"


def _describe_training(contents: PageContents) -> str:
    all_settings = [instance.settings for instance in contents.instances]
    trained = [settings for settings in all_settings if settings.architecture != ENSEMBLE] or all_settings
    networks = [settings for settings in trained if trains_network(settings.architecture)]
    sentences = []
    if networks:
        stopping = ""
        if any(settings.early_stopping for settings in networks):
            stopping = f", stopped after {_epochs(settings.patience for settings in networks)} without improvement"
        kept = []
        if best := [settings.monitor for settings in networks if settings.restore_best_weights]:
            kept.append(f"the epoch with the best {_values(best)} was kept (val_: of the validation items)")
        if len(best) < len(networks):
            kept.append(f"{'in the others ' if best else ''}the last epoch was kept")
        sentences.append(
            "Networks were trained with Keras (Chollet et al., 2015) for at most "
            f"{_epochs(settings.num_epochs for settings in networks)}{stopping}; {', and '.join(kept)}."
        )
    estimators = {settings.architecture for settings in trained if not trains_network(settings.architecture)}
    if names := sorted(estimators - {COMBINATION}):
        sentences.append(
            f"Baselines of scikit-learn (Pedregosa et al., 2011; {', '.join(names)}) were fitted to features pooled over time"
            f"{_describe_estimators(contents.instances)}"
        )
    if COMBINATION in estimators:
        sentences.append("Classifiers were fitted to embeddings and hand-crafted features of the training items.")
    if len(trained) < len(all_settings):
        sentences.append(_describe_ensembles(contents.instances))
    scaled = {
        instance.number: instance.settings.normalization
        for instance in contents.instances
        if trains_network(name := instance.settings.architecture) and name != ENSEMBLE
    }
    for kinds, how in _SCALINGS.items():
        if numbers := [number for number, kind in scaled.items() if kind in kinds]:
            whose = "" if len(numbers) == len(scaled) else f" of instance{'s' * (len(numbers) > 1)} {describe_numbers(numbers)}"
            sentences.append(f"Features{whose} were {how}.")
    sentences.append(item_scaling_of(contents.instances))
    sentences.append(_describe_selected(contents))
    sentences.append(f"Seed {_values(settings.seed for settings in trained)}, from which each fold derives its own.")
    records: list[dict[str, Any]] = [record for instance in contents.instances for record in instance.folds.values()]
    versions = sorted({f"{name} {value}" for record in records for name, value in record.get("versions", {}).items()})
    return " ".join([*filter(None, sentences), f"Software: {', '.join(versions)}." if versions else ""]).strip()


def _describe_ensembles(instances: Sequence[InstanceResults]) -> str:
    """Return how ensembles weigh their members, each way that there is."""
    methods = {instance.parameters.get("method") for instance in instances if instance.settings.architecture == ENSEMBLE}
    ways = [text for method, text in _ENSEMBLES.items() if method in methods]
    return f"Ensembles combine the predictions of instances for the same fold: {'; or '.join(ways)}." if ways else ""


def _describe_selected(contents: PageContents) -> str:
    """Return what the selected instance is: architecture and features, and how a network was trained."""
    selected = contents.ranking.selected
    if selected is None or (settings := contents.by_number[selected].settings).architecture in (ENSEMBLE, COMBINATION):
        return ""
    kind = settings.features if settings.frontend == "none" else f"{settings.features}, {settings.frontend} in the network"
    is_custom = any(record["store"] == CUSTOM for record in contents.by_number[selected].folds.values())
    features = "features given as arrays" if is_custom else f"features {kind} at {settings.sample_rate_hz} Hz"
    if not trains_network(settings.architecture):
        return f"The selected instance {selected} is {settings.architecture} ({features})."
    return (
        f"The selected instance {selected} is the network {settings.architecture} ({features}), trained by "
        f"{settings.optimizer} with a learning rate of {settings.learning_rate:g} in batches of {settings.batch_size} for at "
        f"most {counted(settings.num_epochs, 'epoch')}."
    )


def _epochs(numbers: Iterable[int]) -> str:
    listed = _values(numbers)
    return f"{listed} epoch{'s' * (listed != '1')}"


def _values(values: Iterable[object]) -> str:
    return " or ".join(dict.fromkeys(map(str, values)))


def _describe_estimators(instances: Sequence[InstanceResults]) -> str:
    """Return which items fitted, chose and calibrated the estimators."""
    estimators = [instance for instance in instances if instance.settings.architecture in CLASSICAL]
    fits = {"validation" in fitted_sides(record) for instance in estimators for record in instance.folds.values()}
    ways = []
    if fits - {False}:
        ways.append(
            " of all items that are not tested; inner folds over whole items chose their settings and calibrated their "
            "probabilities, and validation values are out of fold"
        )
    if fits - {True}:
        ways.append(
            " of the training items; their settings were searched on training items that were left out, whole items at a "
            "time, and probabilities calibrated on the validation items"
        )
    return f"{'; others'.join(ways)}."


def _describe_values(contents: PageContents) -> str:
    side = side_name(test_side(contents.instances), contents.instances)
    ranking = contents.ranking
    methods = {
        item_figure["method"]
        for instance in contents.instances
        if instance.over_items
        for of_side in instance.over_items["figures"].values()
        for item_figure in of_side.values()
        if item_figure["method"]
    }
    kinds = []
    if any(method.startswith("t") for method in methods):
        kinds.append("Student t with the standard error of the jackknife (Efron & Stein, 1981)")
        kinds.append("degrees of freedom of the effective number of items (Kish, 1965), class by class (Satterthwaite, 1946)")
    clause = interval_clause(contents.instances)
    intervals = f"; 95 % intervals are {clause} (items, not clips; {', '.join(kinds)})" if kinds else ""
    has_labels = contents.instances[0].task.has_thresholds
    thresholds = " Thresholds of labels are those of the largest F1 score on validation clips of each fold." * has_labels
    selected = ""
    if len(contents.instances) > 1:
        figure = f"{side_name(ranking.side, contents.instances)} {ranking.metric}"
        selected = f" An instance was selected by the best mean {figure}{ranking.because}; test values chose nothing."
        if len(contents.folds.plan.folds) > 1:
            selected += (
                " The mean validation value uses items that other folds test, so the test value of the selected "
                "instance is too good (Varma & Simon, 2006)."
            )
    decision = item_decision_of(contents.instances)
    unit = f"{side}s" if decision else f"{side} examples"
    return f"All values are those of the {unit}{intervals}.{decision and f' {decision}'}{thresholds}{selected}"
