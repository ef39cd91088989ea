"""Everything that findings say: of each code its slug, its messages with their advice, and its explanation.

Fields in braces are filled in where a finding is made. docs/reference/findings.md is made of this table. XV1 stands for the
data, XV2 for the training, XV3 for the result.
"""

from typing import NamedTuple

from xval.settings.finding_codes import Code


class Text(NamedTuple):
    """A message, and what to do."""

    message: str
    advice: str


class Entry(NamedTuple):
    """What is said under a code.

    Attributes:
        slug: A short name, as a rule of ruff has one.
        texts: By case; a finding that has one case has it under ``""``.
        why: Why it matters, and how it is computed, for docs (Markdown).
    """

    slug: str
    texts: dict[str, Text]
    why: str


def _one(message: str, advice: str) -> dict[str, Text]:
    return {"": Text(message, advice)}


_REMOVE = "The scores are optimistic: xval audit lists the clips. Remove them and run again."
_UNVALIDATED = "Validation {items} of {folds} lack {classes}, so validation {metric} is undefined there and "
_VALIDATE_MORE = "Let more {items} validate ({how}), so that each class is among them."
_RECORD_FOR_VALIDATION = "Record more {items} of {rare}: each fold needs one for training, one for validation and one for test."
_LOSS = "validation loss is worse than that of guessing"

TABLE: dict[Code, Entry] = {
    Code.HEARD_BEFORE: Entry(
        "trained-on-test",
        {
            "leaked": Text("{Who}: {parts} was trained on clips or {items} that are tested here.", _REMOVE),
            "near-duplicates": Text("{Who}: some tested clips are nearly identical to training clips.", _REMOVE),
            "unknown": Text(
                "{Who}: pretrained part of unknown origin: {parts}.",
                "It may have been trained on tested clips. State its training data (pretrained_on), or compare with "
                "a variant without it.",
            ),
            "stated": Text(
                "{Who}: {parts} was trained on {vouched}, as you state (pretrained_on).",
                "Make sure that no tested {item} is in this data.",
            ),
        },
        "A model that was trained on the tested speakers recognises them, so its scores show nothing about unseen "
        "ones. Models of xval are recognised by their hashes, others by their names; `xval prepare CORPUS --check` finds "
        "near-duplicates. The worst verdict of all jobs counts, and it stays next to the scores even where XV101 is "
        "silenced.",
    ),
    Code.RANDOM_SPLIT: Entry(
        "random-split",
        _one(
            "{Counts}, as in a random split.",
            "If several clips are of one speaker, session or recording, make that the item (--item-pattern, or a column item).",
        ),
        "If a speaker is in training and test, the scores are those of known voices. Printed if more than half of "
        "the tested clips are the only one of their item. If each clip really is another speaker, silence it.",
    ),
    Code.CORPUS: Entry(
        "dataset",
        _one("{What}{whose}.", "{Advice}."),
        "A model can learn a property of the dataset instead of the target: near-duplicates, contradicting "
        "or corrected labels, a class of one speaker, resampled, cut or padded clips, channels that cancel, sound "
        "above half of `sample_rate_hz`. The model may then predict from length, silence, recorder or copy. Found "
        "in the table of the dataset and the settings of the features, before training. [Messages about the "
        "dataset](../data_messages.md) explains each.",
    ),
    Code.FEW_ITEMS: Entry(
        "few-speakers",
        {
            "": Text(
                "Only {few} {were} tested; one more could change score and interval considerably.",
                "Record more {items}; more clips of the same ones do not help.",
            ),
            "of a class": Text(
                "Only {few} {were} tested; one more could change score and interval considerably.",
                "Record more {items} of {classes}; more clips of the same ones do not help.",
            ),
            "without interval": Text(
                "Only {few} {were} tested, so scores over classes, such as {metric}, have no interval.",
                "Record more {items} of {classes}; more clips of the same ones do not help.",
            ),
        },
        "With fewer than 6 speakers the standard deviation between them is hardly known. The same holds for a class "
        "that few speakers have: AUC, recalls and balanced accuracy vary with these speakers, however many others "
        "there are. With fewer than 3 of a class these scores have no interval at all.",
    ),
    Code.FEW_VALIDATION_ITEMS: Entry(
        "few-validation-speakers",
        {
            "next fold": Text(
                "Only {n_validated} of the {n_items} {items} rank the variants and choose epochs (validation).",
                "Set validation = next_fold, so that each {item} validates once.",
            ),
            "": Text(
                "Only {n_validated} of the {n_items} {items} rank the variants and choose epochs (validation).",
                "Do not choose by small differences, which may be luck.",
            ),
        },
        "With few validation speakers the choice fits only them. Printed if less than half of all speakers validate in any "
        "fold, and two or more variants are ranked.",
    ),
    Code.FOLDS_LACKING_CLASSES: Entry(
        "missing-classes",
        {
            "": Text("{what}.", "Read the pooled scores, which are of all folds together."),
            "validation": Text(_UNVALIDATED + "its mean is of {left}.", _VALIDATE_MORE),
            "no validation": Text(_UNVALIDATED + "ranks nothing.", _VALIDATE_MORE),
            "validation of few": Text(_UNVALIDATED + "its mean is of {left}.", _RECORD_FOR_VALIDATION),
            "no validation of few": Text(_UNVALIDATED + "ranks nothing.", _RECORD_FOR_VALIDATION),
        },
        "Balanced accuracy, macro F1, AUC or correlations of such a fold are of fewer classes, or undefined, and so "
        "is their mean over folds. Found in the targets of each fold's predictions. A validation part without some class "
        "has no such score; tables then say `(6 of 12 folds)`. With `validation = fraction` speakers are drawn so that each "
        "class validates where it has three speakers: one each for training, validation and test. A larger "
        "`validation_fraction` lets more speakers validate.",
    ),
    Code.UNTUNED_LABELS: Entry(
        "untuned-threshold",
        _one(
            "No validation clip has the label {listed}, so its threshold there is 0.5 by default.",
            "Read its average precision, which needs no threshold, or let more {items} validate (validation_fraction).",
        ),
        "In multi-label classification validation clips choose the threshold of each label. Without any it is 0.5, "
        "which may never be reached.",
    ),
    Code.OTHER_CLIPS: Entry(
        "different-clips",
        _one(
            "Variants differ in {names}, so their {sides} scores are of different clips and cannot be compared.",
            "Compare variants that agree in train_where, test_where and enrolment_s.",
        ),
        "They are tested, or ranked by validation, on other clips; the easier clips win.",
    ),
    Code.SHARED_COLUMN: Entry(
        "shared-column",
        _one("{described}: one '{column}' is in training and test.", "{advice}."),
        "Folds keep whole items in one part. If the item is a session, other sessions of the same speaker train the "
        "model, so scores are those of known voices. If the column also determines the label (each patient has one "
        "diagnosis), a model that recognises the speaker can infer the label, and even random labels reach high scores: "
        "the experiment is then *not valid as a test*, and `xval audit` prints *FAILED*. Found for columns with one "
        "value for each item and several items for most values; measured numbers, other names of the label and "
        "conditions such as gender or dialect are ignored. If results should hold only for new sessions of known "
        "speakers, silence this finding.",
    ),
    Code.FOLDS_MISSING: Entry(
        "missing-folds",
        {
            "": Text(
                "{Listed} folds, so means skip {items}, perhaps the hard ones, and cannot be compared.",
                "Run the same command again before you report anything.",
            ),
            "failed": Text(
                "{Listed} folds, so means skip {items}, perhaps the hard ones, and cannot be compared.",
                "Fix the error (sheet folds of results.xlsx) and run the same command again.",
            ),
        },
        "`3 (4/6)` is variant 3, of which 4 of 6 folds are finished.",
    ),
    Code.REPEATS_MISSING: Entry(
        "missing-seeds",
        _one(
            "{Listed} seeds, so means are over the finished ones.",
            "Run the same command again. Until then pooled scores are over the seeds that have every fold.",
        ),
        "Every fold has a finished job, but not each of the `repeats` seeds. Folds with fewer seeds vary more.",
    ),
    Code.LAST_EPOCH: Entry(
        "best-epoch-is-last",
        _one(
            "The best epoch is the last one in {listed}, so training ended while it was still improving.",
            "Raise num_epochs; early_stopping ends training in time.",
        ),
        "The scores are below what this network can reach. `2 (5/6)` is variant 2, in 5 of 6 jobs; printed from half "
        "of the jobs on. Not known with `restore_best_weights = false`.",
    ),
    Code.EDGE_OF_SEARCH: Entry(
        "search-at-edge",
        _one(
            "The best {where}{more}.",
            "Widen the range in search(), where the setting allows it, because a better value may be outside it.",
        ),
        "In more than half of the folds the chosen value is in the outer 5 % of its range, on the scale from which "
        "it was drawn.",
    ),
    Code.BELOW_ESTIMATOR: Entry(
        "below-baseline",
        _one(
            "{Networks} worse than the estimator {best}: {metric} {values}.",
            "Train longer (num_epochs), with another learning_rate or a smaller network, or use the estimator.",
        ),
        "A network that a support vector machine beats has not learned what is in the features: it is too large for "
        "the dataset, or badly trained. Compared by the mean main validation metric over the same folds, never by "
        "test scores and not by the loss, because estimators are calibrated.",
    ),
    Code.TOO_SURE: Entry(
        "overconfident",
        {
            "network": Text(
                "{Who} {are} overconfident: {its} " + _LOSS + ".",
                "Do not use {its} probabilities. Set calibration = temperature, or try monitor = val_loss, "
                "label_smoothing or fewer num_epochs.",
            ),
            "calibrated network": Text(
                "{Who} {are} overconfident: {its} " + _LOSS + ".",
                "Do not use {its} probabilities. Try monitor = val_loss, label_smoothing or fewer num_epochs.",
            ),
            "estimator": Text(
                "{Who} {are} overconfident: {its} " + _LOSS + ".",
                "Do not use {its} probabilities. Let more {items} validate (validation_fraction).",
            ),
            "regression": Text(
                "Some predictions of {who} are far off: {its} " + _LOSS + ".",
                "Look at the worst predictions; try a lower learning_rate or fewer num_epochs.",
            ),
            "regression estimator": Text(
                "Some predictions of {who} are far off: {its} " + _LOSS + ".",
                "Look at the worst predictions; let more {items} validate (validation_fraction).",
            ),
            "weighted": Text(
                "Probabilities of {who} do not match how often classes occur: {its} " + _LOSS + ".",
                "Do not use {its} probabilities, because class_weights and sampling make rare classes look frequent.",
            ),
            "shares": Text(
                "Probabilities of {who} do not match how often classes occur: {its} " + _LOSS + ".",
                "Do not use {its} probabilities. Set calibration = temperature, or train longer (num_epochs).",
            ),
            "calibrated shares": Text(
                "Probabilities of {who} do not match how often classes occur: {its} " + _LOSS + ".",
                "Do not use {its} probabilities. Train longer (num_epochs).",
            ),
            "shares of an estimator": Text(
                "Probabilities of {who} do not match how often classes occur: {its} " + _LOSS + ".",
                "Do not use {its} probabilities. Let more {items} validate (validation_fraction).",
            ),
        },
        "Wrong predictions have high probabilities (in regression: some predictions are far off), so that a "
        "threshold or an average over clips misleads, although the predictions are above chance. Temperature "
        "scaling (`calibration = temperature`) is fitted to the validation clips. If the loss is no more than that "
        "of equal probabilities for all classes, the model is not overconfident but gives rare classes too much. "
        "The mean validation loss over folds is compared with that of a constant prediction made of the training examples.",
    ),
    Code.DIVERGED: Entry(
        "diverged",
        _one(
            "Training diverged in {listed}, so the models are those of an earlier epoch.",
            "Lower learning_rate or set clip_norm, because later epochs might have been better.",
        ),
        "A loss, a monitored value or a weight became NaN or infinite. Training then ends, and the model is that of "
        "the best epoch before (with `restore_best_weights = false` of the last good one). `record.json` has epoch "
        "and reason (`diverged`). If the first epoch diverges, the job fails; a trial of a search that diverges "
        "counts as the worst.",
    ),
    Code.FAILED_PARTS: Entry(
        "failed-part",
        _one(
            "A part that no score needs failed in {who}: {part}{more}.",
            "The scores are valid. Read the error in record.json of the fold.",
        ),
        "Without `calibration` the probabilities are those of the network; without `novelty`, `predict` cannot "
        "report out-of-distribution audio. The error is in `failed_parts` of `record.json`.",
    ),
    Code.NOT_ABOVE_CHANCE: Entry(
        "not-above-chance",
        {
            "interval": Text(
                "Not {above_chance}: {who}, because the 95 % interval of {metric} includes chance or is worse{by}.", "{advice}"
            ),
            "value": Text(
                "Not {above_chance}: {who}, because {metric} is not {above_chance} and has no interval{by}.", "{advice}"
            ),
            "both": Text(
                "Not {above_chance}: {who}, because the 95 % interval of {metric}, or the score where it has none, "
                "includes chance or is worse{by}.",
                "{advice}",
            ),
        },
        "Such a model may have learned nothing, so its rank is luck. Look at labels and learning curves; train "
        "longer, balance the classes (`class_weights = balanced`), try other features, or test more speakers. For a "
        "variant that was chosen among others, the nested estimate is tested.",
    ),
    Code.ITEM_KNOWN: Entry(
        "knows-the-speaker",
        _one(
            "Above chance, but no better than recognising the {item}: {who} {levels}.",
            "Compare with these levels instead of chance, or test {items} of other groups (train_where, test_where).",
        ),
        "If each speaker has only some of the classes, a model that recognises the speaker is above chance without "
        "having learned the class. *Shuffled*: the same predictions with true classes permuted within each speaker. "
        "*By group*: one prediction for each group of speakers with the same classes.",
    ),
    Code.TIE: Entry(
        "no-clear-winner",
        _one(
            "No clear winner: {who} is not significantly better than {others} (test: {shown}, against variant {to}).",
            "{step}",
        ),
        "With other speakers another variant might be best. Use the cheapest of the named variants, unless the "
        "advice names a study that would show the difference. The test is that of [`xval "
        "compare`](../statistics.md), over test speakers; variants that are not above chance are skipped.",
    ),
    Code.NESTED: Entry(
        "nested-estimate",
        {
            "": Text("{nested}", "Report this nested estimate first; {chosen}."),
            "leaked": Text("{nested}", "Do not report this estimate, which has the same leak; {chosen}."),
        },
        "The score of the selected variant is optimistically biased, because the best of several was taken. In "
        "nested cross-validation each fold tests the variant that its own validation speakers choose (Varma and "
        "Simon 2006), so it has no such bias. The selection bias is the selected score minus the nested one, an "
        "estimate that may be below 0.",
    ),
    Code.SEEDS: Entry(
        "variants-differ-in-seed",
        _one(
            "Variants {listed} differ only in their seed, so they are one method and share one rank.",
            "Declare one variant with repeats = {n} instead.",
        ),
        "The best of them is only the luckiest seed. With `repeats` the mean and the standard deviation "
        "between seeds are shown.",
    ),
    Code.FITTED_VALIDATION: Entry(
        "fitted-validation",
        _one(
            "Validation does not rank {who}, because the one {item} that validates also chose or weighted its members.",
            "Compare by test scores, or let two or more {items} validate in each fold.",
        ),
        "The validation score of such an [ensemble](../ensembles.md) (`choose`, `stack`) is optimistic.",
    ),
    Code.NO_POOLED_VALUES: Entry(
        "no-pooled-scores",
        _one(
            "There are no pooled scores of {who}: {reason}.",
            "Intervals are those of means over {items}. Run these folds again if you want pooled scores.",
        ),
        "Predictions are missing or too large, or no seed has all folds. Metrics that need all folds together are "
        "then missing.",
    ),
    Code.COPIES: Entry(
        "same-settings",
        _one(
            "{Variants} have the same settings and seed, so they are one model.",
            "Remove {others}, or change the setting in which they should differ.",
        ),
        "Comments and numbers do not change a model. Copies only take time, and no test can show a difference between them, "
        "so the three lines compare only the first of them. To see how much the seed matters, declare one variant with "
        "`repeats = 3`.",
    ),
}
