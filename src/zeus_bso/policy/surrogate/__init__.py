"""Our own algorithm, which needs fewer runs."""
