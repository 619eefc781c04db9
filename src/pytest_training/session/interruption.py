"""What a signal does that ends the run: it is answered at once, and a further one kills the jobs."""

import os
from collections.abc import Callable


class Interruption:
    """The signals so far."""

    def __init__(self, answer: Callable[[int], None]) -> None:
        """`answer` is called in the signal's handler, with the number of signals so far."""
        self.count = 0
        self.is_held = False
        """True while pytest notes the first one: another KeyboardInterrupt would show pytest's own frames."""
        self._answer = answer
        self._owner = os.getpid()

    def is_raised(self) -> bool:
        """Note a signal; return True if it is to raise KeyboardInterrupt where it came."""
        if os.getpid() != self._owner:  # a fork of a job that is debugged in the pytest process
            return True
        self.count += 1
        self._answer(self.count)
        return not self.is_held
