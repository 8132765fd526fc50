"""What every request passes, whatever it asks for."""
