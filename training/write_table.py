"""Write the table of training/README.md from the last run's report: `python training/write_table.py`.

With several report files it adds the spread over seeds: `for s in 0 … 9: pytest -n 4 --training-seed $s` and then
`python training/write_table.py reports/runs/*/report.json`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

PAGE = Path(__file__).with_name("README.md")
BEGIN, END = "<!-- table: python training/write_table.py -->", "<!-- end of table -->"
HEAD = (
    "| job | question | data | positive class | gates | measured (95 % interval) | seconds |\n"
    "|---|---|---|---|---|---|---|\n"
)


def jobs(report: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return each job's metadata by id."""
    return {test["metadata"]["id"]: test["metadata"] for test in report["tests"] if "metadata" in test}


def shown(metadata: dict[str, Any]) -> str:
    """Return the headline metric with its interval."""
    name, value = next(iter(metadata["metrics"].items()))
    low, high = (metadata["metrics"].get(f"{name}_{end}") for end in ("low", "high"))
    return f"{name} {value:.3f}" + (f" ({low:.3f} to {high:.3f})" if low is not None and high is not None else "")


def gate(judged: dict[str, Any]) -> str:
    """Return a gate as its job writes it."""
    return f"{judged['gate']['metric']} {judged['gate']['operator']} {judged['gate']['threshold']:g}"


def row(job_id: str, metadata: dict[str, Any], declared: dict[str, dict[str, Any]]) -> str:
    """Return a job's row."""
    data = [
        f"{used['name']} ({'simulated' if used['simulated'] else 'real'}, {used['license']}, "
        f"n = {declared.get(used['name'], {}).get('shape', ['?'])[0]:,})"
        for used in metadata["datasets"]
        if used["opened"]
    ]
    positive = {str(declared.get(used["name"], {}).get("positive") or "none") for used in metadata["datasets"]}
    said = "; ".join(data), ", ".join(sorted(positive)), ", ".join(map(gate, metadata["gates"]))
    cells = job_id, metadata["title"], *said, shown(metadata), f"{metadata['wall_s']:.0f}"
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def spread(reports: list[dict[str, Any]]) -> Iterator[str]:
    """Yield a line per gated metric: its range over the seeds of the reports, and whether every gate held."""
    judged = pd.DataFrame(
        {"job": job_id, "gate": gate(each), "found": each["found"], "passed": each["passed"]}
        for report in reports
        for job_id, metadata in jobs(report).items()
        for each in metadata["gates"]
    )
    gates = judged.groupby(["job", "gate"]).agg({"found": ["min", "max"], "passed": "all"})
    seeds = sorted({report["training"]["seed"] for report in reports})
    yield f"Over seeds {', '.join(map(str, seeds))}:\n\n| job | gate | least | most | held |\n|---|---|---|---|---|"
    for (job_id, condition), least, most, held in gates.itertuples():
        yield f"| {job_id} | {condition} | {least:.3f} | {most:.3f} | {'always' if held else 'NOT always'} |"


def main(arguments: list[str]) -> None:
    """Replace the table in the page."""
    root = Path(__file__).parents[1]
    latest = json.loads((root / "reports" / "report.json").read_text())
    plan = json.loads((root / "reports" / latest["training"]["folder"] / "plan.json").read_text())
    declared = {dataset["name"]: dataset for dataset in plan["datasets"]}
    lines = [row(job_id, metadata, declared) for job_id, metadata in sorted(jobs(latest).items())]
    table = HEAD + "\n".join(lines)
    if arguments:
        reports = [json.loads(Path(name).read_text()) for name in arguments]
        table += "\n\n" + "\n".join(spread([report for report in reports if len(jobs(report)) >= len(lines)]))
    before, _, rest = PAGE.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}")


if __name__ == "__main__":
    main(sys.argv[1:])
