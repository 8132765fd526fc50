"""Delivers the messages of a run to the server, and keeps them until then."""
