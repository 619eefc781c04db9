"""The project as its settings describe it, read without pytest: pytest.ini, else pyproject.toml."""

from __future__ import annotations

import configparser
import shlex
from dataclasses import dataclass
from pathlib import Path

TEST = "test_training_jobs.py"


@dataclass(frozen=True)
class Project:
    """A folder with trainings."""

    root: Path
    settings_file: Path | None
    training_root: Path
    catalogue: Path | None
    reports: Path
    options: tuple[str, ...] = ()
    """What `addopts` adds to every command line of pytest."""

    @property
    def test(self) -> Path | None:
        """The project's own test; None where the plugin's has to do."""
        path = self.root / TEST
        return path if path.is_file() else None


def read_project(root: Path) -> Project:
    """Read the project in this folder."""
    file, settings = _settings(root)
    catalogue = settings.get("training_catalogue", "").strip()
    return Project(
        root=root,
        settings_file=file,
        training_root=root / (settings.get("training_root", "").strip() or "training"),
        catalogue=root / catalogue if catalogue else None,
        reports=root / (settings.get("training_reports", "").strip() or "reports"),
        options=tuple(shlex.split(settings.get("addopts", ""))),
    )


def _settings(root: Path) -> tuple[Path | None, dict[str, str]]:
    file = root / "pytest.ini"
    if file.is_file():
        parser = configparser.ConfigParser(interpolation=None, strict=False, inline_comment_prefixes=("#", ";"))
        try:
            parser.read(file, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):
            return file, {}  # pytest itself will say what is wrong
        return file, dict(parser["pytest"]) if parser.has_section("pytest") else {}
    file = root / "pyproject.toml"
    if file.is_file():
        import tomllib  # noqa: PLC0415  (most projects have a pytest.ini)

        try:
            found = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {}).get("pytest", {})
        except (ValueError, OSError):
            return file, {}
        options = found.get("ini_options")
        if isinstance(options, dict):
            return file, {name: _text(value) for name, value in options.items()}
    return None, {}


def _text(value: object) -> str:
    return shlex.join(map(str, value)) if isinstance(value, list) else str(value)
