"""The training script's side: asks the server for a batch size and reports how the run goes."""
