"""Export of whole jobs to files, and import into another database."""
