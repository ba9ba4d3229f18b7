"""Shared configuration, linked into every worktree of a container."""
