"""Describe an experiment for the methods section of a paper; `citations` has the references."""

from collections.abc import Iterable, Sequence
from typing import Any

from preprocessing.corpus import CUSTOM
from preprocessing.quality.findings.durations import lost_audio
from xval.answers.audit.verdict import AuditVerdict
from xval.answers.comparison.text import describe_methods
from xval.answers.item_words import call_items_of, item_decision_of, item_scaling_of, item_word, items_word
from xval.answers.repeats import seed_replicates
from xval.answers.summary import score_name, side_name, test_side
from xval.answers.variants import IGNORES_THE_AUDIO, Variants
from xval.base.errors import capital, counted, join_words, plural_of, verb_of
from xval.base.item_word import ITEM
from xval.folds.plan import Fold
from xval.folds.random_split import is_random_split
from xval.report.citations import BACKENDS
from xval.report.contents import PageContents
from xval.report.looks import describe_looks
from xval.results.instance import InstanceResults
from xval.results.read import fitted_sides
from xval.settings.architectures import COMBINATION, ENSEMBLE, trains_network
from xval.settings.classical import CLASSICAL, fits_validation, grid_of
from xval.settings.resolve import describe_numbers
from xval.settings.schema import Settings

_SCALINGS = {
    ("per_bin", "global"): "normalised with statistics of the training items",
    ("per_clip",): "normalised in each example with its own statistics",
}
_CLIPS = (ITEM, "clip", "file", "recording")
"""The words for items that may be single clips of unknown speakers."""
_ALL_ITEMS, _TRAINING_ITEMS = "all items that were not tested", "the training items"
_MOST_TARGETS = 8  # that are named
_AUGMENTATIONS = {
    "augment_time_masks": "masks over time (Park et al., 2019)",
    "augment_frequency_masks": "masks over frequency (Park et al., 2019)",
    "augment_time_shift_s": "shifts in time",
    "augment_frequency_shift_bins": "shifts in frequency",
    "augment_noise": "noise",
    "augment_gain_db": "gain",
    "augment_mixup": "mixup (Zhang et al., 2018)",
    "augment_mixstyle": "MixStyle over frequency",
    "augment_vocal_tract": "vocal-tract-length perturbation (Jaitly & Hinton, 2013)",
    "augment_speed": "changes of speed",
    "augment_response_db": "frequency responses (Nam et al., 2022)",
    "augment_noise_floor_db": "noise floors",
}
_OPTIMIZERS = {"adam": "adam (Kingma & Ba, 2015)"}
_ENSEMBLES = {
    "mean": "by their mean, which needs no fitting",
    "choose": "by the mean of members that were chosen by greedy forward selection on its validation items",
    "stack": "by a regression that was fitted to its validation items",
}


def describe_protocol(contents: PageContents) -> list[str]:
    """Return the protocol, a paragraph per part."""
    first = contents.instances[0]
    settings = contents.by_number[contents.ranking.selected or first.number].settings
    fold_sentences = " ".join(
        [_describe_folds(contents, settings), *_describe_parts(contents.instances), *_describe_cut(contents)]
    )
    described = (call_items_of(contents.instances, text) for text in (_describe_training(contents), _describe_values(contents)))
    parts = [fold_sentences, *described, describe_looks(contents.instances)]
    if contents.comparisons:
        parts.append(describe_methods(contents.comparisons[0]))
    parts.append(describe_audit(contents.verdicts))
    return [part for part in parts if part]


def describe_audit(verdicts: Sequence[AuditVerdict] | None) -> str:
    """Return the result of the leakage audit in a sentence or two."""
    if verdicts is None:
        return "The leakage audit was not run for this page; xval report runs it."
    states = [verdict.state for verdict in verdicts]
    tally = ", ".join(
        f"{states.count(state)} {state}" for state in ("ok", "warning", "not checkable", "FAILED") if state in states
    )
    failed = [verdict.rule for verdict in verdicts if verdict.state == "FAILED"]
    broken = f" Broken: {', '.join(failed)}." if failed else ""
    return (
        f"The files of the experiment were audited for leakage with {counted(len(verdicts), 'rule')}: {tally}.{broken} "
        "A table lists the result for each kind of leakage (Kapoor & Narayanan, 2023)."
    )


def _describe_folds(contents: PageContents, settings: Settings) -> str:
    """Return a sentence on the number of models, folds, clips and items."""
    plan, instances = contents.folds.plan, contents.instances
    tested = {item for fold in plan.folds for item in fold.test}
    n_items = len(tested.union(*(fold.training + fold.validation for fold in plan.folds)))
    item = item_word(instances)
    parts_clips = item in _CLIPS and all(is_random_split(instance.n_clips.values()) for instance in instances)
    independent = "" if parts_clips or item == "fold" else f"{item}-independent "
    item = "published fold" if item == "fold" else item
    n_folds, strategy = len(plan.folds) // plan.n_fold_repeats, str(plan.settings.get("fold_strategy", settings.fold_strategy))
    repeated = f", repeated {plan.n_fold_repeats} times with different partitions," if plan.n_fold_repeats > 1 else ""
    if n_folds == 1:
        design = f"on one {independent}split of"
    elif strategy == "leave_one_out":
        design = f"with leave-one-{item}-out cross-validation ({n_folds} folds) on"
    else:
        design = f"with {independent}{n_folds}-fold cross-validation{repeated} on"
    data = counted(n_items, item)
    if contents.corpus is not None:
        is_original = ~contents.corpus.index["augmented"].astype(bool)
        data = f"{counted(int(is_original.sum()), settings.task.clip_word)} of {data}"
    replicates = seed_replicates({instance.number: instance.parameters for instance in instances})
    n_models = len(instances) - sum(len(group) - 1 for group in replicates)
    facts = [*_how_split(strategy, n_folds, settings), *["identical for all models"] * (len(instances) > 1)]
    seed = f"seed {plan.settings.get('fold_seed', settings.fold_seed)}, hash {contents.folds.hash}"
    sizes = f"{_sizes(plan.folds)} {plural_of(item)}"
    fold = "the split" if n_folds == 1 else "a fold"
    sentences = [
        f"We evaluated {counted(n_models, 'model') if n_models > 1 else 'one model'} {design} {data} ({settings.dataset}).",
        f"{'The split was' if n_folds == 1 else 'Folds were'} {' and '.join(facts)} ({sizes}; {seed})."
        if facts
        else f"{capital(fold)} had {sizes} ({seed}).",
        f"No {item} occurred in more than one part of {fold}.",
        *(f"{_models(group)} differ only in their seed and count as one model." for group in replicates),
    ]
    if len(tested) < n_items:
        sentences.append(f"Only {counted(len(tested), item)} {'was' if len(tested) == 1 else 'were'} tested.")
    if parts_clips:
        sentences.append("Clips of one speaker may be in training and test, because each clip was an item of its own.")
    if plan.n_fold_repeats > 1:
        sentences.append(f"Each {item} was tested {plan.n_fold_repeats} times, and its values were averaged.")
    n_done, n_all = sum(len(each.folds) for each in instances), sum(each.n_folds for each in instances)
    if n_done < n_all:
        sentences.append(f"These results are preliminary: {n_done} of {counted(n_all, 'fold')} {verb_of(n_done)} finished.")
    return " ".join(sentences)


def _how_split(strategy: str, n_folds: int, settings: Settings) -> list[str]:
    """Return how items were assigned to folds, if it needs an explanation."""
    if strategy in ("balanced", "holdout"):
        by = {"classification": "label", "multilabel_classification": "label", "regression": "target"}
        return [f"stratified by {by[settings.task_type]}"] if settings.task_type in by else []
    those = "that" if n_folds == 1 else "those"
    return [] if strategy == "leave_one_out" else [f"{those} of {'the dataset' if strategy == 'predefined' else strategy}"]


def _sizes(folds: Sequence[Fold]) -> str:
    """Return ``7 training, 2 validation, 3 test``, or ``6 to 7 training`` if folds differ."""
    numbers = zip(*((len(fold.training), len(fold.validation), len(fold.test)) for fold in folds), strict=True)
    sides = ((side, min(sizes), max(sizes)) for side, sizes in zip(("training", "validation", "test"), numbers, strict=True))
    return ", ".join(f"{few if few == many else f'{few} to {many}'} {side}" for side, few, many in sides if many)


def _describe_parts(instances: Sequence[InstanceResults]) -> list[str]:
    """Return the models that used a part of their folds, a sentence for each kind."""
    kinds: dict[tuple[float, str | None, str | None], list[int]] = {}
    for instance in instances:
        settings = instance.settings
        kind = (settings.train_fraction, settings.train_where, settings.test_where)
        kinds.setdefault(kind, []).append(instance.number)
    sentences = []
    for (fraction, train_where, test_where), numbers in kinds.items():
        items = items_word(instances)
        facts = [f"trained on a random {100 * fraction:g} % of the training {items} of each fold"] if fraction < 1 else []
        facts += [f"trained and validated on clips with {train_where}"] if train_where else []
        facts += [f"tested on clips with {test_where}"] if test_where else []
        were = "were" if len(numbers) > 1 else "was"
        sentences += [f"{_models(numbers)} {were} {', and '.join(facts)}."] if facts else []
    return sentences


def _models(numbers: Sequence[int]) -> str:
    return f"Model{'s' * (len(numbers) > 1)} {describe_numbers(numbers)}"


def _describe_cut(contents: PageContents) -> list[str]:
    """Return the models that used a part of their clips, a sentence for each length."""
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
        who = f"{_models([instance.number for instance in instances])} used"
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
        return " (how many clips are longer is not known without the dataset)"
    index = contents.corpus.index
    settings = instance.settings.feature_settings().model_copy(update={"clip_length_s": length_s})
    lost = lost_audio(index[~index["augmented"].astype(bool)], settings).describe()
    return f" ({lost or 'none is longer'})"


def _describe_training(contents: PageContents) -> str:
    all_settings = [instance.settings for instance in contents.instances]
    trained = [settings for settings in all_settings if settings.architecture != ENSEMBLE] or all_settings
    networks = [settings for settings in trained if trains_network(settings.architecture)]
    records: list[dict[str, Any]] = [record for instance in contents.instances for record in instance.folds.values()]
    versions = sorted({f"{name} {value}" for record in records for name, value in record.get("versions", {}).items()})
    sentences = []
    if networks:
        stopping = ""
        if any(settings.early_stopping for settings in networks):
            stopping = f" and stopped after {_epochs(settings.patience for settings in networks)} without improvement"
        kept = []
        if best := [settings.monitor for settings in networks if settings.restore_best_weights]:
            monitors = _values(monitor.replace("val_", "validation ").replace("_", " ") for monitor in best)
            kept.append(f"the epoch with the best {monitors} was kept")
        if len(best) < len(networks):
            kept.append(f"{'for the other networks ' if best else ''}the last epoch was kept")
        backends = [cited for name, cited in BACKENDS.items() if any(text.startswith(f"backend {name} ") for text in versions)]
        on = f" on {' and '.join(backends)}" if backends else ""
        sentences.append(
            f"Networks were trained with Keras (Chollet et al., 2015){on} for at most "
            f"{_epochs(settings.num_epochs for settings in networks)}{stopping}; {', and '.join(kept)}."
        )
    sentences += _describe_estimators(contents.instances)
    if COMBINATION in {settings.architecture for settings in trained}:
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
            whose = "" if len(numbers) == len(scaled) else f" of {_models(numbers).lower()}"
            sentences.append(f"Features{whose} were {how}.")
    sentences.append(item_scaling_of(contents.instances))
    sentences += _describe_augmentation(contents.instances)
    if any(settings.calibration == "temperature" for settings in networks):
        sentences.append("Probabilities of networks were calibrated by temperature scaling (Guo et al., 2017).")
    sentences += _describe_searches(contents.instances)
    sentences.append(_describe_selected(contents))
    sentences.append(
        f"The random seed was {_values(settings.seed for settings in trained)}; each fold derived its own from it."
    )
    if (n_seeds := max(instance.n_repeats for instance in contents.instances)) > 1:
        sentences.append(
            f"Models with random parts were trained with {n_seeds} seeds per fold, and their values were averaged."
        )
    sentences.append(f"Software: {', '.join(versions)}." if versions else "")
    return " ".join(filter(None, sentences)).strip()


def _describe_augmentation(instances: Sequence[InstanceResults]) -> list[str]:
    ways: dict[str, list[int]] = {}
    networks = [each for each in instances if trains_network(name := each.settings.architecture) and name != ENSEMBLE]
    for instance in networks:
        used = (text for name, text in _AUGMENTATIONS.items() if getattr(instance.settings, name) not in (0, None))
        if listed := ", ".join(used):
            ways.setdefault(listed, []).append(instance.number)
    return [
        f"Training examples{'' if len(numbers) == len(networks) else f' of {_models(numbers).lower()}'} were augmented in each "
        f"epoch by {listed}."
        for listed, numbers in ways.items()
    ]


def _describe_searches(instances: Sequence[InstanceResults]) -> list[str]:
    ways: dict[str, list[int]] = {}
    for instance in instances:
        if plan := instance.settings.search_plan:
            scored = f"{plan.inner_folds} inner folds" if plan.inner_folds else "its validation items"
            ways.setdefault(f"{counted(plan.n_trials, 'trial')} of Optuna (Akiba et al., 2019), scored by {scored}", []).append(
                instance.number
            )
    return [
        f"Hyper-parameters of {_models(numbers).lower()} were searched in each fold with {how}; test items took no part."
        for how, numbers in ways.items()
    ]


def _describe_ensembles(instances: Sequence[InstanceResults]) -> str:
    """Return how ensembles weight their members, a text for each method."""
    methods = {instance.parameters.get("method") for instance in instances if instance.settings.architecture == ENSEMBLE}
    ways = [text for method, text in _ENSEMBLES.items() if method in methods]
    return f"Ensembles combine the predictions of models for the same fold: {'; or '.join(ways)}." if ways else ""


def _describe_selected(contents: PageContents) -> str:
    """Return architecture and features of the selected model, and how a network was trained."""
    selected = contents.ranking.selected
    if selected is None or (settings := contents.by_number[selected].settings).architecture in (ENSEMBLE, COMBINATION):
        return ""
    kind = settings.features if settings.frontend == "none" else f"{settings.features}, {settings.frontend} in the network"
    is_custom = any(record["store"] == CUSTOM for record in contents.by_number[selected].folds.values())
    features = "features given as arrays" if is_custom else f"features {kind} at {settings.sample_rate_hz} Hz"
    the_model = f"Model {selected}, the selected one," if len(contents.instances) > 1 else "The model"
    if not trains_network(settings.architecture):
        return f"{the_model} is {settings.architecture} ({features})."
    optimizer = _OPTIMIZERS.get(settings.optimizer, settings.optimizer)
    return (
        f"{the_model} is the network {settings.architecture} ({features}), trained by {optimizer} with a learning rate of "
        f"{settings.learning_rate:g} in batches of {settings.batch_size} for at most "
        f"{counted(settings.num_epochs, 'epoch')}."
    )


def _epochs(numbers: Iterable[int]) -> str:
    listed = _values(numbers)
    return f"{listed} epoch{'s' * (listed != '1')}"


def _values(values: Iterable[object]) -> str:
    return " or ".join(dict.fromkeys(map(str, values)))


def _describe_estimators(instances: Sequence[InstanceResults]) -> list[str]:
    """Return on which items estimators were fitted, and on which those that have settings and probabilities got them."""
    by_kind: dict[bool, list[InstanceResults]] = {True: [], False: []}
    for instance in instances:
        if instance.settings.architecture in CLASSICAL:
            by_kind[instance.settings.architecture == IGNORES_THE_AUDIO].append(instance)
    constants, fitted = by_kind[True], by_kind[False]
    sentences, by_items = [], _by_fitted_items(fitted)
    if names := sorted({instance.settings.architecture for instance in fitted}):
        ways = [f"{items}{_describe_search(estimators, items)}" for items, estimators in by_items.items()]
        sentences.append(
            f"Baselines of scikit-learn (Pedregosa et al., 2011; {', '.join(names)}) were fitted to features pooled over time "
            f"of {'; others of '.join(ways)}."
        )
    if constants:
        answer = "most frequent class" if constants[0].task.has_classes else "mean"
        sentences.append(
            f"The baseline {IGNORES_THE_AUDIO} ignores the audio and predicts the {answer} of "
            f"{' or '.join(_by_fitted_items(constants))}."
        )
    return sentences


def _by_fitted_items(instances: Sequence[InstanceResults]) -> dict[str, list[InstanceResults]]:
    """Return instances by the items that they were fitted to, in words."""
    by_items: dict[str, list[InstanceResults]] = {_ALL_ITEMS: [], _TRAINING_ITEMS: []}
    for instance in instances:
        records = instance.folds.values()
        fits_all = any("validation" in fitted_sides(record) for record in records)
        if not records:
            fits_all = fits_validation(instance.parameters)
        by_items[_ALL_ITEMS if fits_all else _TRAINING_ITEMS].append(instance)
    return {items: fitted for items, fitted in by_items.items() if fitted}


def _has_grid(estimator: InstanceResults) -> bool:
    """Return whether there are settings of an estimator to choose among."""
    options = {name: tuple(value) if isinstance(value, list) else value for name, value in estimator.parameters.items()}
    return any(len(values) > 1 for values in grid_of(options).values())


def _describe_search(estimators: Sequence[InstanceResults], items: str) -> str:
    """Return a clause on the search of settings, calibration and validation of estimators; empty: there is none of them."""
    searched = [instance.number for instance in estimators if _has_grid(instance)]
    whose = "their settings" if len(searched) == len(estimators) else f"the settings of {_models(searched).lower()}"
    has_probabilities = estimators[0].task.has_classes
    if items == _ALL_ITEMS:
        done = [f"chose {whose}"] * bool(searched) + ["calibrated their probabilities"] * has_probabilities
        by = f"inner folds over whole items {' and '.join(done)}, and " if done else ""
        return f"; {by}validation values are out of fold{'' if done else ', of inner folds over whole items'}"
    done = [f"{whose} were searched with inner folds over whole training items"] * bool(searched)
    calibrated = "probabilities calibrated" if done else "their probabilities were calibrated"
    done += [f"{calibrated} on the validation items"] * has_probabilities
    return f"; {', and '.join(done)}" if done else ""


def _describe_values(contents: PageContents) -> str:
    side = side_name(test_side(contents.instances), contents.instances)
    ranking = contents.ranking
    methods = {
        item_score["method"]
        for instance in contents.instances
        if instance.over_items
        for side_scores in instance.over_items["figures"].values()
        for item_score in side_scores.values()
        if item_score["method"]
    }
    kinds = []
    if any(method.startswith("t") for method in methods):
        kinds.append("Student t with the standard error of the jackknife (Efron & Stein, 1981)")
        kinds.append("degrees of freedom of the effective number of items (Kish, 1965), class by class (Satterthwaite, 1946)")
    clause = Variants(contents.instances).interval_words
    of = items_word(contents.instances)
    intervals = f" The 95 % intervals are {clause} ({of}, not clips; {', '.join(kinds)})." if kinds else ""
    has_labels = contents.instances[0].task.has_thresholds
    thresholds = " Thresholds of labels maximise F1 on the validation clips of each fold." * has_labels
    selected = ""
    if len(contents.instances) > 1:
        value = score_name(ranking.side, ranking.metric, contents.instances)
        selected = f" The model with the best mean {value} was selected{ranking.because}; test values were not used for this."
        if len(contents.folds.plan.folds) > 1:
            selected += (
                f" This mean covers {of} that other folds test, so the test value of the selected model is optimistically "
                f"biased (Varma & Simon, 2006). The nested value, for which each fold selects by its own validation {of}, "
                "avoids this bias."
            )
    decision = item_decision_of(contents.instances)
    unit = f"{side}s" if decision else f"{side} examples"
    targets = ""
    if len(names := contents.target_names) > 1:
        which = f" {join_words(names)}" if len(names) <= _MOST_TARGETS else ""
        targets = f" Scores are means over the {len(names)} targets{which}, whose units may differ."
    return f"All values are those of the {unit}.{targets}{intervals}{decision and f' {decision}'}{thresholds}{selected}"
