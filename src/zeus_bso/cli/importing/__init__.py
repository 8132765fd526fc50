"""Past runs from files and trackers, for ``zeus-bso runs import``."""
