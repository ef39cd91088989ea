"""What the settings of a grid share changes no answer: scikit-learn on the features themselves answers the same."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import f1_score
from sklearn.model_selection import GroupKFold, ParameterGrid
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR

from xval.training.classical import shared_inputs
from xval.training.classical.estimators import EstimatorSpec
from xval.training.classical.kernels import decide
from xval.training.classical.search import Part, fit_estimator

N_CLASSES, N_FEATURES = 3, 300
GROUPS = np.repeat(np.arange(6), 15)
MACHINES = {
    "svm rbf": ("svm", "rbf", {"C": (0.1, 10.0), "gamma": ("scale", 1e-3, 1e-2)}),
    "svm linear": ("svm", "linear", {"C": (1e-3, 1.0), "gamma": ("scale",)}),
    "svr rbf": ("svr", "rbf", {"C": (0.1, 10.0), "epsilon": (0.1, 0.5), "gamma": ("scale", 1e-3)}),
    "svr linear": ("svr", "linear", {"C": (1e-3, 1e-1), "epsilon": (0.1,), "gamma": ("scale",)}),
    "ridge": ("ridge", "rbf", {"alpha": (1000.0, 10.0, 0.1)}),
    "logistic": ("logistic", "rbf", {"C": (1e-3, 1e-2, 1e-1)}),
}


def wide(seed=0, dtype=np.float32):
    """Return more features than examples, in few directions and with noise, and classes that are heard in some of them."""
    rng = np.random.default_rng(seed)
    classes = np.arange(len(GROUPS)) % N_CLASSES
    features = rng.normal(size=(len(GROUPS), 10)) @ np.random.default_rng(9).normal(size=(10, N_FEATURES))
    features += rng.normal(size=features.shape)
    features[np.arange(len(GROUPS)), classes] += 15
    numbers = np.stack([features[:, 5] + classes, features[:, 7]], axis=1)
    return features.astype(dtype), classes, numbers


def fit(name, kernel, grid, *, n_outputs=1, **changes):
    features, classes, numbers = wide()
    has_classes = name in ("svm", "logistic")
    targets = classes if has_classes else numbers[:, :n_outputs]
    outputs = N_CLASSES if has_classes else n_outputs
    spec = EstimatorSpec(name, grid, kernel=kernel, n_components=changes.pop("n_components", 0))
    return fit_estimator(Part(features, targets), GROUPS, spec, n_outputs=outputs, has_classes=has_classes, seed=1, **changes)


def estimator_of_scikit_learn(name, kernel, settings):
    match name:
        case "svm":
            return SVC(kernel=kernel, break_ties=True, **settings)
        case "svr":
            return SVR(kernel=kernel, **settings)
        case "ridge":
            return Ridge(**settings)
    return LogisticRegression(max_iter=20_000, tol=1e-9, **settings)


@pytest.mark.parametrize("case", MACHINES)
def test_the_search_scores_as_scikit_learn_does_on_the_features_themselves(case):
    name, kernel, grid = MACHINES[case]
    features, classes, numbers = wide()
    targets = classes if name in ("svm", "logistic") else numbers[:, 0]
    wanted = []
    for settings in ParameterGrid({key: list(values) for key, values in grid.items()}):
        scores = []
        for fitted, held in GroupKFold(5).split(features, None, GROUPS):
            scaler = StandardScaler().fit(features[fitted])
            estimator = estimator_of_scikit_learn(name, kernel, settings)
            answers = estimator.fit(scaler.transform(features[fitted]), targets[fitted]).predict(
                scaler.transform(features[held])
            )
            if name in ("svm", "logistic"):
                scores.append(f1_score(targets[held], answers, average="macro", zero_division=0))
            else:
                scores.append(np.mean((answers - targets[held]) ** 2))
        wanted.append((settings, np.mean(scores)))

    grid_scores = fit(name, kernel, grid).grid

    assert [point.settings for point in grid_scores] == [settings for settings, _ in wanted]
    np.testing.assert_allclose([point.score for point in grid_scores], [score for _, score in wanted], rtol=1e-5)
    assert len({round(score, 6) for _, score in wanted}) > 1, "all settings are alike, and nothing is tested"


@pytest.mark.parametrize("n_components", [0, 20])
def test_an_svm_is_chosen_as_without_shared_kernels_and_stays_an_ordinary_one(monkeypatch, n_components):
    name, kernel, grid = MACHINES["svm rbf"]
    unseen, truth, _ = wide(seed=1)
    validation = Part(*wide(seed=2)[:2])

    quick = fit(name, kernel, grid, n_components=n_components, class_weight="balanced", validation=validation)
    monkeypatch.setattr(shared_inputs, "_LARGEST_KERNEL_BYTES", 0)  # as with more examples than a kernel is made of
    slow = fit(name, kernel, grid, n_components=n_components, class_weight="balanced", validation=validation)

    assert quick.grid == slow.grid
    assert quick.pipeline[-1].kernel == "rbf"
    assert quick.pipeline[-1].support_vectors_.shape[1] == (n_components or N_FEATURES)
    np.testing.assert_allclose(quick.answers(unseen), slow.answers(unseen), atol=1e-6)
    assert (quick.answers(unseen).argmax(axis=1) == truth).mean() > 0.6


@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("case", ["svm rbf", "svm linear", "svr rbf", "svr linear"])
def test_a_fitted_machine_decides_by_matrix_products_what_it_decides_itself(monkeypatch, case, n_outputs):
    name, kernel, grid = MACHINES[case]
    fitted = fit(name, kernel, {key: values[-1:] for key, values in grid.items()}, n_outputs=n_outputs).pipeline
    unseen = wide(seed=1)[0]
    monkeypatch.setattr("xval.training.classical.kernels._AT_ONCE_BYTES", 8 * 100 * 7)  # in several parts

    method = "decision_function" if name == "svm" else "predict"
    answers = decide(fitted, unseen, method)

    np.testing.assert_allclose(answers, getattr(fitted, method)(unseen), rtol=1e-9, atol=1e-9)
    assert fitted[-1].get_params().get("kernel", kernel) == kernel, "the fitted estimator is left as it was"


def test_a_machine_without_support_vectors_answers_too():
    features = wide()[0]
    spec = EstimatorSpec("svr", {"epsilon": (0.5,)})

    constant = fit_estimator(Part(features, np.ones((len(features), 1))), GROUPS, spec, n_outputs=1, has_classes=False, seed=1)

    assert len(constant.pipeline[-1].estimators_[0].support_vectors_) == 0
    assert np.ptp(constant.answers(features)) == 0
