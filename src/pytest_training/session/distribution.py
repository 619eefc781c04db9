"""How many xdist workers a run has, and who schedules them.

xdist starts its workers before pytest collects, when the number of jobs is unknown. Here it is held back until the
owner has collected, then started with at most one worker per item, or not at all.
"""

import pytest

from pytest_training.pytest_adapter import set_options, start_xdist


class Distribution:
    """xdist in this session."""

    def __init__(self, config: pytest.Config) -> None:
        """Keep xdist from starting; to be made before xdist configures itself."""
        self.config = config
        has_workers = getattr(config.option, "tx", None) and not config.option.collectonly
        self.mode: str = getattr(config.option, "dist", "no") if has_workers else "no"
        """The value of `--dist`."""
        self.is_held_back = self.mode != "no"
        """True until the workers start, or turn out not to be needed."""
        self.has_started = False
        self.is_ours = False
        """True if the plugin's own scheduler is in use."""
        if self.is_held_back:
            set_options(config, dist="no")

    def settle(self, *, items: int, pure: bool) -> int:
        """Decide on workers for that many items, `pure` if all are jobs; return the number of slots."""
        specs: list[str] = getattr(self.config.option, "tx", None) or []
        is_adjustable = pure and self.mode != "each" and all(spec == "popen" for spec in specs)
        if not specs or (is_adjustable and items == 1):
            self.is_held_back = False
            return 1
        self.is_ours = pure and self.mode == "load"
        if not is_adjustable:
            return len(specs)
        set_options(self.config, tx=specs[:items])
        return min(len(specs), items)

    def start(self, session: pytest.Session) -> None:
        """Have xdist start its workers."""
        set_options(self.config, dist=self.mode)
        self.is_held_back, self.has_started = False, True
        try:
            start_xdist(self.config, session)
        except OSError as error:
            workers = len(self.config.option.tx)
            raise pytest.UsageError(
                f"cannot start {workers} workers: {error.strerror}; a smaller number after -n needs less"
            ) from None
