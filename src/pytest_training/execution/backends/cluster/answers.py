"""What comes back from a cluster: the scheduler's word, and the replies of attempts."""

from collections.abc import Callable, Sequence
from typing import Any


def scheduler_of(client: Any, seconds: float) -> dict[str, Any]:
    """Return what the scheduler says of itself and its workers; raise TimeoutError if it takes longer.

    `Client.scheduler_info` reads a cache from which a periodic refresh removes all workers: now and then it has none.
    """
    info: dict[str, Any] = client.sync(client.scheduler.identity, n_workers=-1, callback_timeout=seconds)
    return info


class Answers:
    """The replies of a run's attempts, by the keys of their tasks.

    They come with the scheduler's own messages, each before the end of its task. A task's result would have to be
    fetched from the node, together with those of all tasks that end meanwhile: one failure would lose them all.
    """

    def __init__(self, client: Any, run_id: str) -> None:
        self.client, self.topic = client, topic(run_id)
        self.replies: dict[str, bytes] = {}
        self.reported = set[str]()  # what nodes said of their imports
        self.report: Callable[[str], None] = lambda _: None
        self.connection: Any = None  # on which they come
        self.subscribe()

    def subscribe(self) -> None:
        """Ask the scheduler for the replies; again if the connection is another one: it has forgotten us."""
        if self.connection is not (connection := self.client.scheduler_comm):
            self.connection = connection
            self.client.subscribe_topic(self.topic, self._note)

    def take(self, key: str) -> bytes | None:
        """Return the reply of an attempt, once."""
        return self.replies.pop(key, None)

    def _note(self, event: tuple[float, tuple[str, bytes, Sequence[str]]]) -> None:
        key, reply, problems = event[1]
        for each in (problem for problem in problems if problem not in self.reported):  # once for all nodes
            self.reported.add(each)
            self.report(each)
        self.replies[key] = bytes(reply)


def topic(run_id: str) -> str:
    """Return the name under which the scheduler passes on a run's replies."""
    return f"training-{run_id}"
