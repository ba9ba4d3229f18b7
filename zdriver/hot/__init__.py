"""The hot copy of contexts, for other tools and machines. The store's journal stays the truth."""
