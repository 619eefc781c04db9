"""The files from which pytest takes settings, read without pytest: its import would take longer than a whole list."""

from __future__ import annotations

import configparser
import shlex
from pathlib import Path

FILES = ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg")
"""In pytest's order: the first with settings counts."""


def find_settings(folder: Path) -> tuple[Path | None, dict[str, str]]:
    """Return the file in this folder that has pytest's settings, and these; None and nothing if none has any."""
    for path in (folder / name for name in FILES):
        if path.is_file() and (settings := read_settings(path)) is not None:
            return path, settings
    return None, {}


def read_settings(file: Path) -> dict[str, str] | None:
    """Return pytest's settings in a file, None where it has none; of a broken file pytest itself says what is wrong."""
    is_pytests = "pytest" in file.name
    try:
        text = file.read_text(encoding="utf-8")
        settings = _in_toml(text, file) if file.suffix == ".toml" else _in_sections(text, file)
    except (OSError, ValueError, configparser.Error):
        return {} if is_pytests else None
    return {} if settings is None and is_pytests else settings


def _in_sections(text: str, file: Path) -> dict[str, str] | None:
    parser = configparser.ConfigParser(interpolation=None, strict=False, inline_comment_prefixes=("#", ";"))
    parser.read_string(text)
    section = "tool:pytest" if file.name == "setup.cfg" else "pytest"
    return dict(parser[section]) if parser.has_section(section) else None


def _in_toml(text: str, file: Path) -> dict[str, str] | None:
    import tomllib  # noqa: PLC0415  (most projects have a pytest.ini)

    tables = tomllib.loads(text)
    table = (tables.get("tool", {}) if file.name == "pyproject.toml" else tables).get("pytest")
    if table is None:
        return None
    table = table.get("ini_options", table)
    return {
        name: shlex.join(map(str, value)) if isinstance(value, list) else str(value) for name, value in table.items()
    }
