"""What `evaluate` says of clips that a model was trained on, or that chose its epoch."""

from xval.base.errors import counted, verb_of
from xval.models.saved.provenance import SeenClips
from xval.reuse.new_data.labelled_clips import LabelledClips

_N_SHOWN = 3


def describe_seen(clips: LabelledClips, seen: SeenClips, *, n_members: int, left_out: bool) -> list[str]:
    """Return warnings about seen clips, which are left out of the figures or make them too good."""
    lines = []
    n_seen = int(seen.either.sum())
    if n_seen:
        n_audio = 0 if seen.by_audio is None else int(seen.by_audio.sum())
        counts = {"audio": n_audio, "item": int(seen.by_item.sum())}
        ways = [f"{count} by their {way}" for way, count in counts.items() if count]
        examples = clips.table["clip"][seen.either].head(_N_SHOWN).tolist()
        shown = ", ".join(examples) + (", ..." if n_seen > len(examples) else "")
        model = "this model" if n_members == 1 else f"at least one of the {n_members} models"
        end = "excluded" if left_out else "the scores are optimistically biased. --leave-out-seen excludes them"
        lines.append(
            f"{n_seen} of {counted(len(clips), 'clip')} {verb_of(n_seen)} in the training data of {model} "
            f"({', '.join(ways)}; {shown}): {end}."
        )
    if seen.by_audio is None:
        lines.append("Cannot check whether the model was trained on these clips: seen_audio.npy is missing.")
    if perhaps := sorted(set(clips.table["item"][seen.perhaps])):
        shown = ", ".join(perhaps[:_N_SHOWN]) + (", ..." if len(perhaps) > _N_SHOWN else "")
        lines.append(
            f"{counted(len(perhaps), 'item')} with the same name as a training item of the model ({shown}), perhaps the same."
        )
    return lines
