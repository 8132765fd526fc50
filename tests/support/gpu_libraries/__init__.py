"""Stand-ins for GPUs that are not there: modules with the names and the functions of their makers' libraries.

Put this folder on the path of a process and it sees the GPUs that ``TEST_GPUS`` describes, a JSON list.
"""
