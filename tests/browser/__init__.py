"""Tests of the page in a real browser: Debian's chromium, headless."""
