"""The Ray engine, on clusters of this machine: the same answers as one plain loop, whatever dies in between."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from conftest import ROOT
from helpers import environment, make_zip, photo, write

from gesture_maker.dataset.listing import Listing, listing_table
from gesture_maker.dataset.reading import Reader
from gesture_maker.errors import ConfigError, SourceError, UnreadableImage
from gesture_maker.files import sha256_of
from gesture_maker.landmarks import ray_cluster, ray_engine
from gesture_maker.landmarks.detector import HandDetector
from gesture_maker.landmarks.hands import Hand, HandOrNot, NoHand
from gesture_maker.landmarks.looking import Found, Look, look_at
from gesture_maker.landmarks.ray_cluster import load_ray
from gesture_maker.landmarks.rows import key_of
from gesture_maker.synthetic.draw import draw_dataset

# Read when Ray is imported. The first makes it stay on the loopback interface; a key for clusters of the loopback is not needed.
os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
os.environ.setdefault("RAY_AUTH_MODE", "disabled")

PATIENCE = 180  # seconds; only for a broken program, nothing waits this long
NOTHING = np.zeros(0, "V16")
LOOK = Look()

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="looks at processes in /proc"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning:ray"),
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A cluster whose only node so far has one CPU."""
    load_ray()
    from ray import cloudpickle
    from ray._private.utils import get_ray_address_file
    from ray.cluster_utils import Cluster

    cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import this file
    # A second node writes the address there, where nobody made the folder: the head has one of its own.
    Path(get_ray_address_file(None)).parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="gm-", dir="/tmp", ignore_cleanup_errors=True) as folder:
        made = Cluster(
            initialize_head=True, head_node_args={**NODE, "temp_dir": folder, "ray_client_server_port": free_port()}
        )
        yield made
        made.shutdown()


NODE = {"num_cpus": 1, "node_ip_address": "127.0.0.1", "object_store_memory": 100 << 20, "include_dashboard": False}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """32 drawn photos, without their landmarks."""
    folder = tmp_path_factory.mktemp("drawn")
    draw_dataset(folder, ("fist", "victory"), range(8), 2, 0)
    return folder


@pytest.fixture(scope="module")
def listing(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Listing:
    """Drawn photos, one of them in a zip, and what an engine has to bear."""
    root = tmp_path_factory.mktemp("images")
    photos = sorted(drawn.glob("*/*.jpg"))
    files: list[tuple[str, str | None]] = []
    for number, path in enumerate(photos[:30]):
        write(root / f"a/{number}.jpg", path.read_bytes())
        files.append((f"a/{number}.jpg", None))
    make_zip(root / "b.zip", {"b/0.jpg": photos[30].read_bytes(), "b/1.jpg": photos[31].read_bytes()})
    files += [("b.zip", "b/0.jpg"), ("b.zip", "b/1.jpg"), ("b.zip", "b/not in it.jpg"), ("not there.jpg", None)]
    damaged = {
        "cut.jpg": photos[0].read_bytes()[:2000],
        "empty.jpg": b"",
        "text.jpg": b"not an image",
        "small.png": photo(suffix=".png", size=(20, 20)),
        "noise.png": photo(suffix=".png", size=(200, 200)),
    }
    for name, content in damaged.items():
        write(root / name, content)
        files.append((name, None))
    files += files[:2]  # with a box
    boxes: list[tuple[float, ...] | None] = [None] * (len(files) - 2) + [(0.2, 0.1, 0.6, 0.8), (0.0, 0.0, 0.01, 0.01)]
    paths, members = zip(*files, strict=True)
    names = [f"{number}.jpg" for number in range(len(files))]
    return Listing(str(root), listing_table(names, ["fist"] * len(files), paths=paths, members=members, boxes=boxes))


@pytest.fixture(scope="module")
def expected(listing: Listing) -> list[Found]:
    """What a plain loop finds."""
    reader = Reader(listing.root)
    found = []
    with HandDetector() as detector:
        for index, row in enumerate(listing.images.to_pylist()):
            try:
                content = reader.read(row["path"], row["member"])
            except UnreadableImage as error:
                found.append(Found(index, "", NoHand(error.reason)))
                continue
            answer = look_at(content, row["file"], LOOK, detector, row["box"])
            found.append(Found(index, sha256_of(content), answer))
    assert sum(isinstance(one.answer, Hand) for one in found) > 25
    return found


def as_tuple(answer: HandOrNot | None) -> tuple[Any, ...] | None:
    if isinstance(answer, Hand):
        points = (answer.landmarks.tobytes(), answer.world.tobytes())
        return (*points, answer.handedness, answer.width, answer.height, answer.margin)
    return None if answer is None else (answer.reason,)


def equal(found: list[Found], expected: list[Found]) -> None:
    """Check that these are the same rows to the last bit."""
    found = sorted(found, key=lambda one: one.index)
    assert [(one.index, one.sha256) for one in found] == [(one.index, one.sha256) for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert as_tuple(one.answer) == as_tuple(other.answer), one.index


def repeated(listing: Listing, times: int) -> Listing:
    """Return the listing several times over."""
    rows = list(range(len(listing))) * times
    return Listing(listing.root, listing.images.take(rows))


def repeated_answers(expected: list[Found], times: int) -> list[Found]:
    count = len(expected)
    return [
        Found(index, expected[index % count].sha256, expected[index % count].answer) for index in range(times * count)
    ]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def notes(journal: Path) -> dict[int, list[list[str]]]:
    """Return what each worker noted, by its process id."""
    return {
        int(path.name.rpartition("-")[2]): [line.split() for line in path.read_text().splitlines()]
        for path in journal.iterdir()
    }


def descendants(pid: int) -> set[int]:
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue  # it has ended
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


def test_the_answers_are_those_of_a_plain_loop(
    cluster: Any, listing: Listing, expected: list[Found], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    found = []
    for one in ray_engine.find(listing, LOOK, NOTHING, address=cluster.address, batch=7, journal=str(tmp_path)):
        if not found:
            (worker,) = notes(tmp_path)
            assert "mediapipe" in (maps := Path(f"/proc/{worker}/maps").read_text())
            assert "tensorflow" not in maps
        found.append(one)
    equal(found, expected)
    assert capfd.readouterr() == ("", "")
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before


@pytest.mark.parametrize("step", [1, 2], ids=["all", "every other one"])
def test_looks_that_are_known_are_not_done_again(
    cluster: Any, listing: Listing, expected: list[Found], step: int
) -> None:
    boxes = listing.images.column("box").to_pylist()
    keys = {one.index: key_of(one.sha256, LOOK.key(boxes[one.index])) for one in expected if one.sha256}
    known = sorted(set(keys.values()))[::step]
    at_address = Listing(f"file://{listing.root}", listing.images)
    found = list(ray_engine.find(at_address, LOOK, np.array(known, "V16"), address=cluster.address))
    unread = {one.index: one for one in found if not one.sha256}  # each file system has words of its own for it
    assert all(isinstance(one.answer, NoHand) and "cannot be read" in one.answer.reason for one in unread.values())
    wanted = [Found(one.index, one.sha256, None) if keys.get(one.index) in known else one for one in expected]
    equal(found, [one if one.sha256 else unread[one.index] for one in wanted])


def test_a_node_that_dies_costs_the_batch_it_was_at(
    cluster: Any, listing: Listing, expected: list[Found], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    times, batch = 20, 10  # enough for the second node to begin in time on a busy machine
    many = repeated(listing, times)
    node = cluster.add_node(**NODE)
    raylet = node.all_processes["raylet"][0].process.pid
    killed: set[int] = set()
    found = []
    try:
        for one in ray_engine.find(many, LOOK, NOTHING, address=cluster.address, batch=batch, journal=str(tmp_path)):
            found.append(one)
            there = (
                {pid for pid in descendants(raylet) if len(notes(tmp_path).get(pid, [])) >= 4} if not killed else set()
            )
            if there:  # the second node is at its second batch, or further
                killed = there
                cluster.remove_node(node, allow_graceful=False)
    finally:
        if not killed:
            cluster.remove_node(node)
    assert len(killed) == 1
    equal(found, repeated_answers(expected, times))
    # What one worker began and another did too is what the dead one was at, and was there the last.
    begun = {pid: [int(number) for what, number in lines if what == "begin"] for pid, lines in notes(tmp_path).items()}
    often = Counter(number for numbers in begun.values() for number in numbers)
    assert set(often) == set(range(-(-len(many) // batch)))
    twice = [number for number, count in often.items() if count > 1]
    assert twice in ([], [begun[killed.pop()][-1]])
    assert max(often.values()) <= 2
    # Ray may note on its own that the node is gone.
    assert "Traceback" not in "".join(capfd.readouterr())


def test_a_worker_that_dies_costs_the_batch_it_was_at(
    cluster: Any, listing: Listing, expected: list[Found], tmp_path: Path
) -> None:
    killed = 0
    found = []
    for one in ray_engine.find(listing, LOOK, NOTHING, address=cluster.address, batch=5, journal=str(tmp_path)):
        found.append(one)
        if not killed:
            (killed,) = notes(tmp_path)
            os.kill(killed, signal.SIGKILL)
    equal(found, expected)
    first, last = (notes(tmp_path)[pid] for pid in sorted(notes(tmp_path), key=lambda pid: pid != killed))
    assert len({number for _, number in first} & {number for _, number in last}) <= 1


class DeadlyLook(Look):
    """Kills whoever looks."""

    def key(self, _: Any = None) -> str:
        os.kill(os.getpid(), signal.SIGKILL)
        return ""


class BrokenLook(Look):
    """Has an error in it."""

    def key(self, _: Any = None) -> str:
        raise ZeroDivisionError("as it happens")


def test_images_that_kill_the_workers_are_named(cluster: Any, listing: Listing) -> None:
    # Which of the batches is the first to be begun three times is the scheduler's affair: on a busy machine the second, at times.
    batches = "|".join(
        rf"{first}\.jpg to {min(first + 9, len(listing) - 1)}\.jpg" for first in range(0, len(listing), 10)
    )
    with pytest.raises(SourceError, match=rf"The images from ({batches}) ended 3 workers"):
        next(ray_engine.find(listing, DeadlyLook(), NOTHING, address=cluster.address, workers=1, batch=10))


def test_an_error_in_a_worker_is_not_tried_again(cluster: Any, listing: Listing) -> None:
    import ray

    with pytest.raises(ray.exceptions.RayTaskError, match="ZeroDivisionError: as it happens"):
        next(ray_engine.find(listing, BrokenLook(), NOTHING, address=cluster.address))


@pytest.mark.parametrize(
    ("root", "message"), [("/not/there", "a disk that all nodes share"), ("nonsense://a", "nonsense")]
)
def test_a_root_that_the_nodes_do_not_have(cluster: Any, listing: Listing, root: str, message: str) -> None:
    with pytest.raises(SourceError, match=message):
        next(ray_engine.find(Listing(root, listing.images), LOOK, NOTHING, address=cluster.address))


def test_from_a_process_outside_the_cluster(
    cluster: Any, listing: Listing, expected: list[Found], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_cluster, "CONNECT_SECONDS", 300.0)  # a busy machine is no cluster that does not answer
    port = cluster.head_node._ray_params.ray_client_server_port
    equal(list(ray_engine.find(listing, LOOK, NOTHING, address=f"ray://127.0.0.1:{port}", batch=10)), expected)


def test_without_images_nothing_is_started() -> None:
    assert list(ray_engine.find(Listing("/", listing_table([], [])), LOOK, NOTHING, address="nonsense")) == []


def test_without_ray_the_extra_is_named(listing: Listing, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ConfigError, match=r"pip install 'gesture-maker\[ray\]'"):
        next(ray_engine.find(listing, LOOK, NOTHING))


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_an_address_where_nobody_listens(listing: Listing, scheme: str) -> None:
    address = f"{scheme}127.0.0.1:{free_port()}"
    with pytest.raises(ConfigError, match=rf"no Ray cluster at {address} \(Connection refused\)"):
        next(ray_engine.find(listing, LOOK, NOTHING, address=address))


CHILD = """
import sys
import numpy
from gesture_maker.dataset.listing import Listing, listing_table
from gesture_maker.landmarks import ray_cluster, ray_engine
from gesture_maker.landmarks.looking import Look

root, path, address, seconds = sys.argv[1:]
ray_cluster.CONNECT_SECONDS = float(seconds)
names = [str(number) for number in range(100_000)]
listing = Listing(root, listing_table(names, names, paths=[path] * len(names)))
try:
    for one in ray_engine.find(listing, Look(), numpy.zeros(0, "V16"), workers=2, address=address or None, batch=8):
        if one.index == 0:
            print("found", flush=True)
except KeyboardInterrupt:
    sys.exit(130)
except Exception as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


def child(*arguments: str) -> subprocess.Popen[str]:
    """Start `CHILD` as a shell does: what it starts gets the signals of the keyboard too."""
    command = [sys.executable, "-c", CHILD, *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment(), stdout=pipe, stderr=pipe, text=True, start_new_session=True)


def test_nothing_is_left_of_a_cluster_that_was_started_here(drawn: Path) -> None:
    process = child(str(drawn), str(next(drawn.glob("*/*.jpg")).relative_to(drawn)), "", "40")
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "found\n", process.communicate(timeout=PATIENCE)
        started = descendants(process.pid)
        commands = " ".join(Path(f"/proc/{pid}/cmdline").read_text() for pid in started)
        assert commands.count("ray::MapWorker") == 2
        (folder,) = set(re.findall(r"/tmp/gm-\w+", commands))
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=PATIENCE)
        assert (process.returncode, out, err) == (130, "", "")
        end = time.monotonic() + PATIENCE
        while left := {pid for pid in started if Path(f"/proc/{pid}").exists()}:
            assert time.monotonic() < end, [Path(f"/proc/{pid}/cmdline").read_text() for pid in left]
            time.sleep(0.05)
        assert not Path(folder).exists()
    finally:
        process.kill()
        process.wait()


def test_an_address_where_something_else_listens(drawn: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: [server.accept() for _ in range(100)], daemon=True).start()
        process = child(str(drawn), "x", f"127.0.0.1:{server.getsockname()[1]}", "3")
        out, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, out) == (1, "")
    assert err.startswith("ConfigError: There is no Ray cluster at 127.0.0.1:")
    assert "did not answer within 3 s" in err
    assert err.count("\n") == 1


def test_the_job_file_calls_a_command_that_there_is() -> None:
    import typer.main

    from gesture_maker.cli import app

    job = yaml.safe_load((ROOT / "scripts/ray_job.yaml").read_text())
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    program, command, *arguments = shlex.split(job["spec"]["entrypoint"])
    group = typer.main.get_command(app)
    assert program == group.name
    context = group.commands[command].make_context(command, arguments)  # type: ignore[attr-defined]
    assert context.params["engine"] == "ray"
    out = context.params["out"]
    spec = job["spec"]["rayClusterSpec"]["headGroupSpec"]["template"]["spec"]
    assert str(out.parent) in [mount["mountPath"] for mount in spec["containers"][0]["volumeMounts"]]
    import ray

    assert job["spec"]["rayClusterSpec"]["rayVersion"] == ray.__version__
