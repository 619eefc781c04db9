"""A dict in a dict, on one line or on several, as pprint prints it: each key is given those above it."""

import re

from msgspec import Struct, field

from pytest_training.execution.readers.names import ANY

DEEPEST = 8
_RECORD = "options"  # in place of the key of a dict in a list: one of many, whose numbers have no name of their own
_BEGIN = re.compile(r"[^{}]{0,80}\{['\"]")
_GOES_ON = re.compile(r"\s+['\"\[{(\d.-]|\s*[}\])]")
_TOKEN = re.compile(r"(['\"])(?P<key>[^'\"{}]{1,80})\1:\s*(?P<opens>\{)?|[{}]")
_SETTINGS = re.compile(rf"{ANY['keys_of_settings']}|weight|^(total_)?(gain|cover)$", re.IGNORECASE)


class NestedDict(Struct):
    """Where in such a dict the next line is."""

    keys: list[str] = field(default_factory=list)  # those that are open; the outermost has no name

    def named(self, text: str) -> str:
        """Return the next line with whole names: `'train_auc': 0.9` for `'auc': 0.9` in the dict `train`."""
        begins = not self.keys and _BEGIN.match(text) and text.count("{") > min(1, text.count("}"))
        if not (begins or (self.keys and _GOES_ON.match(text))) or len(self.keys) > DEEPEST:
            self.keys = []
            return text
        return _TOKEN.sub(self._replace, text)

    def _replace(self, token: re.Match[str]) -> str:
        if token[0] == "}":
            del self.keys[-1:]
        elif token["key"] is None or token["opens"]:
            self.keys.append(token["key"] or (_RECORD if self.keys else ""))
        else:
            above = ["params"] if any(map(_SETTINGS.search, self.keys)) else self.keys
            name = "_".join("_".join(filter(None, (*above, token["key"]))).split())
            return f"{token[1]}{name}{token[1]}: "
        return token[0][-1]
