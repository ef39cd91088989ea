"""Who trains, who validates and who is tested."""
