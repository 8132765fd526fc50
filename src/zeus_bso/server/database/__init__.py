"""Engine, schema and migrations."""
