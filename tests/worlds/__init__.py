"""Runs in worlds that are not as they should be: what they say, and what they leave."""
