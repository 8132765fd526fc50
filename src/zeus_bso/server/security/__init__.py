"""Access control: tokens and their scopes, sessions of the dashboard, and security headers."""
