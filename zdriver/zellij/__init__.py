"""Zellij, as far as zdriver drives it: its layout language, its configuration, its pipes."""
