from dataclasses import replace

import pytest

from xval.errors import SettingsError
from xval.folds.split import Fold
from xval.jobs.groups import MOST_MEMBERS, describe_engine, group_jobs, one_by_one
from xval.jobs.job import Job, Refit
from xval.settings.parameters import hash_parameters
from xval.settings.resolve import Declaration, resolve

FUSED = {"backend": "jax", "engine": "fused"}


def jobs_of(*instances, n_folds=3, **shared):
    declaration = Declaration("exp.py", "exp.py", "a test", {"dataset": "toy", **shared}, dict(enumerate(instances, start=1)))
    return [
        Job(
            "results", "code", "store", instance.number, Fold(number, ("a",), ("b",), ("c",)), instance.settings,
            instance.options, instance.settings_hash, "folds", seed=number,
        )
        for instance in resolve(declaration)
        for number in range(1, n_folds + 1)
    ]  # fmt: skip


def sizes(jobs, **options):
    return [len(group) for group in group_jobs(jobs, **options)]


def test_the_engine_sequential_leaves_every_job_alone():
    jobs = jobs_of({}, {})

    assert group_jobs(jobs) == [(job,) for job in jobs]


def test_repeats_of_a_fold_are_in_the_group_of_its_instance():
    jobs = jobs_of({}, n_folds=2, **FUSED)

    (group,) = group_jobs([*jobs, *(replace(job, repeat=2, seed=job.seed + 9) for job in jobs)])

    assert [job.key for job in group] == [(1, 1, 1), (1, 2, 1), (1, 1, 2), (1, 2, 2)]


def test_folds_of_an_instance_and_of_instances_that_differ_in_what_each_member_has_for_itself_are_a_group():
    jobs = jobs_of(
        {"dropout": 0.3},
        {"dropout": 0.1, "learning_rate": 0.01, "regularization_lambda": 0.1, "comment_1": "x"},
        {"schedule": "cosine", "patience": 3, "seed": 5},
        **FUSED,
    )

    assert group_jobs(jobs) == [tuple(jobs)]


@pytest.mark.parametrize(
    "own",
    [{"n_filters": (4, 4)}, {"batch_size": 16}, {"optimizer": "sgd"}, {"clip_norm": 1.0}, {"engine": "fused_always"},
     {"augment_noise": 0.1}, {"n_mels": 32}, {"loss": "categorical_crossentropy"}],
)  # fmt: skip
def test_instances_that_differ_in_anything_else_are_groups_of_their_own(own):
    assert sizes(jobs_of({}, own, **FUSED)) == [3, 3]


def test_rates_that_differ_are_apart_in_mixed_precision():
    assert sizes(jobs_of({"dropout": 0.1}, {"dropout": 0.2}, precision="mixed_bfloat16", **FUSED)) == [3, 3]


def test_groups_leave_one_for_each_slot_and_have_no_more_members_than_allowed():
    assert sorted(sizes(jobs_of({}, n_folds=10, **FUSED), n_slots=4)) == [2, 2, 3, 3]
    many = sizes(jobs_of({}, n_folds=MOST_MEMBERS + 2, **FUSED))
    assert sum(many) == MOST_MEMBERS + 2
    assert max(many) <= MOST_MEMBERS


@pytest.mark.parametrize(
    ("own", "reason"),
    [
        ({"precision": "mixed_float16"}, "choose mixed_bfloat16 or float32"),
        ({"features": "waveform", "frontend": "logmel", "crop_s": 0.5}, "set example_length_s to crop_s"),
    ],
)
def test_what_cannot_be_trained_together_is_alone_and_says_why(own, reason):
    jobs = jobs_of(own, **FUSED)

    assert sizes(jobs) == [1, 1, 1]
    assert reason in describe_engine(jobs[0].settings, "processes")
    assert one_by_one(jobs[0])["engine"]["used"] == "sequential"
    assert reason in one_by_one(jobs[0])["engine"]["reason"]


def test_a_model_of_all_items_is_alone():
    jobs = [replace(job, refit=Refit(epochs=1)) for job in jobs_of({}, **FUSED)]

    assert sizes(jobs) == [1, 1, 1]


def test_executors_of_clusters_and_the_engine_sequential_are_told_apart():
    fused, sequential = jobs_of({}, **FUSED)[0], jobs_of({})[0]

    assert describe_engine(fused.settings, "processes") == ""
    assert "executor slurm runs a process for each job" in describe_engine(fused.settings, "slurm")
    assert describe_engine(sequential.settings, "slurm") == ""
    assert one_by_one(sequential) == {}


def test_the_engine_needs_jax():
    with pytest.raises(
        SettingsError, match=r"engine='fused' trains folds together on the backend jax; received backend='torch'"
    ):
        jobs_of({}, backend="torch", engine="fused")


def test_the_engine_changes_the_hash():
    sequential, fused = jobs_of({}, backend="jax")[0], jobs_of({}, backend="jax", engine="fused")[0]

    assert hash_parameters(sequential.parameters) == sequential.settings_hash
    assert hash_parameters(sequential.parameters | {"engine": "fused"}) == fused.settings_hash != sequential.settings_hash
