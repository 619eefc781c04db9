"""Files: a table of the user's as a CSV, Excel or Parquet file has it, or one sentence about why it cannot be read."""

from __future__ import annotations

import csv
import re
import warnings
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple, NoReturn

import pandas as pd

SNIFFED = 50_000  # characters that decide how numbers are written
EXCEL = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
PARQUET = b"PAR1"
DECIMAL_COMMA = re.compile(r"^[-+<>≤≥ ]*(\d+,(\d{1,2}|\d{4,})|0,\d+|\d{1,3}(\.\d{3})+,\d+)\s*%?$")
DECIMAL_POINT = re.compile(r"^[-+<>≤≥ ]*(\d+\.(\d{1,2}|\d{4,})|0\.\d+|\d{1,3}(,\d{3})+\.\d+)\s*%?$")


class Table(NamedTuple):
    """What a file holds."""

    columns: pd.DataFrame
    decimal: str = ""
    """The sign that its numbers surely have before decimals; empty if no number tells."""


def refuse(sentence: str) -> NoReturn:
    """Raise ValueError with the sentence alone, without the error of a reader that it explains."""
    raise ValueError(sentence) from None


def read(path: Path) -> Table:
    """Read a table: a CSV with commas, semicolons, tabs or bars; Excel or Parquet where pandas can."""
    try:
        start = path.open("rb").read(8)
    except FileNotFoundError:
        refuse(f"there is no file {str(path)!r} (looked at {path.absolute()})")
    except IsADirectoryError:
        refuse(f"{str(path)!r} is a folder; a CSV file is needed")
    is_text = not start.startswith((*EXCEL, PARQUET))
    table = _csv(path) if is_text else Table(_excel(path) if start.startswith(EXCEL) else _parquet(path))
    if table.columns.shape[1] <= 1 or table.columns.empty:
        rows, columns = table.columns.shape
        refuse(f"{path.name} has {rows} rows and {columns} columns; a table with a header is needed")
    names = [str(name).strip() for name in table.columns]
    _require_own_names(path, names)
    table.columns.columns = pd.Index(names)
    return table


def _excel(path: Path) -> pd.DataFrame:
    try:
        sheets = pd.read_excel(path, sheet_name=None)
    except ImportError as error:
        missing = "xlrd" if "xlrd" in str(error) else "openpyxl"
        refuse(f"{path.name} is an Excel file; save it as CSV (UTF-8), or install {missing}")
    except Exception as error:  # noqa: BLE001  (each reader of Excel raises errors of its own)
        refuse(f"{path.name} cannot be read as an Excel file ({error}); save it as CSV (UTF-8)")
    filled = {name: sheet for name, sheet in sheets.items() if not sheet.empty}
    if len(filled) != 1:
        refuse(
            f"{path.name} has {len(filled)} sheets with rows, {list(filled)}; save the one that you mean as CSV (UTF-8)"
        )
    return next(iter(filled.values()))


def _parquet(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except ImportError:
        refuse(f"{path.name} is a Parquet file; save it as CSV (UTF-8), or install pyarrow")
    except Exception as error:  # noqa: BLE001  (pyarrow raises errors of its own)
        refuse(f"{path.name} cannot be read as a Parquet file ({error}); save it as CSV (UTF-8)")


def _csv(path: Path) -> Table:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            start = file.readline() + file.read(SNIFFED)
        if "\0" in start:
            refuse(f"{path.name} is not a CSV: it has zero bytes")
        separator = max(",;\t|", key=start.lstrip().partition("\n")[0].count)
        lines = start.splitlines()
        cells = list(csv.reader(lines[: max(1, len(lines) - 1)], delimiter=separator, skipinitialspace=True))
        decimal = _decimal([cell for row in cells[1:] for cell in row])
        _require_own_names(path, [cell.strip() for cell in (cells or [[]])[0] if cell.strip()])
        with warnings.catch_warnings():
            warnings.simplefilter("error", pd.errors.ParserWarning)
            how: dict[str, Any] = {"sep": separator, "decimal": decimal if decimal == "," != separator else "."}
            table = pd.read_csv(
                path, encoding="utf-8-sig", index_col=False, skipinitialspace=True, low_memory=False, **how
            )
        return Table(table, decimal)
    except UnicodeDecodeError:
        refuse(f"{path.name} is not a CSV in UTF-8: it has bytes that are no text; save it as CSV (UTF-8)")
    except pd.errors.ParserWarning:
        refuse(
            f"{path.name} has rows with more values than its header has names; a decimal comma may be one, save with ;"
        )
    except pd.errors.EmptyDataError:
        refuse(f"{path.name} cannot be read as a CSV: it is empty")
    except (pd.errors.ParserError, csv.Error) as error:
        refuse(f"{path.name} cannot be read as a CSV: {str(error).strip()}")


def _require_own_names(path: Path, names: list[str]) -> None:
    """Refuse two columns of one name: pandas would rename the second, and nobody knew which was used."""
    name, count = Counter(names).most_common(1)[0] if names else ("", 1)
    if count > 1:
        refuse(f"{path.name} has two columns named {name!r}; give each a name of its own")


def _decimal(cells: list[str]) -> str:
    """Return the sign before decimals where a number tells: 61,53 does, 23,456 does not."""
    comma, point = (any(map(form.match, cells)) for form in (DECIMAL_COMMA, DECIMAL_POINT))
    return "," if comma and not point else "." if point and not comma else ""
