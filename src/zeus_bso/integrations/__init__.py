"""Callbacks for training frameworks. Each module imports its framework.

These frameworks fix the batch size before training. Ask for it first, build the data loaders with it, and let the
callback do the rest. A callback cannot change the batch size.
"""
