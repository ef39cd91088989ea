"""The process that runs a job; run.py has the complete path of one fold."""
