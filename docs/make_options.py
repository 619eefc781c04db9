"""Writes docs/options.md from the parsers of pytest's options, of `pytest-training` and of `run_all_training.py`.

`python docs/make_options.py` does it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from pytest_training.commands.main import ARGUMENTS, REPORTS, VERBS
from pytest_training.jobs.catalogue.declarations import job_keys
from pytest_training.limits import LIMITS
from pytest_training.options import EVERYDAY, OPTIONS
from pytest_training.run_all.arguments import flags

PAGE = Path(__file__).parent / "options.md"
MARK = "<!-- Everything below is written by docs/make_options.py. -->\n"
GROUPS = {
    "Which files are jobs": ("root", "catalogue", "discover", "include", "exclude"),
    "Parameters and seeds": ("epochs", "folds", "set", "seed", "seeds", "matrix"),
    "What is trained": ("shard", "resume", "skip-unchanged", "smoke", "require-real-data"),
    "Limits": (*LIMITS, "grace", "stalled"),
    "Checks and comparisons": ("audit", "twice", "compare", "max-regression"),
    "Where and how jobs run": ("start", "in-process", "cluster", "cluster-wait", "cluster-silence"),
    "What a run shows and writes": ("progress", "heartbeat", "reports", "plan", "tracking", "notify", "notify-events"),
}
"""The names of options and settings; those that no group has stand at the end."""
KEYS = {"epochs": "parameters", "folds": "parameters", "set": "parameters", "seed": ""}
"""The key of jobs.yaml for the same thing, where it has another name; `seed:` is a switch."""
DEFAULT = re.compile(r" \(default: ([^()]*)\)")
TYPED = re.compile(r"--[a-z][a-z-]+|\'?[\w.*/-]*[*=<][\w.*/=>%-]*\'?")
"""What a text has of options, patterns and values."""


def page(text: str) -> str:
    """Return the page with new tables below its mark."""
    return text.partition(MARK)[0] + MARK + "\n".join([*_options(), *_verbs(), *_flags()])


def rows() -> dict[str, list[str]]:
    """Return the cells of each option and setting by its name: option, setting, key, default, meaning."""
    found = {each.name: _row(each.name, each.option, each.setting, each.help) for each in OPTIONS}
    found |= {each.key: _row(each.key, {"metavar": each.metavar}, "", each.help) for each in LIMITS.values()}
    everyday = {option.removeprefix("--"): how for option, how in EVERYDAY.items()}
    return found | {name: _row(name, how, None, how["help"], prefix="--") for name, how in everyday.items()}


def _row(
    name: str,
    option: Mapping[str, Any] | None,
    setting: str | list[str] | None,
    text: str,
    prefix: str = "--training-",
) -> list[str]:
    meaning, default = _split(text)
    if setting:
        default = f"`{setting if isinstance(setting, str) else ' '.join(setting)}`"
    key = KEYS.get(name, name if name in job_keys(LIMITS) else "")
    ini = f"`training_{name.replace('-', '_')}`" if setting is not None else ""
    return [
        _typed(prefix + name, option) if option is not None else "",
        ini,
        f"`{key}`" if key else "",
        default,
        meaning,
    ]


def _split(text: str) -> tuple[str, str]:
    """Return a help text as a sentence, and the default that it names."""
    named = DEFAULT.search(text)
    meaning, shown = TYPED.sub(r"`\g<0>`", DEFAULT.sub("", text)), named[1] if named else ""
    default = TYPED.sub(r"`\g<0>`", shown) if " " in shown else shown and f"`{shown}`"
    return f"{meaning[0].upper()}{meaning[1:]}.", default


def _typed(name: str, how: Mapping[str, Any]) -> str:
    """Return an option or argument as a user types it."""
    metavar = how.get("metavar") or "|".join(how.get("choices", ()))
    is_switch = how.get("action") == "store_true"
    value = "" if is_switch or not metavar else f" [{metavar}]" if how.get("nargs") == "?" else f" {metavar}"
    return f"`{name if name.startswith('-') else ''}{value}`".replace("` ", "`").replace("|", "\\|")


def _options() -> Iterator[str]:
    found = rows()
    others = tuple(name for name in found if not any(name in names for names in GROUPS.values()))
    for heading, names in {**GROUPS, "Others": others}.items():
        if names:
            yield from ("", f"### {heading}", "")
            yield from _table(["option", "setting", "jobs.yaml", "default", "meaning"], (found[name] for name in names))


def _verbs() -> Iterator[str]:
    yield from ("", "## The command pytest-training", "")
    yield f"Each verb but `init` also takes {_typed('--reports', REPORTS)}, the {REPORTS['help']}."
    for verb, text in VERBS.items():
        yield from ("", f"### {verb}", "", _split(text)[0])
        if arguments := ARGUMENTS[verb]:
            yield ""
            yield from _table(["argument", "default", "meaning"], (_argument(*each) for each in arguments.items()))


def _argument(name: str, how: Mapping[str, Any]) -> list[str]:
    meaning, default = _split(how["help"])
    usual = f"`{how['default']}`" if how.get("default") else ""
    return [_typed(name, how), default or usual, meaning]


def _flags() -> Iterator[str]:
    yield from (
        "",
        "## The flags of run_all_training.py",
        "",
        "[RUN_ALL_GUIDE.md](RUN_ALL_GUIDE.md) shows them at work.",
    )
    groups = dict.fromkeys(group for group, _, _ in flags().values())
    for group in groups:
        own = {name: (text, how) for name, (each, text, how) in flags().items() if each == group}
        yield from ("", f"### Flags for {group}", "")
        cells = (
            _argument(f"--{name.rstrip('_').replace('_', '-')}", {**how, "help": text})
            for name, (text, how) in own.items()
        )
        yield from _table(["flag", "default", "meaning"], cells)
    yield ""


def _table(head: list[str], cells: Iterable[list[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|---" * len(head) + "|"
    for line in cells:
        yield "".join(f"| {cell} " if cell else "| " for cell in line) + "|"


def main() -> None:
    """Write the page."""
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
