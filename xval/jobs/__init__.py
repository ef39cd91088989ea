"""Jobs: their definition, planning, claiming by processes, and their files."""
