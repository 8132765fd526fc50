"""Builds the documentation site: ``python -m tools.docs_site``."""
