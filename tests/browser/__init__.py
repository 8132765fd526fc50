"""Tests of the dashboard and of the documentation site in a browser."""
