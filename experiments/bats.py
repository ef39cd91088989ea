"""Sound event detection in frames of 50 ms: bat calls, with networks on the waveform (SincNet, DENet).

It needs recordings with annotated calls. If two annotators disagree, see annotation_policy in config.ini. Results are metrics
of frames, segments and events. events.csv next to each model lists the annotated and the predicted events.

xval prepare bats FOLDER --task-type frame_classification
python experiments/bats.py

Any recordings with a table of events: xval prepare events TABLE.csv --task-type frame_classification, then
python experiments/bats.py --set dataset=NAME

At 16 kHz, as here, the networks get no sound above 8 kHz. For echolocation set the rate of the files:
--set sample_rate_hz=250000
"""

from xval import Experiment

experiment = Experiment(
    description="Calls in long recordings, frame by frame, in unseen recordings",
    dataset="bats",
    task_type="frame_classification",
    num_folds=5,
    features="waveform",
    sample_rate_hz=16000,
    annotation_policy="ignore_disagreement",
    event_median_frames=3,
    event_min_duration_s=0.1,
    num_epochs=50,
    batch_size=32,
)
experiment[1] = {"architecture": "denet", "comment_1": "denet"}
experiment[2] = {"architecture": "denet", "before_pooling": False, "comment_1": "denet", "comment_2": "DE layer after pooling"}
experiment[3] = {"architecture": "sincnet", "optimizer": "rmsprop", "comment_1": "sincnet"}
experiment[4] = {"architecture": "denet", "label_form": "multi_label", "comment_1": "denet", "comment_2": "several classes"}

if __name__ == "__main__":
    experiment.main()
