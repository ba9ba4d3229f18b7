"""Where pull requests live, and how one is asked for: the built-in ones, registered like any plugin."""
