"""The wire protocol: what the client and the server share."""
