"""Where the plugin's own test lies: known without importing pytest."""

from __future__ import annotations

from pathlib import Path

SHIPPED_TEST = Path(__file__).parent / "shipped" / "test_training_jobs.py"
