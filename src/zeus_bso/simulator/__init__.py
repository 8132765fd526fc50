"""Recurring jobs on recorded traces: the policies' own code, without a GPU and without waiting."""
