"""Adapters for monitors of other packages."""
