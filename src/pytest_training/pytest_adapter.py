"""Every use of names of pytest, xdist and pytest-json-report that are not public, with its reason."""

import contextlib
import copy
import difflib
import os
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from _pytest import timing
from _pytest.pathlib import fnmatch_ex
from _pytest.skipping import evaluate_skip_marks, evaluate_xfail_marks


def settle_root(config: pytest.Config, parser: pytest.Parser, args: list[str]) -> None:
    """Determine root and settings as pytest would if it knew the options; `args` then has the right `addopts`.

    pytest determines its root before it knows the options of plugins: in `--training-root DIR` it takes DIR for a
    folder with tests, follows the settings of DIR's project, and ignores those of the user's own.
    """
    from _pytest.config.findpaths import determine_setup  # noqa: PLC0415  (only where an option names a folder)

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
    config._rootpath, config._inipath = root, file  # noqa: SLF001  (as said above)
    config._ignored_config_files = ignored  # noqa: SLF001  (as said above)
    setattr(config, "_inicfg" if hasattr(config, "_inicfg") else "inicfg", settings)  # without _ in pytest 9.0.0
    config._inicache.clear()  # noqa: SLF001  (as said above)
    args[:] = [*config.getini("addopts"), *typed]
    config.known_args_namespace = parser.parse_known_args(args, namespace=copy.copy(config.option))
    if config.known_args_namespace.confcutdir is None:
        config.known_args_namespace.confcutdir = str(file.parent if file else root)


def leave_out_unknown(config: pytest.Config, parser: pytest.Parser, args: list[str]) -> None:
    """Leave out the `addopts` of a repository if no plugin here knows one of them: they are meant for its tests."""
    own: list[str] = config.getini("addopts")
    _, unknown = parser.parse_known_and_unknown_args(own, namespace=copy.copy(config.option))
    if unknown and args[: len(own)] == own:  # a worker of xdist is given none
        del args[: len(own)]
        warning = f"addopts of {config.inipath} are left out: no plugin here knows {unknown[0]}"
        config.issue_config_time_warning(pytest.PytestConfigWarning(warning), stacklevel=2)


def leave_as_written(config: pytest.Config) -> None:
    """Have Python load the plugin's modules: pytest's loader, for the sake of asserts, takes three times as long."""
    marked = getattr(config.pluginmanager.rewrite_hook, "_must_rewrite", set[str]())  # none with --assert=plain
    marked.discard("pytest_training")


def note_unknown_options(parser: pytest.Parser, args: Sequence[str]) -> None:
    """Have pytest's message on options that do not exist say which ones do."""
    known: dict[str, Any] = parser.optparser._option_string_actions  # noqa: SLF001  (there is no public name)
    own = ", ".join(name for name in known if name.startswith("--training-"))
    for word in {word.partition("=")[0] for word in args if word.startswith("--")}.difference(known):
        near = difflib.get_close_matches(word, known, 1, cutoff=0.88)  # all of the plugin's begin alike
        if near or word.startswith("--training-"):
            parser.extra_info[word] = f"did you mean {near[0]}?" if near else f"expected one of {own}"


def matches(path: Path, patterns: list[str]) -> bool:
    """Return True if a path matches one of the patterns of a setting like `python_files`."""
    return any(fnmatch_ex(pattern, path) for pattern in patterns)


def set_options(config: pytest.Config, **values: Any) -> None:
    """Set options to other values than the command line: xdist cannot be started later in another way."""
    vars(config.option).update(values)


def run_again(config: pytest.Config, nodeids: Iterable[str]) -> None:
    """Have `--lf` of the next session run these tests too, as if they had failed."""
    failed: dict[str, bool] = getattr(config.pluginmanager.getplugin("lfplugin"), "lastfailed", {})
    failed.update(dict.fromkeys(nodeids, True))


def fixtures_of(item: pytest.Item) -> Iterator[tuple[str, pytest.FixtureDef[Any]]]:
    """Yield the fixtures of a test, those that replace others too."""
    info: Any = getattr(item, "_fixtureinfo", None)  # there is no public name
    for name, definitions in info.name2fixturedefs.items() if info else ():
        yield from ((name, each) for each in definitions)


def is_left_out(item: pytest.Item) -> bool:
    """Return True if the marks of a test keep it from running, or cannot be evaluated."""
    if not item.config.pluginmanager.hasplugin("skipping"):
        return False
    try:
        xfailed = evaluate_xfail_marks(item)
        return evaluate_skip_marks(item) is not None or bool(
            xfailed and not xfailed.run and not item.config.option.runxfail
        )
    except (Exception, pytest.fail.Exception, pytest.skip.Exception):  # noqa: BLE001  (its own setup raises it again)
        return True


def set_up_early(item: pytest.Item, between: pytest.Item) -> BaseException | None:
    """Set a test's fixtures up, and end those that are narrower than the session; return what was raised, or None.

    Only pytest's own hooks are called: those of plugins may expect what the same plugin does as a test's turn begins.
    """
    ends, manager, errors = (pytest.exit.Exception, KeyboardInterrupt), item.config.pluginmanager, []
    for when, more in (("setup", {}), ("teardown", {"nextitem": between})):
        every = getattr(manager.hook, name := f"pytest_runtest_{when}").get_hookimpls()
        others = {each.plugin for each in every if not each.function.__module__.startswith("_pytest.")}
        hook: Any = partial(manager.subset_hook_caller(name, others), item=item, **more)
        call = pytest.CallInfo.from_call(hook, "setup", ends)
        errors += [call.excinfo.value] if call.excinfo else []
    vars(item).update(_request=False, funcargs=None)  # as pytest leaves a test that may be run again
    return errors[0] if errors else None


def test_limit_of(item: pytest.Item) -> float | None:
    """Return the time limit that pytest-timeout has for a test."""
    manager = item.config.pluginmanager
    timeout: Any = manager.getplugin("timeout") or manager.getplugin("pytest_timeout")  # with -p
    if timeout is None:
        return None
    limit_s: float | None = timeout._get_item_settings(item).timeout  # noqa: SLF001  (there is no public name)
    return limit_s or None


def start_xdist(config: pytest.Config, session: pytest.Session) -> None:
    """Start xdist's workers as its own pytest_cmdline_main would have done before collection."""
    from xdist.dsession import DSession  # noqa: PLC0415  (only with -n, so it is there)

    distributed = DSession(config)
    config.pluginmanager.register(distributed, "dsession")
    if (terminal := terminal_of(config)) is not None:
        terminal.showfspath = False
    distributed.pytest_sessionstart(session)


def release_workers(config: pytest.Config) -> None:
    """Shut waiting workers down: xdist, when interrupted, waits for each until a time-out."""
    distributed: Any = config.pluginmanager.getplugin("dsession")
    if distributed is not None and distributed.sched is not None:
        distributed.triggershutdown()


def wait_for_workers(gateways: Sequence[Any], patience_s: float) -> None:
    """Wait for workers' processes that were asked to exit; kill them after that time, as xdist does."""
    if gateways:
        from execnet.multi import safe_terminate  # noqa: PLC0415  (only with -n, so it is there)

        # Only a whole group can be waited for by a public name, and these have left theirs.
        ends = [(partial(_wait_for_worker, gateway), gateway._io.kill) for gateway in gateways]  # noqa: SLF001  (see above)
        safe_terminate(gateways[0].execmodel, patience_s, ends)


def _wait_for_worker(gateway: Any) -> None:
    gateway.join()
    gateway._io.wait()  # noqa: SLF001  (as above)


def drop_entries_without_line(excinfo: pytest.ExceptionInfo[BaseException]) -> None:
    """Keep pytest from failing at a signal that came as a function was called, where Python has no line yet."""
    excinfo.traceback = excinfo.traceback.filter(lambda entry: entry._rawentry.tb_lineno is not None)  # noqa: SLF001  (pytest's own lineno raises)


def terminal_of(config: pytest.Config) -> Any:
    """Return pytest's terminal reporter, or None with `-p no:terminal`."""
    return config.pluginmanager.getplugin("terminalreporter")


def use_pytests_terminal(config: pytest.Config) -> None:
    """Have pytest's own terminal in place of pytest-sugar's, which redraws lines that are not there any more."""
    terminal = terminal_of(config)
    if type(terminal).__module__ != "pytest_sugar":
        return
    start = terminal._session_start = timing.Instant()  # noqa: SLF001  (sugar has its own)
    passed_s = time.time() - terminal._sessionstarttime  # noqa: SLF001  (as above)
    object.__setattr__(start, "perf_count", start.perf_count - passed_s)  # an Instant is frozen
    for plugin in (terminal, sys.modules["pytest_sugar"]):  # the module has words for every test
        config.pluginmanager.unregister(plugin)
    terminal.__class__ = pytest.TerminalReporter
    config.pluginmanager.register(terminal, "terminalreporter")


def show_lines_instead_of_dots(config: pytest.Config) -> None:
    """Have pytest print neither file names nor percentages: each job has a line instead."""
    if (terminal := terminal_of(config)) is not None and config.get_verbosity(pytest.Config.VERBOSITY_TEST_CASES) == 0:
        terminal.showfspath = False
        terminal._show_progress_info = False  # noqa: SLF001  (the lines count for themselves)


def end_line(terminal: Any) -> None:
    """End a line with dots of ordinary tests."""
    writer = terminal.config.get_terminal_writer()  # pytest's ensure_newline has a count of its own
    if writer.width_of_current_line:
        writer.line()


def end_status_line(config: pytest.Config, *, workers: int, jobs: int) -> None:
    """End the line on which xdist counts its workers: jobs start before the last worker is up."""
    status: Any = config.pluginmanager.getplugin("terminaldistreporter")
    if status is None or not status._isatty:  # noqa: SLF001  (xdist has no switch for it)
        return
    status._isatty = False  # noqa: SLF001  (as above)
    if status.tr._tw.width_of_current_line:  # noqa: SLF001  (as in end_line)
        counted = "bringing up nodes..." if config.option.verbose < 0 else f"{workers} workers [{jobs} items]"
        status.rewrite(counted, newline=True)


class TerminalFile:
    """The file that pytest's terminal writes to; it can be replaced."""

    def __init__(self, terminal: Any) -> None:
        self._writer = terminal._tw  # noqa: SLF001  (there is no public name)
        self.file: Any = self._writer._file  # noqa: SLF001  (as above)

    def replace(self, file: Any) -> None:
        """Have pytest write to another file."""
        self._writer._file = file  # noqa: SLF001  (as above)

    def put_back(self, replaced: type) -> None:
        """Have pytest write to its own file again, unless it has been replaced again."""
        if isinstance(self._writer._file, replaced):  # noqa: SLF001  (as above)
            self._writer._file = self.file  # noqa: SLF001  (as above)


def switch_json_report_on(config: Any) -> Any | None:
    """Return pytest-json-report's plugin, on unless the user did so; None if it is not installed or blocked.

    Its `report` is None until the session has finished.
    """
    manager = config.pluginmanager
    plugin: Any = manager.getplugin("pytest_jsonreport")
    if plugin is None or manager.is_blocked("json-report") or manager.is_blocked("jsonreport"):
        return None
    if not config.option.json_report:
        tbstyle = config.getoption("tbstyle", "auto")  # it asks for it with `-p no:terminal` too
        set_options(config, json_report=True, json_report_file="", json_report_verbosity=-1, tbstyle=tbstyle)
        plugin.pytest_configure(config)
        config._json_report.pytest_sessionstart(None)  # noqa: SLF001  (its time starts there)
    return config._json_report  # noqa: SLF001  (there "for other scripts")


def switch_junit_on(config: pytest.Config, folder: Path) -> Any | None:
    """Return pytest's LogXML, which writes to memory unless the user named a file; None if junitxml is off."""
    plugin: Any = config.pluginmanager.getplugin("junitxml")
    if plugin is None or config.option.xmlpath:
        return config.stash.get(plugin.xml_key, None) if plugin else None
    path = folder / ".junit.xml.partial"
    with contextlib.suppress(AttributeError, OSError):  # in memory, if the system can: a full disk would end pytest
        memory = Path(f"/proc/self/fd/{os.memfd_create('junit.xml')}")  # lives as long as the process
        path = memory if memory.exists() else path
    set_options(config, xmlpath=str(path))
    plugin.pytest_configure(config)
    set_options(config, xmlpath=None)  # workers would write one too
    if (xml := config.stash.get(plugin.xml_key, None)) is not None:
        xml.pytest_sessionstart()
        terminal = terminal_of(config)
        for error in terminal.stats.get("error", ()) if terminal else ():  # before the run began
            xml.pytest_collectreport(error)
    return xml


def switch_junit_off(config: pytest.Config) -> None:
    """Keep pytest from announcing a report that it wrote to memory."""
    plugin: Any = config.pluginmanager.getplugin("junitxml")
    if plugin is not None and not config.option.xmlpath and (xml := config.stash.get(plugin.xml_key, None)):
        config.pluginmanager.unregister(xml)
        del config.stash[plugin.xml_key]


def junit_case(xml: Any, nodeid: str) -> tuple[str, str]:
    """Return class name and name of a test's case."""
    from _pytest.junitxml import bin_xml_escape, mangle_test_address  # noqa: PLC0415  (loaded with the plugin)

    *names, name = mangle_test_address(nodeid)
    return ".".join([*filter(None, [xml.prefix]), *names]), bin_xml_escape(name)
