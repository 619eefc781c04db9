"""How a script is started: in which folder, with which places for its output, and with what stands in its arguments."""

from __future__ import annotations

import os
import types
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pytest_training.atomic import write_atomically
from pytest_training.execution.attempt.environment import job_environment
from pytest_training.execution.attempt.startup.sitecustomize import GENERATORS
from pytest_training.execution.folder import AttemptFolder, RunFolder
from pytest_training.execution.readers.protocol import RunningAttempt
from pytest_training.execution.strays import strays
from pytest_training.jobs.kinds import KINDS
from pytest_training.jobs.kinds.protocol import Command
from pytest_training.jobs.loading import load_jobs
from pytest_training.jobs.model import Job, Plan, PlannedJob

from .project import Project, message

SCRIPT = "import argparse\nparser = argparse.ArgumentParser()\n{}\nparser.parse_args()\n"


def words(job: Job, *, seed: int = 3) -> list[str]:
    """Return what stands behind the script's file."""
    start = KINDS[job.kind].start(job, folder="/out", seed=seed)
    assert isinstance(start, Command)
    return [*start.argv[2:]]


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        *((f"'--{name}'", ["--" + name, "/out"]) for name in ("output-dir", "output_dir", "out", "output", "outf")),
        *((f"'--{name}', default='runs'", ["--" + name, "/out"]) for name in ("out_dir", "outdir", "save", "save_dir")),
        *((f"'--{name}', default='./r/'", ["--" + name, "/out"]) for name in ("results_dir", "log-dir", "logdir")),
        *((f"'--{name}'", ["--" + name, "/out"]) for name in ("checkpoint-dir", "model-dir", "work-dir")),
        *(
            (f"'--{name}', type=str", ["--" + name, "/out"])
            for name in ("default_root_dir", "trainer.default_root_dir")
        ),
        ("'-o', '--destination', '--out-dir'", ["--out-dir", "/out"]),
        ("'--save', default='model.pt'", ["--save", "/out/model.pt"]),
        ("'--output', default='out/predictions.csv'", ["--output", "/out/predictions.csv"]),
        ("'--save-path', default='./ckpt.v1/'", ["--save-path", "/out"]),
        ("'--log_file', default='train.log'", ["--log_file", "/out/train.log"]),
        ("'out_dir'", ["/out"]),
        *(
            (f"'--{name}'", ["--" + name, "/out"])
            for name in ("model_save_dir", "tensorboard-logdir", "save-model-dir")
        ),
        *(
            (f"'--{name}', default='x'", [])
            for name in ("catalog_dir", "pretrained-model-dir", "input-path", "dir", "project")
        ),
        ("'--save'", []),
        ("'--save-path'", []),
        ("'--save', action='store_true'", []),
        ("'--save-model', default='x'", []),
        ("'--out', type=int, default=10", []),
        ("'--output', choices=['a', 'b']", []),
        ("'--overwrite_output_dir', type=bool", []),
        ("'--models-dir', default='models'", []),
        ("'--log-interval', default='10'", []),
        ("'--checkpoint', default='last.pt'", []),
        ("'--data-dir', default='data'", []),
        ("'--outside'", []),
    ],
)
def test_every_option_for_output_leads_into_the_jobs_folder(project: Project, call: str, expected: list[str]) -> None:
    job = project.job(SCRIPT.format(f"parser.add_argument({call})"))
    assert words(job) == expected
    assert not job.problem
    assert not (expected and job.parameters)  # the default is no value of the job


@pytest.mark.parametrize(
    ("default", "line", "is_named_again"),
    [
        ("out", "open('out/plot.png')", True),
        ("out", "open('./out/plot.png')", True),
        ("./out/", "open(f'out/{x}.png')", True),
        ("out", "os.path.join('out', 'plot.png')", True),
        ("net.pt", "load('net.pt')", True),
        ("out", "open('outer/plot.png')", False),
        ("out", "os.makedirs('out', exist_ok=True)", False),
        ("out/", "config.get('out')", False),
        ("net.pt", "open('net.pt.log')", False),
        (".", "open('./plot.png')", False),
    ],
)
def test_a_place_that_the_script_names_elsewhere_too_stays_where_it_is(
    project: Project, default: str, line: str, *, is_named_again: bool
) -> None:
    job = project.job(SCRIPT.format(f"parser.add_argument('--out-dir', default={default!r})") + line + "\n")
    place = "/out/net.pt" if default == "net.pt" else "/out"
    assert words(job) == ["--out-dir", default if is_named_again else place]
    [job] = project.load("jobs:\n  x: {parameters: {out_dir: there}}\n")[0]
    assert words(job) == ["--out-dir", "there"]


def test_several_places_for_output_are_all_in_the_folder_and_each_can_be_set(project: Project) -> None:
    declared = "\n".join(f"parser.add_argument('--{name}', default='x')" for name in ("out-dir", "log-dir", "save"))
    project.write("training/train_x.py", SCRIPT.format("parser.add_argument('data')\n" + declared))
    jobs = project.load("jobs:\n  x: {parameters: {data: d, log_dir: mine}, arguments: [--save=there]}\n")[0]
    assert words(jobs[0]) == ["d", "--log-dir", "mine", "--out-dir", "/out", "--save=there"]
    jobs = project.load("jobs:\n  x: {parameters: {data: d}, output_option: null}\n")[0]
    assert words(jobs[0]) == ["d"]
    project.write("training/train_x.py", SCRIPT.format("parser.add_argument('data')\nparser.add_argument('out_dir')\n"))
    assert words(project.load("jobs:\n  x: {parameters: {data: d}}\n")[0][0]) == ["d", "/out"]
    project.write("training/train_x.py", SCRIPT.format("parser.add_argument('out_dir')\nparser.add_argument('data')\n"))
    assert words(project.load()[0][0]) == ["/out", "d"]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("[--out, '{folder}']", ["--out", "/out"]),
        ("['--to={folder}/m.json', '{seed}']", ["--to=/out/m.json", "3"]),
        ("['run-{epochs}', '{unknown}', '${HOME}']", ["run-7", "{unknown}", "${HOME}"]),
    ],
)
def test_arguments_of_a_script_are_filled_as_those_of_a_command(
    project: Project, arguments: str, expected: list[str]
) -> None:
    project.write("training/train_x.py", SCRIPT.format("parser.add_argument('--epochs', type=int, default=7)"))
    catalogue = (
        f"jobs:\n  x: {{arguments: {arguments}}}\n  c: {{command: [tool, '{{epochs}}'], parameters: {{epochs: 7}}"
    )
    jobs = {job.id: job for job in project.load(f"{catalogue}, arguments: {arguments}}}\n")[0]}
    assert words(jobs["x"]) == words(jobs["c"]) == expected


def test_a_misspelt_place_is_refused(project: Project) -> None:
    project.write("training/train_x.py", SCRIPT.format("parser.add_argument('--epochs', type=int, default=7)"))
    said = project.mistake("jobs:\n  x: {arguments: ['{foldr}', '{else}']}\n")
    assert "{foldr} stands for nothing: did you mean 'folder'?" in said


README = "Train with\n\n    {}\n"


@pytest.mark.parametrize(
    ("files", "source", "expected"),
    [
        ({}, "open('x.csv')", ""),
        ({"models/a/data/x.csv": ""}, "open('data/x.csv')", "models/a"),
        ({"models/a/data/x.csv": ""}, "p.add_argument('--data', default='./data')", "models/a"),
        ({"models/a/x.csv": "", "x.csv": ""}, "open('x.csv')", ""),
        ({"data/x.csv": "", "models/a/README.md": README.format("python main.py")}, "open('data/x.csv')", "models/a"),
        ({"models/a/x.yaml": "", "README.md": README.format("python models/a/main.py")}, "open('x.yaml')", ""),
        ({"models/a/README.md": README.format("python b.py"), "models/a/b.py": ""}, "", "models/a"),
        ({"README.md": README.format("python models/a/b.py"), "models/a/b.py": ""}, "open('../x')", ""),
        ({"models/a/README.md": README.format("python gone.py")}, "", ""),
        ({"models/requirements.txt": ""}, "", "models"),
        ({"models/requirements.txt": "", "x.csv": ""}, "open('x.csv')", ""),
        ({"models/a/x.csv": ""}, "HERE = Path(__file__).parent\nopen(HERE / 'x.csv')", ""),
        ({"models/a/x.csv": ""}, "os.path.join(args.data, 'x.csv')", ""),
        ({"models/a/d/x.csv": ""}, "os.path.join('d', 'x.csv')", "models/a"),
        ({"models/a/d/x.csv": ""}, "pathlib.Path('d/x.csv').read_text()", "models/a"),
        ({"models/a/d/x.csv": ""}, "HERE.joinpath('d', 'x.csv')", ""),
        ({"models/a/x.csv": ""}, "open('x.csv', 'w')", ""),
        ({"models/a/train/1.png": ""}, "mode = 'train'", ""),
        ({"models/a/README.md": README.format("python main.py --epochs 3")}, "", "models/a"),
        ({"models/a/README.md": README.format("python models/a/main.py")}, "", ""),
        ({"Makefile": "train:\n\t@cd models ; python3 a/main.py\n"}, "open('../data/x.csv')", "models"),
        ({"README.md": README.format("git clone it && cd project && python models/a/main.py")}, "", ""),
        ({"README.md": README.format("cd models/a && python main.py")}, "", "models/a"),
        ({"README.md": README.format("python -m a.main"), "models/a/__init__.py": ""}, "", "models"),
        ({"models/a/README.md": README.format("see main.py")}, "", ""),
        ({"README.rst": README.format("cd models/a && CUDA_VISIBLE_DEVICES=0 python3 main.py")}, "", "models/a"),
        ({"README.md": README.format("cd models; torchrun --nproc_per_node 2 a/main.py")}, "", "models"),
        ({"README.md": README.format("accelerate launch models/a/main.py")}, "", ""),
        ({"README.md": README.format("torchrun --nproc_per_node 2 \\\n      main.py")}, "", "models/a"),
        ({"README.md": README.format("python -m models.a.main")}, "", ""),
        ({"models/README.md": README.format("python -m a.main")}, "", "models"),
        ({"README.md": README.format("python main.py"), "main.py": ""}, "", ""),
        ({"README.md": README.format("python other/main.py"), "other/main.py": ""}, "", ""),
        ({"README.md": b"\xff python main.py"}, "", "models/a"),
        ({}, "datasets.MNIST('../data')", "models/a"),
        ({}, "open('../../../elsewhere/x.csv')", ""),
        ({}, "plt.savefig('../out/x.png')", "models/a"),
        ({}, "plt.savefig(HERE / '../out/x.png')", ""),
        ({"models/a/sonar data.csv": ""}, "open('sonar data.csv')", "models/a"),
        ({"models/d/x.csv": ""}, "pd.read_csv('./d/x.csv')", "models"),
        ({"models/a/cats/1.png": ""}, "os.listdir('cats')", "models/a"),
        ({"models/a/cats/1.png": ""}, "glob.glob('cats/*.png')", "models/a"),
        ({"models/a/cats/1.png": "", "cats/1.png": ""}, "os.listdir('cats')", ""),
        ({}, "os.listdir('a\\0b')", ""),
        ({}, "sys.path.append('..')", "models/a"),
        ({"README.md": README.format("python models/a/main.py")}, "sys.path.append('..')", ""),
        (
            {"README.md": README.format("python models/a/main.py"), "models/data/x.csv": ""},
            "open('../data/x.csv')",
            "models/a",
        ),
    ],
)
def test_a_script_starts_where_its_paths_or_a_readme_say(
    tmp_path: Path, files: dict[str, str | bytes], source: str, expected: str
) -> None:
    for name, text in {**files, "models/a/main.py": f"import os\n{source}\nprint()\n"}.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    (tmp_path / "jobs.yaml").write_text("jobs:\n  m: {script: models/a/main.py}\n")
    [job] = load_jobs(tmp_path, tmp_path)[0]
    assert job.cwd == expected
    assert job.workplace == tmp_path / expected


def test_a_folder_whose_name_begins_with_a_dot_keeps_it(project: Project) -> None:
    project.write(".tools/fit.py", "print()")
    project.write(".tools/README", README.format("python fit.py"))
    assert project.load("jobs:\n  m: {script: .tools/fit.py}\n")[0][0].cwd == ".tools"


@pytest.mark.parametrize(("cwd", "expected"), [("training", "training"), (".", "."), ("./training/", "training")])
def test_the_catalogue_says_where_any_job_starts(project: Project, cwd: str, expected: str) -> None:
    project.write("training/train_x.py", "print(open('../training/x.csv'))")
    project.write("training/train_f.py", "def train(run): ...")
    jobs = project.load(f"defaults: {{cwd: {cwd}}}\njobs: {{c: {{command: [ls]}}}}\n")[0]
    assert [job.cwd for job in jobs] == [expected] * 3


def test_a_folder_to_start_in_exists(project: Project) -> None:
    project.job("print()")
    said = message(lambda: project.load("jobs:\n  x: {cwd: nowhere}\n"))
    assert said.endswith("cwd: expected a folder relative to the project's root, found 'nowhere'")


def test_plots_open_no_window_unless_the_user_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MPLBACKEND", raising=False)
    job = Job(id="x", kind="script", source="x.py", home="/p", root="/p")
    assert job_environment(job, "/out", seed=0, threads=1)["MPLBACKEND"] == "Agg"
    monkeypatch.setenv("MPLBACKEND", "TkAgg")
    assert "MPLBACKEND" not in job_environment(job, "/out", seed=0, threads=1)


def test_trackers_write_into_the_jobs_folder_unless_the_user_has_said_where(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("WANDB_DIR", "MLFLOW_TRACKING_URI", "PL_TRAINER_DEFAULT_ROOT_DIR")
    for name in names:
        monkeypatch.delenv(name, raising=False)
    job = Job(id="x", kind="script", source="x.py", home="/p", root="/p")
    found = job_environment(job, "/out", seed=0, threads=1)
    assert [found[name] for name in names] == ["/out", "/out/mlruns", "/out"]
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")
    assert "MLFLOW_TRACKING_URI" not in job_environment(job, "/out", seed=0, threads=1)


@pytest.mark.parametrize(
    "declared",
    [
        {"kind": "script", "imports": ("mlflow",)},
        {"kind": "script", "imports": ("lightning.pytorch.loggers",)},
        {"kind": "command", "command": ("bash", "train.sh")},
    ],
)
def test_no_folder_above_the_runs_of_mlflow_is_called_artifacts(
    declared: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    folder = AttemptFolder(tmp_path / "attempt-1")
    folder.create()
    job = Job(id="x", source="x.py", home="/p", root="/p", **declared)
    for _ in range(2):  # the process that starts another one, and that one
        place = Path(job_environment(job, str(folder.artifacts), seed=0, threads=1)["MLFLOW_TRACKING_URI"])
    assert "artifacts" not in place.parts
    (place / "0").mkdir(parents=True)
    assert (folder.artifacts / "mlruns" / "0").is_dir()


@pytest.mark.parametrize("module", ["torch.utils.tensorboard.writer", "tensorboardX.writer"])
@pytest.mark.parametrize(
    ("values", "named", "expected"),
    [
        ((), {}, "/out/runs"),
        ((None,), {}, "/out/runs"),
        ((), {"comment": "_val"}, "/out/runs_val"),
        ((), {"log_dir": None, "flush_secs": 3}, "/out/runs"),
        ((), {"logdir": "mine"}, "mine"),
        (("mine", "_c"), {}, "mine"),
        (("",), {}, "/out/runs"),
    ],
)
def test_tensorboards_writer_gets_the_jobs_folder_where_the_script_gives_none(
    monkeypatch: pytest.MonkeyPatch, module: str, values: tuple[Any, ...], named: dict[str, Any], expected: str
) -> None:
    class Writer:
        def __init__(self, log_dir: str | None = None, comment: str = "", flush_secs: int = 1) -> None:
            self.made = [log_dir, comment, flush_secs][0]

    monkeypatch.setenv("TRAINING_FOLDER", "/out")
    GENERATORS[module](types.SimpleNamespace(SummaryWriter=Writer), 0)
    assert Writer(*values, **named).made == expected


def test_what_changed_in_a_repository_is_named_by_folder(tmp_path: Path) -> None:
    place: dict[str, Any] = {
        "source": "x.py",
        "home": str(tmp_path),
        "root": str(tmp_path),
        "files": (str(tmp_path / "mine.py"),),
    }
    job = Job(id="x", kind="script", cwd="models/a", **place)
    other = Job(id="y", kind="script", **{**place, "files": (str(tmp_path / "theirs.py"),)})
    (tmp_path / "mine.py").write_text("torch.save('net.pt')")
    (tmp_path / "theirs.py").write_text("torch.save('net.pt'); frame.to_csv('theirs.csv')")
    run = RunFolder(tmp_path / "reports", "r")
    plans = tuple(PlannedJob(job=each, expected_s=None, expected_from="unknown") for each in (job, other))
    write_atomically(run.plan, msgspec.json.encode(Plan(run_id="r", seed=0, workers=2, threads=1, jobs=plans)))
    folder = run.job("x").attempt(1)
    run.job("y").path.mkdir(parents=True)
    names = [
        "models/a/runs/1/events",
        "models/a/runs/2/events",
        "models/a/net.pt",
        "data/y",
        "z\n",
        "reports/scores.json",
    ]
    unseen = [
        "theirs.csv",
        "reports/runs/1/log.txt",
        "reports/history.sqlite-wal",
        ".git/index",
        "models/a/__pycache__/m.pyc",
        "venv/lib/x.py",
    ]
    for name in (*names, *unseen):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
        os.utime(path, (1_000.0, 2_000.0))  # what is unpacked keeps an old time of writing
    since = min((tmp_path / name).stat().st_ctime for name in names)
    for name in ("mine.py", "theirs.py"):
        assert (tmp_path / name).stat().st_ctime <= since
    [note] = strays(RunningAttempt(job, folder, since))
    assert note.startswith("files of the repository changed while it ran: ")
    found = {*note.partition(": ")[2].split(", ")} - {"mine.py", "theirs.py"}
    assert found == {"models/a/runs/ (2 files)", "models/a/net.pt", "data/", "z\\n", "reports/"}
    assert strays(RunningAttempt(job, folder, since + 10)) == ()


def test_a_module_below_src_starts_beside_src(tmp_path: Path) -> None:
    (tmp_path / "src/a").mkdir(parents=True)
    (tmp_path / "src/a/main.py").write_text("print()\n")
    (tmp_path / "Makefile").write_text("train:\n\tpython -m a.main fit\n")
    (tmp_path / "jobs.yaml").write_text("jobs:\n  m: {script: src/a/main.py}\n")
    [job] = load_jobs(tmp_path, tmp_path)[0]
    assert job.cwd == ""
