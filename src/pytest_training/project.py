"""The user's project as its settings describe it, read without pytest: its import takes longer than a whole list."""

import configparser
import contextlib
import shlex
from pathlib import Path

from msgspec import Struct

FILES = ("pytest.toml", ".pytest.toml", "pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg")
"""In pytest's order: the first with settings counts."""
TEST = "test_training_jobs.py"


class Project(Struct, frozen=True):
    """A folder with trainings."""

    root: Path
    settings_file: Path | None
    training_root: Path
    catalogue: Path | None
    reports: Path
    options: tuple[str, ...] = ()  # what `addopts` adds to every command line of pytest
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()

    @property
    def test(self) -> Path | None:
        """The project's own test, or None if the plugin's is used."""
        path = self.root / TEST
        return path if path.is_file() else None


def find_project(here: Path) -> Project:
    """Return the project that pytest would find from this folder: by its settings, else by another mark of a root."""
    folders = (here, *here.parents)
    marked = (folder for name in ("pyproject.toml", "setup.py") for folder in folders if (folder / name).is_file())
    with_settings = (folder for folder in folders if find_settings(folder)[0])
    return read_project(next(with_settings, None) or next(marked, here))


def read_project(root: Path) -> Project:
    """Read the project in this folder."""
    file, settings = find_settings(root)
    catalogue = settings.get("training_catalogue", "").strip()
    return Project(
        root=root,
        settings_file=file,
        training_root=root / (settings.get("training_root", "").strip() or "training"),
        catalogue=root / catalogue if catalogue else None,
        reports=root / (settings.get("training_reports", "").strip() or "reports"),
        options=tuple(shlex.split(settings.get("addopts", ""))),
        include=tuple(shlex.split(settings.get("training_include", ""))),
        exclude=tuple(shlex.split(settings.get("training_exclude", ""))),
    )


def find_settings(folder: Path) -> tuple[Path | None, dict[str, str]]:
    """Return the file in this folder that has pytest's settings, and these; None and an empty mapping without such."""
    for path in (folder / name for name in FILES):
        if path.is_file() and (settings := _read_settings(path)) is not None:
            return path, settings
    return None, {}


def _read_settings(file: Path) -> dict[str, str] | None:
    """Return pytest's settings in a file, or None if it has none; pytest itself reports a broken file."""
    settings: dict[str, str] | None = None
    with contextlib.suppress(OSError, ValueError, configparser.Error):
        text = file.read_text(encoding="utf-8")
        settings = _in_toml(text, file) if file.suffix == ".toml" else _in_sections(text, file)
    return {} if settings is None and "pytest" in file.name else settings


def _in_sections(text: str, file: Path) -> dict[str, str] | None:
    parser = configparser.ConfigParser(interpolation=None, strict=False, inline_comment_prefixes=("#", ";"))
    parser.read_string(text)
    section = "tool:pytest" if file.name == "setup.cfg" else "pytest"
    return dict(parser[section]) if parser.has_section(section) else None


def _in_toml(text: str, file: Path) -> dict[str, str] | None:
    import tomllib  # noqa: PLC0415  (most projects have a pytest.ini)

    tables = tomllib.loads(text)
    if (table := (tables.get("tool", {}) if file.name == "pyproject.toml" else tables).get("pytest")) is None:
        return None
    values = table.get("ini_options", table).items()
    return {name: shlex.join(map(str, value)) if isinstance(value, list) else str(value) for name, value in values}
