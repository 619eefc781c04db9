"""pytest's root where an option of this plugin names a folder: it is the user's project all the same.

pytest determines its root before it knows the options of plugins: in `--training-root DIR` it takes DIR for a folder
with tests. It would follow the settings of DIR's project, keep its cache there, and not know those of the user's own.
"""

from __future__ import annotations

import copy

import pytest
from _pytest.config.findpaths import determine_setup


def settle_root(config: pytest.Config, parser: pytest.Parser, args: list[str]) -> None:
    """Determine root and settings as pytest would if it knew the options; `args` then has the right `addopts`."""
    typed = args[len(config.getini("addopts")) :]
    options = parser.parse_known_args(typed, namespace=copy.copy(config.option))
    root, file, settings, ignored = determine_setup(
        inifile=options.inifilename,
        override_ini=options.override_ini,
        args=options.file_or_dir,
        rootdir_cmd_arg=options.rootdir,
        invocation_dir=config.invocation_params.dir,
    )
    if (root, file) == (config.rootpath, config.inipath):
        return
    # No public name leads to these; Config.parse sets them in the same way.
    config._rootpath, config._inipath = root, file  # noqa: SLF001
    config._ignored_config_files = ignored  # noqa: SLF001
    setattr(config, "_inicfg" if hasattr(config, "_inicfg") else "inicfg", settings)  # without _ in pytest 9.0.0
    config._inicache.clear()  # noqa: SLF001
    args[:] = [*config.getini("addopts"), *typed]
    config.known_args_namespace = parser.parse_known_args(args, namespace=copy.copy(config.option))
    if config.known_args_namespace.confcutdir is None:
        config.known_args_namespace.confcutdir = str(file.parent if file else root)
