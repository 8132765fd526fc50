"""Callbacks for training frameworks; each module needs its framework, which is loaded with it and not before.

The batch size of these frameworks is set before training: ask for it first, build the data loaders with it, and let the
callback do the rest. Nothing that a callback does to a batch size has an effect.
"""
