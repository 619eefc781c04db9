"""What imports change for the whole interpreter: a job begins with the changes of the packages that it uses alone.

The server notes the changes package by package while it imports, and which package uses which.
"""

import atexit
import builtins
import contextlib
import gc
import locale
import logging
import os
import signal
import sys
import threading
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from types import ModuleType
from typing import Any, Self


def _umask() -> int:
    umask = os.umask(0o77)
    os.umask(umask)
    return umask


def _default_context() -> object:
    return getattr(sys.modules.get("multiprocessing.context"), "_default_context", None)


ABSENT = object()
ATTRIBUTES: tuple[tuple[object, str], ...] = (
    *((sys, name) for name in ("excepthook", "displayhook", "unraisablehook", "breakpointhook", "dont_write_bytecode")),
    *((warnings, name) for name in ("showwarning", "formatwarning")),
    *((logging, name) for name in ("lastResort", "raiseExceptions", "_loggerClass", "_logRecordFactory")),
    *((logging.root, name) for name in ("level", "disabled")),
    (logging.root.manager, "disable"),
    (threading, "excepthook"),
)
FUNCTIONS: Mapping[str, tuple[Callable[[], Any], Callable[[Any], object]]] = {
    "recursion": (sys.getrecursionlimit, sys.setrecursionlimit),
    "digits": (sys.get_int_max_str_digits, sys.set_int_max_str_digits),
    "switches": (sys.getswitchinterval, sys.setswitchinterval),
    "garbage": (gc.get_threshold, lambda threshold: gc.set_threshold(*threshold)),
    "locale": (lambda: locale.setlocale(locale.LC_ALL), lambda name: locale.setlocale(locale.LC_ALL, name)),
    "umask": (_umask, os.umask),
    "start method": (
        lambda: getattr(_default_context(), "_actual_context", None),
        lambda context: setattr(_default_context(), "_actual_context", context),
    ),
}
SIGNALS = tuple(signal.valid_signals())
Settings = dict[tuple[object, ...], Any]  # values by kind and name; a list has several, and each import may add some


def _lists() -> dict[str, list[Any]]:
    return {
        "filters": warnings.filters,  # type: ignore[dict-item]  # typeshed has a Sequence
        "handlers": logging.root.handlers,
        "log filters": logging.root.filters,
        "path": sys.path,
    }


def settings() -> Settings:
    """Return the settings as they are."""
    return {
        **{("attribute", *each): getattr(*each) for each in ATTRIBUTES},
        **{("function", name): get() for name, (get, _) in FUNCTIONS.items()},
        **{("signal", number): signal.getsignal(number) for number in SIGNALS},
        **{("variable", name): text for name, text in os.environ.items()},
        **{("list", name): list(entries) for name, entries in _lists().items()},
    }


def _changes(before: Settings, after: Settings) -> Settings:
    changed = {key: value for key, value in after.items() if before.get(key, ABSENT) != value}
    changed |= dict.fromkeys(before.keys() - after.keys(), ABSENT)
    lists = {key: [each for each in after[key] if each not in before[key]] for key in changed if key[0] == "list"}
    return changed | lists


def _set(key: tuple[Any, ...], value: Any) -> None:
    with contextlib.suppress(Exception):  # a value that only C knows, a locale that is gone
        match key:
            case "attribute", thing, name:
                setattr(thing, name, value)
            case "function", name:
                FUNCTIONS[name][1](value)
            case "signal", number:
                signal.signal(number, value)
            case "list", name:
                _lists()[name][:] = value
            case "variable", name:
                os.environ.pop(name, None) if value is ABSENT else os.environ.__setitem__(name, value)


class Neutral:
    """Notes, while it is entered, what each package changes and uses."""

    def __init__(self) -> None:
        self.fresh = self._now = settings()
        self._changes: list[tuple[str, Settings]] = []
        self._uses: defaultdict[str, set[str]] = defaultdict(set)
        self._importing = [""]
        self._import, self._register = builtins.__import__, atexit.register
        self._at_exit: list[tuple[str, Callable[..., object]]] = []

    def __enter__(self) -> Self:
        """Watch every import statement, and what is to be called at exit."""
        builtins.__import__, atexit.register = self, self._register_at_exit
        return self

    def __exit__(self, *_: object) -> None:
        """Leave imports alone."""
        self._note()
        builtins.__import__, atexit.register = self._import, self._register

    def _register_at_exit(self, function: Callable[..., Any], /, *arguments: Any, **named: Any) -> Callable[..., Any]:
        self._at_exit.append((str(getattr(function, "__module__", "")).partition(".")[0], function))
        return self._register(function, *arguments, **named)

    def __call__(  # the parameters of `__import__`
        self,
        name: str,
        globals: Any = None,  # noqa: A002  (as above)
        locals: Any = None,  # noqa: A002  (as above)
        fromlist: Any = (),
        level: int = 0,
    ) -> ModuleType:
        """Import a module; note the changes if it is of another package than what imports it."""
        package = name.partition(".")[0]
        if level == 0 and package not in sys.stdlib_module_names:
            self._uses[str((globals or {}).get("__name__", "")).partition(".")[0]].add(package)
            if name not in sys.modules and package != self._importing[-1]:
                self._note()
                self._importing.append(package)
                try:
                    return self._import(name, globals, locals, fromlist, level)
                finally:
                    self._note()
                    self._importing.pop()
        return self._import(name, globals, locals, fromlist, level)

    def _note(self) -> None:
        before, self._now = self._now, settings()
        if changes := _changes(before, self._now):
            self._changes.append((self._importing[-1], changes))

    def restore(self, imports: Iterable[str]) -> None:
        """Reset changes of imports, except those of the given imports."""
        if not self._changes and not self._at_exit:
            return
        used = list(dict.fromkeys(name.partition(".")[0] for name in imports))
        for package in used:  # grows while it is read
            used += [other for other in self._uses.get(package, ()) if other not in used]
        values = {key: self.fresh.get(key, ABSENT) for _, changes in self._changes for key in changes}
        for key, value in (pair for package, changes in self._changes if package in used for pair in changes.items()):
            values[key] = [*value, *values[key]] if key[0] == "list" else value
        for key, value in values.items():
            _set(key, value)
        for package, function in self._at_exit:
            if package not in sys.stdlib_module_names and package not in used:
                atexit.unregister(function)
        warnings._filters_mutated()  # type: ignore[attr-defined]  # noqa: SLF001  (no public name)
        logging.root.manager._clear_cache()  # type: ignore[attr-defined]  # noqa: SLF001  (no public name)
