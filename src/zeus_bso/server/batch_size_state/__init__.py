"""The state of a job's batch sizes: trials and arms."""
