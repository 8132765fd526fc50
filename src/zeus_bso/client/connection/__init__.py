"""Connects the client to a server."""
