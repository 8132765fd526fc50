"""Past runs of jobs, which are no trials: rows, and their repository."""
