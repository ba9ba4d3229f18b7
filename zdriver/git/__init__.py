"""Git, as far as zdriver asks it: every call and every parse of it."""
