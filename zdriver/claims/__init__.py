"""Who holds a worktree: leases, fencing tokens, a queue."""
