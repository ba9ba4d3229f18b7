"""Words that every layer shares: ids, clock, errors, paths, configuration."""
