"""What other tools know, read without changing anything of theirs, and taken over."""
