"""Read-only views for people: results and savings over many trials or many jobs at once."""
