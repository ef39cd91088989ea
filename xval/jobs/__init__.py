"""What a job is, which there are, which process has it, and what it leaves."""
