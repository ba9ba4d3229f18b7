"""What stands behind the Makefile: environments, checks, tests. Standard library only."""
