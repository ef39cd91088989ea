"""Which instances make a learning curve."""

from xval.answers.learning_curves import CurvePoint, learning_curves


def test_instances_that_differ_in_train_fraction_alone_make_a_curve(make_instance, make_record):
    def instance(number, n_items, **parameters):
        records = [make_record(fold, {"accuracy": 0.5}) for fold in (1, 2)]
        for record, n in zip(records, n_items, strict=True):
            record["items"] = {"training": [f"s{item}" for item in range(n)], "validation": ["v"], "test": ["t"]}
        return make_instance(number, records, **parameters)

    found = [
        instance(1, (8, 9), architecture="a", comment_1="all"),
        instance(2, (2, 2), architecture="a", train_fraction=0.25, comment_1="few"),
        instance(3, (4, 5), architecture="a", train_fraction=0.5),
        instance(4, (4, 5), architecture="b", train_fraction=0.5),
        instance(5, (8, 9), architecture="c", seed=2),
    ]
    seconds = [
        instance(number, (8, 9), normalization="per_item", enrolment_s=value)
        for number, value in enumerate((10.0, 2.0, None), 6)
    ]
    assert learning_curves(seconds, "enrolment_s") == [(CurvePoint(7, 2, 2), CurvePoint(6, 10, 10))]
    assert not learning_curves([*found, *seconds[:1]], "enrolment_s")
    assert learning_curves(found) == [(CurvePoint(2, 0.25, 2), CurvePoint(3, 0.5, 4.5), CurvePoint(1, 1.0, 8.5))]
