"""Zdriver's own test servers: do they do what tests rely on?"""
