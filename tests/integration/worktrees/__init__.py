"""Worktrees under kills, races, full disks and hostile input: real git, a real store, real processes."""
