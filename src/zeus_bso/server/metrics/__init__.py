"""What a monitoring system asks of the server, for Prometheus."""
