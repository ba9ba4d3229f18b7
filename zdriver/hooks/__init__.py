"""What a repository's `.zdriver.toml` asks for: hooks, files to copy, ports."""
