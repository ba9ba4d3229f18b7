"""Stores, each beside its engine."""
