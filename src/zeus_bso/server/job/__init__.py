"""The state of a job as a whole."""
