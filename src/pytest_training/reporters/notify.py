"""Sends messages about a run with Apprise, in the process of a door; docs/notify.md says what is sent when."""

import json
import platform
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from pytest_training.execution.folder import seconds_between
from pytest_training.execution.outcome import Outcome, Status
from pytest_training.jobs.model import Job
from pytest_training.limits.tree import Stillness, stalled
from pytest_training.records.recorded_run import TrainingRun, folded
from pytest_training.reporters.console import brief, main_metric, sentence
from pytest_training.reporters.door_process import Sign
from pytest_training.reporters.watch import WatchedJob
from pytest_training.text import fit, home_pattern, one_line, without_home
from pytest_training.units import duration
from pytest_training.wording import listing, one_of

EVENTS = ("end", "failure", "regression", "stall")
ANSWER_S = 10.0  # for a message; Apprise itself waits 4 s for a connection and 4 s for an answer
MOST_MESSAGES = 5  # before the end
MOST_LINES, LONGEST_TITLE, LONGEST_LINE = 12, 120, 200
STALLS_EVERY_S = 30.0
PROGRAM = (
    "import json, signal, sys; signal.alarm(20); import apprise; urls = json.load(sys.stdin); "
    "print(json.dumps([i for i, url in enumerate(urls) if apprise.Apprise.instantiate(url) is None]))"
)
"""Run in a process of its own: Apprise logs what it does not know, and URLs have passwords. 20 s are its limit."""


def check(config: pytest.Config, values: list[str], where: str) -> list[str]:
    """Return the events and the URLs; raise UsageError for unknown ones, and without Apprise."""
    if find_spec("apprise") is None:
        raise pytest.UsageError(f"{where}: Apprise is not installed: pip install 'pytest-training[notify]'")
    events, urls = config.getini("training_notify_events"), [url for value in values for url in value.split()]
    for event in events:
        if event not in EVENTS:
            problem = f"training_notify_events: expected events, found {event!r}: {one_of(event, EVENTS)}"
            raise pytest.UsageError(problem)
    words = (sys.executable, "-P", "-c", PROGRAM)
    answer = subprocess.run(words, input=json.dumps(urls), capture_output=True, encoding="utf-8", check=False)
    for number in json.loads(answer.stdout or "[]"):
        problem = f"{where}: expected a URL of Apprise like ntfy://TOPIC, found {shown(urls[number])}"
        raise pytest.UsageError(problem)
    return [" ".join(events), *urls]


def shown(url: str) -> str:
    """Return what a message may show of a URL: its scheme."""
    scheme = re.match(r"[\w.+-]+://", url)
    return f"{scheme[0]}…" if scheme else "another text"


class Reporter:
    """Sends the messages of one run."""

    def __init__(self, values: list[str], run: TrainingRun, say: Callable[[Sign], None]) -> None:
        self.events, self.urls = values[0].split(), values[1:]
        self.run, self.say = run, say
        self.running: dict[str, WatchedJob] = {}
        self.has_begun, self.ended = False, set[str]()
        self.left: dict[str, list[str]] = {}  # of each message the URLs that have not taken it
        threading.Thread(target=import_module, args=("apprise",), daemon=True).start()  # while jobs train

    def run_start(self) -> None:
        """Watch for stalled jobs from now on."""
        if "stall" in self.events:
            threading.Thread(target=self._watch, daemon=True).start()

    def job_start(self, job: Job, _: str) -> None:
        """Note that a run trains, and watch the job."""
        self.has_begun = True
        self.running[job.id] = WatchedJob(job, None, stillness=Stillness(after_s=self.run.settings.stalled_s))

    def job_end(self, outcome: Outcome) -> None:
        """Send a job's failure at once; the trials of a study are its own matter, and the end has a message too."""
        self.running.pop(outcome.job_id, None)
        self.ended.add(outcome.job_id)
        is_last = "end" in self.events and len(self.ended) == len(self.run.plan.jobs)
        is_news = outcome.status == Status.FAILED and not (outcome.optional or outcome.trial_of or is_last)
        is_tried = outcome.job_id in self.left  # before, when the service was away
        if is_tried or (is_news and "failure" in self.events and len(self.left) < MOST_MESSAGES):
            self._send(outcome.job_id, *failure_message(self.run, outcome, len(self.ended)))

    def run_end(self, run: TrainingRun) -> None:
        """Send what the run came to, also if it was killed."""
        self.running.clear()
        if run.record is None and not self.has_begun:
            return
        self.say((ANSWER_S, "the message of the end"))  # to compare predictions
        worse = "regression" in self.events and any(changed(run, "worse"))
        if worse or "end" in self.events:
            self._send("", *end_message(run))

    def _send(self, name: str, title: str, body: str) -> None:
        """Send a message to each URL that has not taken it; raise ConnectionError with those that do not."""
        self.say((ANSWER_S, f"{title!r} to be taken"))
        from apprise import Apprise, NotifyFormat  # noqa: PLC0415  (takes half a second)

        def is_refused(url: str) -> bool:
            server = Apprise()
            server.add(url)
            return not server.notify(title=title, body=body, body_format=NotifyFormat.TEXT)

        urls = self.left.get(name, self.urls)
        with ThreadPoolExecutor() as pool:
            self.left[name] = [url for url, refused in zip(urls, pool.map(is_refused, urls), strict=True) if refused]
        if self.left[name]:
            raise ConnectionError(f"{listing('', map(shown, self.left[name]))} did not take {title!r}")

    def _watch(self) -> None:
        """Send once for each job that it is stalled."""
        try:
            while True:
                time.sleep(min(STALLS_EVERY_S, self.run.settings.stalled_s / 4))
                for each in list(self.running.values()):
                    self._look_at(each)
        except Exception as error:  # noqa: BLE001  (the other messages go on)
            problem = f"stalled jobs are no longer watched: {type(error).__name__}: {error}"
            self.say(problem)

    def _look_at(self, watched: WatchedJob) -> None:
        folder, name = self.run.folder, watched.job.id
        if folder.job(name).outcome.exists():  # the message of its end waits for a service that is away
            return
        watched.is_elsewhere = folder.job(name).attempt(max(watched.attempt, 1)).usage.exists()
        watched.poll(folder)
        still_s = watched.usage.still_s if watched.usage else watched.stillness.still_s
        is_due = self.left.get(f"stalled {name}", self.urls) and len(self.left) < MOST_MESSAGES
        if still_s and is_due:
            with suppress(ConnectionError):  # the next look tries again; at the end there is a warning
                self._send(
                    f"stalled {name}", f"{one_line(name, 40)} is stalled", f"{stalled(still_s)}\n{place(self.run)}"
                )


def failure_message(run: TrainingRun, outcome: Outcome, ended: int) -> tuple[str, str]:
    """Return title and text about a job that failed."""
    title = fit(f"{one_line(outcome.job_id, 40)} failed: {brief(sentence(outcome))}", LONGEST_TITLE)
    state = f"{ended} of {len(run.plan.jobs)} jobs have ended; the others go on"
    return title, "\n".join([fit(sentence(outcome), LONGEST_LINE), state, place(run)])


def end_message(run: TrainingRun) -> tuple[str, str]:
    """Return title and text about a run that has ended."""
    own, record = folded(run.own_outcomes), run.record
    passed = [each for each in own if each.status == Status.PASSED or each.cause == "unchanged"]
    failed = [each for each in own if each.status == Status.FAILED and not each.optional]
    names = listing("", (one_line(each.job_id, 40) for each in failed), limit=3)
    why = f": {brief(sentence(failed[0]))}" if len(failed) == 1 else ""
    state = "killed" if record is None else "interrupted" if record.exit_code == pytest.ExitCode.INTERRUPTED else ""
    title = [state, f"{len(passed)} of {len(own)} passed", f"{names} failed{why}" if failed else ""]
    lines = [f"{one_line(each.job_id, 40)}: {sentence(each)}" for each in failed][:MOST_LINES]
    lines += [line for tone in ("worse", "better") for line in [*changed(run, tone)][:MOST_LINES]]
    lines += [f"{one_line(each.job_id, 40)}: {metric}" for each in passed if (metric := main_metric(each))][:MOST_LINES]
    took = duration(seconds_between(record.started, record.ended)) if record else ""
    lines += ["go on: pytest --training-resume"] * (state != "") + [", ".join(filter(None, [place(run), took]))]
    page = without_home(str(run.folder.page.absolute()), home_pattern())
    lines += [page] * run.folder.page.exists()
    return fit(" · ".join(filter(None, title)), LONGEST_TITLE), "\n".join(fit(line, LONGEST_LINE) for line in lines)


def changed(run: TrainingRun, tone: str) -> Iterator[str]:
    """Yield the metrics that are worse, or better, than in the run that it is compared with."""
    for job in run.comparison.jobs:
        for change in (each for each in job.listed if each.tone == tone):
            yield f"{one_line(job.job_id, 40)} {one_line(change.metric, 40)} {change.words()}"


def place(run: TrainingRun) -> str:
    """Return project and machine."""
    return f"{Path(next(iter(run.plan.jobs)).job.root).name} on {platform.node()}"
