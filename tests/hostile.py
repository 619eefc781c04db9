"""A job that puts markup, terminal codes, Markdown, bad bytes and 50 MB wherever a job can put a text."""

from __future__ import annotations

import json

from sessions import Project

HTML = "<script>alert(1)</script><img src=x onerror=alert(2)>"
MARKDOWN = "| [link](javascript:alert(3)) @everyone #1 `code` **bold** ![x](http://localhost/x.png)"
NAME = f"{HTML} {MARKDOWN}"
PICTURE = """<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" onload="alert(4)">
<script>alert(5)</script><image href="http://localhost/outside.png"/><style>@import "http://localhost/a.css";</style>
<a xlink:href="javascript:alert(6)"><rect width="9" height="9"/></a>
<foreignObject><body xmlns="http://www.w3.org/1999/xhtml"><iframe src="http://localhost/"/></body></foreignObject></svg>"""
JOB = f"""
'''Title {NAME} \\x1b[31mred.'''
import os, sys

def train(run, *, name={NAME!r}):
    print({NAME!r} + " \\x1b[31mred\\x1b]0;title\\x07\\n::error::no command of GitHub\\n%0A::add-mask::x")
    sys.stdout.flush()
    os.write(1, b"\\xff\\xfe invalid\\n" + (b"x" * 999 + b"\\n") * 50_000)
    os.write(1, {NAME!r}.encode() + b"\\n\\x00\\x01\\x1b[2J]]>\\xed\\xa0\\x80 end\\n")
    for epoch in range(3):
        run.log(epoch=epoch, **{{{NAME!r}: epoch, "kind": {NAME!r}}})
    run.save("evil.svg", {PICTURE!r})
    run.save("no.svg", "<html><script>alert(7)</script></html>")
    run.save("javascript:alert(8)", b"x")
    (run.folder / {NAME.replace("/", "")!r}).write_text("x")
    os.symlink("/etc/passwd", run.folder / "passwd.png")
    run.data("panel")
    if "fails" in os.path.basename(__file__):
        raise ValueError("##[add-path]x " + {NAME!r} + "\\n::error::second\\nline \\x1b[31m")
    return {{{NAME!r}: 1.0, "score": 0.7}}
"""
CATALOGUE = {
    "jobs": {"evil": {"data": ["panel"]}, "fails": {"data": ["panel"]}},
    "data": {"panel": {"path": "panel.csv", "real": False, "title": NAME, "license": NAME, "citation": NAME}},
}


def make(project: Project) -> None:
    """Write the job twice: one passes, one fails."""
    project.write("training/train_evil.py", JOB)
    project.write("training/train_fails.py", JOB)
    project.write("training/panel.csv", "age\n50\n")
    project.write("training/jobs.yaml", json.dumps(CATALOGUE))
