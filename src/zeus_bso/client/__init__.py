"""The client for training scripts. It asks the server for a batch size, and reports the run."""
