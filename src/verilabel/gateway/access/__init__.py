"""Who may ask: virtual keys and roles."""
