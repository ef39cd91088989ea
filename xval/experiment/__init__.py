"""What a script declares and what its command line does: check, make stores, run the jobs, print, refit."""
