"""The reference algorithm: pruning, then a bandit."""
