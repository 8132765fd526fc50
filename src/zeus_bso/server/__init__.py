"""The server, which stores what is known about each job and decides what its next recurrence runs.

::

    client request -> Router -> Optimizer -> ZeusService -> JobStateRepository        -> DB
                                  |   ^                  -> BatchSizeStateRepository ->
                                  v   | decision values
                  Explorer, Mab, surrogate   (policy: pure, no I/O)
"""
