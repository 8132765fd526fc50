"""Who may ask for what: tokens and their scopes, sessions of the dashboard, and what every answer carries."""
