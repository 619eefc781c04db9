"""Numbers as programs write them."""

import re
from decimal import Decimal

Number = Decimal | float  # a Decimal has the digits that are printed
_PARTS, _PLAIN = re.compile(r"(?s)([-+]?)(.*?)((?:[eE][-+]?\d{1,3})?)"), re.compile(r"(?i)\d+\.?\d*|\.\d+|nan|inf")
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+\.\d+|[1-9]\d{0,2}(?:,\d{3}){2,}")
_COMMA = re.compile(r"(?:0,\d+|\d+,(?:\d{1,2}|\d{4,}))|[1-9]\d{0,2}(?:\.\d{3})+,\d+")

SHARE = re.compile(r"(?i)(?:.*_)?(?:acc|accuracy|precision|recall|f\d?|auc|iou|dice)(?:_score)?")
_UNSIGNED = re.compile(r"(?:[a-z]{3,10}_)?(?:error|err|fehler)")  # a negative one is that of a sample


def is_possible(name: str, value: Number) -> bool:
    """Return False for a number that no measurement of this name can be: an F1 of 647 is that of an F-test."""
    is_share, number = SHARE.fullmatch(name), float(value)  # a Decimal that is NaN cannot be compared
    return not ((is_share and number > 100) or (number < 0 and (is_share or _UNSIGNED.fullmatch(name))))


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
