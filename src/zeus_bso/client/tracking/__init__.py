"""Logs a run to experiment trackers. None of it ends or delays a training."""
