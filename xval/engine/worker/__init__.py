"""What happens in the process that runs a job; run.py has the whole path of one fold."""
