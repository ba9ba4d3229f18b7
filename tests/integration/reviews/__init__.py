"""Pull requests as worktrees: real git, bare remotes with the refs of a forge, plugins that are installed."""
