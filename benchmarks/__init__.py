"""Benchmarks, runnable by anyone; never timed tests."""
