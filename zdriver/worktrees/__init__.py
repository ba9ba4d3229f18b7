"""Typed git worktrees: made in one step, safely removed, pull requests reviewed in them."""
