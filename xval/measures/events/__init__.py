"""Events in recordings: find them in frames, match them with annotated events, compute scores."""
