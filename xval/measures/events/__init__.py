"""Events in recordings: find them in frames, match them with the annotated ones, measure."""
