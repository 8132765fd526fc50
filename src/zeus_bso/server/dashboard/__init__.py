"""The dashboard: what the optimizer believes, what it saved, and why it chooses. Pages for people; it reads only."""
