"""The server: what is known about each job, and what its next recurrence should run.

::

    client request -> Router -> Optimizer -> ZeusService -> JobStateRepository        -> DB
                                  |   ^                  -> BatchSizeStateRepository ->
                                  v   | decision values
                  Explorer, Mab, surrogate   (policy: pure, no I/O)
"""
