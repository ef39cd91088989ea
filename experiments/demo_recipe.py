"""Words of unseen speakers, trained on nine speakers: an SVM on MFCC and augmented copies of the clips (demo corpus, 4 folds).

Mean test accuracy 0.87 to 0.90, chance 0.17; 11 seconds of CPU time. docs/recipe.md: how it was chosen, on other speakers.

xval prepare demo
xval augment data/demo/audio data/demo_copies/audio 5 --set pitch_shift_probability=1 --set equalizer_probability=1 \
    --set background_noise_probability=0 --set band_limit_probability=0 --set clipping_probability=0 --set gain_probability=0 \
    --set reverb_probability=0 --set time_stretch_probability=0
xval prepare demo --audio-folder data/demo_copies/audio --dataset demo_copies
python experiments/demo_recipe.py
"""

from xval import Experiment

experiment = Experiment(
    description="Words of unseen speakers: an SVM on MFCC and augmented copies of the clips",
    dataset="demo_copies",
    num_experiment=5,
    num_folds=4,
    validation_fraction=0.1,
    architecture="svm",
    features="mfcc",
    n_mfcc=13,
    n_mels=40,
    mel_scale="htk",
    fmin_hz=200,
    fmax_hz=5000,
    win_length=512,
    db_reference="max",
    time_parts=2,
)
experiment[1] = {"C": (10,), "gamma": ("scale",), "comment_1": "SVM on MFCC of two parts of the time"}

if __name__ == "__main__":
    experiment.main()
