"""Numbers as programs write them."""

import re
from decimal import Decimal

Number = Decimal | float  # a Decimal has the digits that are printed
_PARTS, _PLAIN = re.compile(r"(?s)([-+]?)(.*?)((?:[eE][-+]?\d{1,3})?)"), re.compile(r"(?i)\d+\.?\d*|\.\d+|nan|inf")
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+\.\d+|[1-9]\d{0,2}(?:,\d{3}){2,}")
_COMMA = re.compile(r"(?:0,\d+|\d+,(?:\d{1,2}|\d{4,}))|[1-9]\d{0,2}(?:\.\d{3})+,\d+")


def parse_number(text: str) -> Decimal | None:
    """Return a text as a number, or None if it is not a number or can be read in two ways: `1,234`."""
    parts = _PARTS.fullmatch(text.replace("\u2212", "-"))
    sign, digits, exponent = parts.groups() if parts else ("", "", "")
    if _THOUSANDS.fullmatch(digits):
        digits = digits.replace(",", "")
    elif _COMMA.fullmatch(digits):
        digits = digits.replace(".", "").replace(",", ".")
    elif not _PLAIN.fullmatch(digits):
        return None
    return Decimal(sign + digits + exponent)
