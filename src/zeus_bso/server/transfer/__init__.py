"""Whole jobs as files, from one database to another."""
