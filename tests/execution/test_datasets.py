"""Tests of execution/data.py: every source, and every way in which data can be missing or changed."""

from __future__ import annotations

import hashlib
import http.server
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pytest_training.errors import DataError
from pytest_training.execution.data import obtain
from pytest_training.execution.pins import LOCK_NAME
from pytest_training.jobs.model import Dataset

CONTENT = b"age,als\n61,1\n"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
OTHER = "ab" * 32


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "training"
    folder.mkdir()
    return folder


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    return tmp_path / "cache"


class Site:
    """A web server in this process, of which the tests count the requests."""

    def __init__(self) -> None:
        self.content, self.requests = CONTENT, 0
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.requests += 1
                self.send_response(200 if self.path == "/visits.csv" else 404)
                self.send_header("Content-Length", str(len(site.content)))
                self.end_headers()
                self.wfile.write(site.content)

            def log_message(self, *arguments: Any) -> None:
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/visits.csv"


@pytest.fixture
def site() -> Iterator[Site]:
    site = Site()
    threading.Thread(target=site.server.serve_forever, kwargs={"poll_interval": 0.02}).start()
    yield site
    site.server.shutdown()
    site.server.server_close()


def dataset(home: Path, **fields: Any) -> Dataset:
    return Dataset(name="visits", real=True, home=str(home), declared="training/jobs.yaml:41", **fields)


def simulation(home: Path, body: str, module: str) -> Dataset:
    """Declare a simulated dataset; every test has its own module name: Python keeps what it imported."""
    (home / f"{module}.py").write_text(body)
    return dataset(home, simulated=f"{module}:simulate", seed=7)


# package


def test_file_of_a_package_is_found_and_hashed_without_importing_the_package(
    home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    package = tmp_path / "site" / "explosive"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "visits.csv").write_bytes(CONTENT)
    monkeypatch.syspath_prepend(tmp_path / "site")

    declared = dataset(home, package="explosive", file="visits.csv", sha256=SHA256.upper())

    assert obtain(declared) == (package / "visits.csv", SHA256)


def test_missing_package_says_what_to_install(home: Path) -> None:
    declared = dataset(home, package="no_such_package", file="visits.csv")
    with pytest.raises(DataError, match=r"'visits' \(training/jobs.yaml:41\).*pip install no_such_package"):
        obtain(declared)


@pytest.mark.parametrize("package", ["msgspec", "this"])
def test_file_missing_in_a_package_names_file_and_folder(home: Path, package: str) -> None:
    declared = dataset(home, package=package, file="visits.csv")
    with pytest.raises(DataError, match=rf"'visits.csv' inside the installed package '{package}'.*found no such file"):
        obtain(declared)


# path


def test_path_is_relative_to_the_catalogue(home: Path) -> None:
    (home / "visits.csv").write_bytes(CONTENT)
    assert obtain(dataset(home, path="visits.csv")) == (home / "visits.csv", SHA256)


def test_one_flipped_byte_is_an_error_with_both_hashes_and_the_file_stays(home: Path) -> None:
    changed = bytes([CONTENT[0] ^ 1]) + CONTENT[1:]
    (home / "visits.csv").write_bytes(changed)
    with pytest.raises(DataError) as raised:
        obtain(dataset(home, path="visits.csv", sha256=SHA256))
    assert SHA256 in str(raised.value)
    assert hashlib.sha256(changed).hexdigest() in str(raised.value)
    assert (home / "visits.csv").read_bytes() == changed


def test_missing_path_names_the_place(home: Path) -> None:
    declared = dataset(home, path="visits.csv")
    with pytest.raises(DataError, match=r"expected a file or folder at .*training/visits.csv"):
        obtain(declared)


def test_hash_of_a_folder_is_what_sha256sum_makes_of_its_listing(home: Path) -> None:
    for name in ("b/2.csv", "a/1.csv", "a.csv"):
        (home / "scans" / name).parent.mkdir(parents=True, exist_ok=True)
        (home / "scans" / name).write_text(name)

    _, found = obtain(dataset(home, path="scans"))

    lines = [f"{hashlib.sha256(name.encode()).hexdigest()}  {name}\n" for name in ("a.csv", "a/1.csv", "b/2.csv")]
    assert found == hashlib.sha256("".join(lines).encode()).hexdigest()
    (home / "scans" / "a.csv").rename(home / "scans" / "c.csv")
    assert obtain(dataset(home, path="scans"))[1] != found


# url


def test_url_is_fetched_once_and_pinned_in_the_lock(home: Path, cache: Path, site: Site) -> None:
    declared = dataset(home, url=site.url)

    path, found = obtain(declared, cache=cache)
    assert (path.read_bytes(), found) == (CONTENT, SHA256)
    assert json.loads((home / LOCK_NAME).read_text()) == {
        "datasets": {"visits": {"url": site.url, "sha256": SHA256}},
        "schema_version": 1,
    }

    site.server.shutdown()
    assert obtain(declared, cache=cache) == (path, SHA256)
    assert site.requests == 1


def test_other_pins_in_the_lock_are_kept(home: Path, cache: Path, site: Site) -> None:
    pins = {"earlier": {"url": "https://example.org/x", "sha256": OTHER}}
    (home / LOCK_NAME).write_text(json.dumps({"schema_version": 1, "datasets": pins}))
    obtain(dataset(home, url=site.url), cache=cache)
    assert list(json.loads((home / LOCK_NAME).read_text())["datasets"]) == ["earlier", "visits"]


def test_declared_sha256_needs_no_lock(home: Path, cache: Path, site: Site) -> None:
    obtain(dataset(home, url=site.url, sha256=SHA256), cache=cache)
    assert not (home / LOCK_NAME).exists()


def test_new_content_behind_a_pinned_url_is_refused(home: Path, tmp_path: Path, site: Site) -> None:
    declared = dataset(home, url=site.url)
    obtain(declared, cache=tmp_path / "mine")
    site.content = b"other"
    with pytest.raises(DataError, match=rf"data.lock expects sha256 {SHA256}.*now delivers") as raised:
        obtain(declared, cache=tmp_path / "colleague")
    assert hashlib.sha256(b"other").hexdigest() in str(raised.value)
    assert not list((tmp_path / "colleague").rglob("*.csv"))


def test_changed_cached_file_is_refused_and_kept(home: Path, cache: Path, site: Site) -> None:
    path, _ = obtain(dataset(home, url=site.url), cache=cache)
    path.write_bytes(b"spoilt")
    with pytest.raises(DataError, match=rf"expects sha256 {SHA256}, but .*{hashlib.sha256(b'spoilt').hexdigest()}"):
        obtain(dataset(home, url=site.url), cache=cache)
    assert path.read_bytes() == b"spoilt"
    assert site.requests == 1


def test_changed_url_asks_to_drop_the_old_pin(home: Path, cache: Path, site: Site) -> None:
    obtain(dataset(home, url=site.url), cache=cache)
    with pytest.raises(DataError, match="delete the entry 'visits'"):
        obtain(dataset(home, url=f"{site.url}?version=2"), cache=cache)


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/visits.csv", "gopher://127.0.0.1/visits.csv"])
def test_no_network_and_no_copy_names_url_cache_and_the_key_for_a_local_copy(home: Path, cache: Path, url: str) -> None:
    with pytest.raises(DataError) as raised:
        obtain(dataset(home, url=url), cache=cache)
    for words in (url, str(cache / "fetched"), "`path:`", "training/jobs.yaml:41"):
        assert words in str(raised.value)
    assert not list(cache.rglob("*.partial*"))


def test_answer_that_is_no_success_is_not_taken_for_data(home: Path, cache: Path, site: Site) -> None:
    with pytest.raises(DataError, match="404"):
        obtain(dataset(home, url=f"{site.url}.gz"), cache=cache)
    assert not (home / LOCK_NAME).exists()


@pytest.mark.parametrize("text", ["{", '{"datasets": {"visits": {"url": 1}}}', '{"pins": {}}'])
def test_damaged_lock_is_an_error_that_names_it(home: Path, cache: Path, site: Site, text: str) -> None:
    (home / LOCK_NAME).write_text(text)
    with pytest.raises(DataError, match=r"data.lock is no lock"):
        obtain(dataset(home, url=site.url), cache=cache)
    assert (home / LOCK_NAME).read_text() == text


# simulated


def test_simulation_runs_once_per_seed_and_source(home: Path, cache: Path) -> None:
    body = "def simulate(path, seed):\n    path.write_text(str(seed))\n    open({!r}, 'a').write('.')\n"
    count = home / "count"
    declared = simulation(home, body.format(str(count)), "sim_once")

    first = obtain(declared, cache=cache)
    assert first == obtain(declared, cache=cache)
    assert first[0].read_text() == "7"
    assert first[1] == hashlib.sha256(b"7").hexdigest()
    assert count.read_text() == "."

    (home / "sim_once.py").write_text(body.format(str(count)) + "# changed\n")
    assert obtain(declared, cache=cache)[0] != first[0]
    assert count.read_text() == ".."


def test_simulation_may_write_a_folder(home: Path, cache: Path) -> None:
    body = "def simulate(path, seed):\n    path.mkdir()\n    (path / 'a.txt').write_text('a')\n"
    path, found = obtain(simulation(home, body, "sim_folder"), cache=cache)
    assert (path / "a.txt").read_text() == "a"
    assert found is not None


def test_simulated_data_are_checked_too(home: Path, cache: Path) -> None:
    body = "def simulate(path, seed): path.write_text('a')\n"
    declared = simulation(home, body, "sim_checked")
    path, found = obtain(declared, cache=cache)
    path.write_text("spoilt")
    with pytest.raises(DataError, match=f"expects sha256 {found}"):
        obtain(declared, cache=cache)
    assert path.read_text() == "spoilt"


def test_failing_simulation_leaves_nothing_and_shows_its_own_error(home: Path, cache: Path) -> None:
    body = "def simulate(path, seed):\n    path.write_text('half')\n    raise ZeroDivisionError('here')\n"
    with pytest.raises(ZeroDivisionError, match="here"):
        obtain(simulation(home, body, "sim_failing"), cache=cache)
    assert not [file for file in (cache / "simulated").iterdir() if file.suffix != ".lock"]


@pytest.mark.parametrize(
    ("module", "body", "message"),
    [
        ("sim_silent", "def simulate(path, seed): pass", "without writing a file"),
        ("sim_unnamed", "simulation = 1", "expected a function 'simulate'"),
    ],
)
def test_simulation_that_cannot_be_used_is_explained(
    home: Path, cache: Path, module: str, body: str, message: str
) -> None:
    with pytest.raises(DataError, match=message):
        obtain(simulation(home, body, module), cache=cache)


def test_missing_simulation_names_the_file_that_was_looked_for(home: Path) -> None:
    declared = dataset(home, simulated="cohorts.nowhere:simulate")
    with pytest.raises(DataError, match=r"training/cohorts/nowhere.py"):
        obtain(declared)


def test_processes_that_simulate_at_the_same_time_share_one_result(home: Path, cache: Path) -> None:
    count = home / "count"
    body = (
        "import os, time\n"
        f"def simulate(path, seed):\n    open({str(count)!r}, 'a').write('.')\n"
        "    path.mkdir(); time.sleep(0.3); (path / 'made-by').write_text(str(os.getpid()))\n"
    )
    simulation(home, body, "sim_parallel")
    code = (
        "from pathlib import Path\n"
        "from pytest_training.execution.data import obtain\n"
        "from pytest_training.jobs.model import Dataset\n"
        f"data = Dataset(name='visits', real=False, home={str(home)!r}, simulated='sim_parallel:simulate')\n"
        f"print(obtain(data, cache=Path({str(cache)!r}))[1])\n"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    hashes = {process.communicate(timeout=120)[0] for process in processes}
    assert len(hashes) == 1
    assert count.read_text() == "."


def test_nothing_heavy_is_imported_until_it_is_needed() -> None:
    code = (
        "import sys; import pytest_training.execution.data\n"
        "print([name for name in ('pooch', 'requests', 'rich', 'numpy', 'pandas') if name in sys.modules])"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_unwritable_cache_is_explained(home: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file")
    declared = simulation(home, "def simulate(path, seed): path.write_text('a')\n", "sim_unwritable")
    with pytest.raises(DataError, match=r"cannot write to the cache folder .*XDG_CACHE_HOME"):
        obtain(declared, cache=tmp_path / "cache")
