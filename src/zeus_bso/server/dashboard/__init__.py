"""The dashboard: pages that show what the optimizer believes, what it saved, and why it chooses. It only reads."""
