"""The answer to one question: a Markdown table and its limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass
class Answer:
    """A table with a heading and sentences below it."""

    question: str
    header: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def limit(self, what: str, measured: float, allowed: float, unit: str = "s") -> None:
        """Note a limit and whether it holds."""
        verdict = "holds" if measured <= allowed else "does not hold"
        self.notes.append(f"{what}: {measured:.3g} {unit}, allowed {allowed:.3g} {unit}: **{verdict}**.")

    def markdown(self) -> str:
        """Return the answer as Markdown."""
        lines = [self.header, ["---"] * len(self.header), *self.rows]
        table = [f"| {' | '.join(line)} |" for line in lines]
        return "\n".join([f"## {self.question}", "", *table, "", *(f"- {note}" for note in self.notes)]).rstrip()
