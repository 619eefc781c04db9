"""What this repository adds to the plugin: nothing yet. Fixtures and hooks of your own go here."""
