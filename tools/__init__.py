"""Programs for the developers of this package; no wheel has them."""
