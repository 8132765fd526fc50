"""Energy sensors, one module per kind of device."""
