"""Business operations on the state of jobs."""
