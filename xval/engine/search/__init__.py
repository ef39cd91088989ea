"""Search inside the folds: what each fold tries, in which order, what is stopped early, and what is chosen."""
