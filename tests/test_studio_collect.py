"""Collecting in the studio, the server's side: a real process, real sockets, and the commands on the same folder meanwhile."""

from __future__ import annotations

import io
import json
import os
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cameras import scene, wait_until
from hands import drawn
from helpers import check_manifest, contents, make_zip, photo, run_cli, tree, write, zip_bytes
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from PIL import Image
from studios import StudioProcess, frame_message, studio, studio_with

from gesture_maker.dataset.finding import list_images
from gesture_maker.dataset.manifest import read_manifest
from gesture_maker.errors import DatasetError
from gesture_maker.files import sha256_of
from gesture_maker.images import read_image
from gesture_maker.landmarks.hands import NOT_FOUND, Hand, NoHand
from gesture_maker.landmarks.looking import Look
from gesture_maker.landmarks.mirror import MIRROR_LOOKS, to_mirror
from gesture_maker.landmarks.parts import part_names
from gesture_maker.landmarks.table import LandmarkTable
from gesture_maker.studio import answers
from gesture_maker.studio.collection import Collection
from gesture_maker.studio.state import Studio

SMALLER = "import gesture_maker.studio.uploads as it\nit.MAX_IMAGE_BYTES, it.MAX_LARGE_BYTES, it.MAX_TOTAL_BYTES = 300_000, 600_000, 1_500_000\n"
"""The limits of uploads, so that a test need not send 2 GB."""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StudioProcess]:
    """A studio with a dataset that each test gives classes of its own."""
    folder = tmp_path_factory.mktemp("studio")
    with studio_with(SMALLER, folder, dataset="all") as running:
        yield running


def root_of(server: StudioProcess, name: str = "all") -> Path:
    return server.folder / "datasets" / name


@cache
def jpeg(seed: int, hand: bool = True, quality: int = 95) -> bytes:
    """Return what a camera may send, another picture for each seed."""
    pixels = scene(drawn("four")[0]).copy() if hand else np.full((480, 640, 3), 120, np.uint8)
    pixels[:8] = np.random.default_rng(seed).integers(0, 256, (8, 640, 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def class_of(server: StudioProcess, label: str) -> dict[str, Any]:
    return next(one for one in server.get("/api/dataset")["classes"] if one["label"] == label)


def looked_at(server: StudioProcess, label: str, photos: int = 1) -> dict[str, Any]:
    """Wait until a class has so many photos and none is pending, and return what is told of the class."""

    def done(data: dict[str, Any]) -> bool:
        return any(one["label"] == label and one["photos"] == photos and not one["pending"] for one in data["classes"])

    told = server.event("dataset", done)
    return next(one for one in told["classes"] if one["label"] == label)


def take(server: StudioProcess, label: str, pictures: list[bytes], burst: str = "one") -> list[dict[str, Any]]:
    """Send photos to be kept and return the answers, in order."""
    with server.socket("/ws/camera") as camera:
        assert json.loads(camera.recv()) == {"ready": True}
        for number, picture in enumerate(pictures):
            camera.send(frame_message(number, picture, keep={"label": label, "burst": burst}))
        told = [json.loads(camera.recv()) for _ in pictures]
    assert [answer["n"] for answer in told] == list(range(len(pictures)))
    return told


class UploadOf:
    """An upload as the page makes it."""

    def __init__(self, server: StudioProcess, label: str | None) -> None:
        self.server = server
        self.id = server.post("/api/upload/begin", {"label": label})["upload"]

    def send(self, path: str, content: Any, status: int = 200) -> Any:
        place, query = f"{self.server.origin}/api/upload/file", {"upload": self.id, "path": path}
        answer = self.server.session.post(place, params=query, data=content, timeout=60)
        assert answer.status_code == status, answer.text
        return answer.json()

    def finish(self, status: int = 200) -> Any:
        return self.server.post("/api/upload/finish", {"upload": self.id}, status=status)


def upload(server: StudioProcess, label: str | None, files: dict[str, bytes], status: int = 200) -> Any:
    """Upload files and return what is told at the end."""
    under_way = UploadOf(server, label)
    for path, content in files.items():
        assert under_way.send(path, content) == {"bytes": len(content)}
    told = under_way.finish(status)
    assert not uploads_in(server.folder)
    return told


def uploads_in(folder: Path) -> list[Path]:
    return list(folder.rglob(".*-upload-*"))


def sources(root: Path, label: str) -> dict[str, bytes]:
    """Return the photos of a class by what the manifest says they came from."""
    rows = [row for row in read_manifest(root).values() if row.label == label]
    return {row.source: (root / row.file).read_bytes() for row in rows}


# The camera


def test_photos_are_kept_as_they_are_in_groups_and_a_training_finds_all_hands(tmp_path: Path) -> None:
    root = tmp_path / "datasets/new"
    with studio(tmp_path, dataset="new") as server:
        assert server.get("/api/dataset")["classes"] == [
            {"label": "none", "photos": 0, "usable": 0, "unusable": 0, "pending": 0, "groups": 0, "cover": None}
        ]
        assert not root.exists()
        pictures = [jpeg(1), jpeg(2), jpeg(3, hand=False), jpeg(1)]
        told = take(server, " four ", pictures)
        assert [answer.get("kept") for answer in told] == [
            {"file": "four/four_000001.jpg", "usable": True, "reason": None},
            {"file": "four/four_000002.jpg", "usable": True, "reason": None},
            {"file": "four/four_000003.jpg", "usable": False, "reason": "no hand found"},
            None,
        ]
        assert told[3]["repeated"] is True
        assert [len(answer["hands"]) for answer in told] == [1, 1, 0, 1]
        assert np.shape(told[0]["hands"][0]["points"]) == (21, 2)
        take(server, "None", [jpeg(4, hand=False)], burst="one")  # the same burst's name in another connection
        classes = by_label(server.get("/api/dataset")).values()
        assert [(one["photos"], one["usable"], one["groups"]) for one in classes] == [
            (1, 0, 1),
            (3, 2, 1),
        ]
        wait_until(lambda: len(read_manifest(root)) == 4, "the manifest, which is written when the page goes")
        check_manifest(root)
        rows = read_manifest(root).values()
        assert len({row.group for row in rows if row.label == "four"}) == 1
        assert len({row.group for row in rows}) == 2
        assert {row.source for row in rows} == {"camera of the studio"}
        write(root / "by hand/mine.jpg", jpeg(5))
        assert looked_at(server, "by hand")["usable"] == 1
        upload(server, "fist", {"a/b.jpg": jpeg(6)})
        assert looked_at(server, "fist")["usable"] == 1
        wait_until(lambda: not missing_in_mirror(root), "looking in the mirror")
        assert server.stop() == 0
    assert [(root / f"four/four_00000{n}.jpg").read_bytes() for n in (1, 2, 3)] == pictures[:3]
    assert not (root / ".landmarks.parquet.parts").exists()
    assert not missing_in_mirror(root)
    check_training_finds_everything(root)


def missing_in_mirror(root: Path) -> list[str]:
    """Return the photos with hands that a training would still have to look at in a mirror."""
    table, files = LandmarkTable.open(root / "landmarks.parquet"), sorted(root.glob("*/*.jpg"))
    shas = [sha256_of(file.read_bytes()) for file in files]
    usable = [isinstance(answer, Hand) for answer in table.get_many(shas, Look().key())]
    if sum(usable) < 4:
        return ["what was found is not written yet"]
    chosen = to_mirror([file.parent.name for file in files], shas, usable, MIRROR_LOOKS)
    return [shas[row] for row in chosen if not table.has(shas[row], Look(mirrored=True).key())]


def check_training_finds_everything(root: Path) -> None:
    """Check that all photos were looked at, and that what is known of them is what a training would find by itself."""
    from gesture_maker.landmarks.engine import find_hands

    listing = list_images(root)
    files = listing.images.column("file").to_pylist()
    contents_of = [(root / file).read_bytes() for file in files]
    table = LandmarkTable.open(root / "landmarks.parquet")
    shas = [sha256_of(content) for content in contents_of]
    known = table.get_many(shas, Look().key())
    assert None not in known
    fresh = [seen.answer for seen in find_hands([root / file for file in files])]
    for kept, found in zip(known, fresh, strict=True):
        assert isinstance(kept, Hand) == isinstance(found, Hand)
        if isinstance(kept, Hand) and isinstance(found, Hand):
            np.testing.assert_array_equal(kept.landmarks, found.landmarks)


def test_previews_are_answered_and_nothing_is_kept(server: StudioProcess) -> None:
    before = tree(root_of(server)) if root_of(server).exists() else {}
    with server.socket("/ws/camera") as camera:
        camera.recv()
        for number, picture in enumerate([jpeg(1, quality=70), jpeg(2, hand=False), photo(1, size=(20, 20))]):
            camera.send(frame_message(number, picture))
            answer = json.loads(camera.recv())
            assert (answer["n"], len(answer["hands"])) == (number, number == 0)
            assert "kept" not in answer
    assert {file: it for file, it in tree(server.folder).items() if file.endswith(".jpg")} == {
        f"datasets/all/{file}": it for file, it in before.items() if file.endswith(".jpg")
    }


@pytest.mark.parametrize(
    ("picture", "keep", "words"),
    [
        (b"no picture", {"label": "bad", "burst": "b"}, "is no JPEG"),
        (b"", {"label": "bad", "burst": "b"}, "is no JPEG"),
        (photo(1, ".png"), {"label": "bad", "burst": "b"}, "is no JPEG"),
        (jpeg(1)[:9000], {"label": "bad", "burst": "b"}, "damaged or cut short"),
        (b"swollen", {"label": "bad", "burst": "b"}, "30000x30000 is over 100 megapixels"),
        (jpeg(1), {"label": "../bad", "burst": "b"}, "has a slash"),
        (jpeg(1), {"label": ".hidden", "burst": "b"}, "begins with a dot"),
        (jpeg(1), {"label": "a\nb", "burst": "b"}, "control character"),
        (jpeg(1), {"label": "x" * 300, "burst": "b"}, "longer than"),
        (jpeg(1), {"label": 7, "burst": "b"}, "which class"),
        (jpeg(1), {"label": "bad"}, "which class"),
        (jpeg(1), "bad", "which class"),
    ],
)
def test_bad_input_a_frame_that_cannot_be_kept(server: StudioProcess, picture: bytes, keep: Any, words: str) -> None:
    if picture == b"swollen":  # says so, and holds nothing of the kind
        picture, size = jpeg(1), jpeg(1).index(b"\xff\xc0") + 5
        picture = picture[:size] + (30_000).to_bytes(2, "big") * 2 + picture[size + 4 :]
    with server.socket("/ws/camera") as camera:
        camera.recv()
        camera.send(frame_message(1, picture, keep=keep))
        answer = json.loads(camera.recv())
        assert words in answer["error"]
        camera.send(frame_message(2, jpeg(1)))  # and the camera goes on
        assert json.loads(camera.recv())["hands"]
    assert not (root_of(server) / "bad").exists()
    assert not (server.folder / "bad").exists()


FULL_DISK = """
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))  # a write beyond it fails as on a full disk
"""

READ_ONLY = """
import ctypes, os, sys
if os.geteuid() == 0:  # without this capability the superuser, too, has to keep to the permissions
    libc = ctypes.CDLL(None, use_errno=True)
    PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1
    assert libc.prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0) == 0
os.execv(sys.executable, [sys.executable, "-m", "gesture_maker", *sys.argv[1:]])
"""


def test_bad_input_full_disk_keeps_no_half_photo(tmp_path: Path) -> None:
    small, large = photo(1, size=(48, 40)), photo(2, ".jpg", (400, 400))
    assert len(small) < 60_000 < len(large)
    with studio_with(FULL_DISK, tmp_path, dataset="d") as server:
        told = take(server, "rock", [large, small])
        assert str(tmp_path / "datasets/d/rock") in told[0]["error"] or "datasets/d/rock" in told[0]["error"]
        assert ".writing-" not in told[0]["error"]
        assert told[1]["kept"]["file"] == "rock/rock_000001.jpg"
        under_way = UploadOf(server, "rock")
        assert "error" in under_way.send("large.jpg", large, status=500)
        assert under_way.send("small.jpg", photo(3)) == {"bytes": len(photo(3))}
        assert under_way.finish()["added"] == 1
    photos = {file: it for file, it in tree(tmp_path / "datasets/d").items() if file.startswith("rock/")}
    assert list(photos.values()) == [small, photo(3)]
    check_manifest(tmp_path / "datasets/d")


def test_bad_input_a_read_only_dataset(tmp_path: Path) -> None:
    root = tmp_path / "datasets/d"
    write(root / "rock/rock_000001.jpg", jpeg(1))
    before = tree(root)
    (root / "rock").chmod(0o555)
    root.chmod(0o555)
    try:
        with studio_with(READ_ONLY, tmp_path, dataset="d", XDG_CACHE_HOME=str(tmp_path / "cache")) as server:
            for label in ("rock", "paper"):
                assert "Permission denied" in take(server, label, [jpeg(2)])[0]["error"]
            for path, body in [
                ("classes/add", {"label": "paper"}),
                ("classes/rename", {"label": "rock", "to": "paper"}),
                ("classes/delete", {"label": "rock"}),
                ("photos/delete", {"files": ["rock/rock_000001.jpg"]}),
            ]:
                told = server.post(f"/api/{path}", body, status=500)["error"]
                assert "Permission denied" in told
            assert "Permission denied" in upload(server, "rock", {"a.jpg": jpeg(3)}, status=500)["error"]
            assert looked_at(server, "rock")["usable"] == 1  # what was found is kept in the user's cache
    finally:
        root.chmod(0o755)
        (root / "rock").chmod(0o755)
    assert tree(root) == before


# Classes


def test_classes_are_added_renamed_deleted_and_brought_back(server: StudioProcess) -> None:
    root = root_of(server)
    assert server.post("/api/classes/add", {"label": "  Thumbs ûp "}) == {"label": "Thumbs ûp"}
    assert (root / "Thumbs ûp").is_dir()
    assert class_of(server, "Thumbs ûp")["photos"] == 0
    take(server, "Thumbs ûp", [jpeg(10), jpeg(11)])
    group = server.get("/api/photos", label="Thumbs ûp")["photos"][0]["group"]
    assert server.post("/api/classes/rename", {"label": "Thumbs ûp", "to": "thumbs"}) == {"label": "thumbs"}
    assert not (root / "Thumbs ûp").exists()
    told = class_of(server, "thumbs")
    assert (told["photos"], told["usable"], told["groups"]) == (2, 2, 1)  # and nothing is looked at again
    take(server, "thumbs", [jpeg(12)])
    assert {path.name for path in (root / "thumbs").iterdir()} == {f"thumbs_00000{n}.jpg" for n in (1, 2, 3)}
    gone = server.post("/api/classes/delete", {"label": "thumbs"})
    assert gone["photos"] == 3
    assert "thumbs" not in [one["label"] for one in server.get("/api/dataset")["classes"]]
    assert not (root / "thumbs").exists()
    listed = server.get("/api/deleted")["deleted"][0]
    assert (listed["undo"], listed["label"], listed["photos"], len(listed["files"])) == (gone["undo"], "thumbs", 3, 3)
    assert server.post("/api/undo", {"undo": gone["undo"]}) == {"photos": 3}
    photos = server.get("/api/photos", label="thumbs")["photos"]
    assert [one["state"] for one in photos] == ["usable"] * 3
    assert [one["group"] == group for one in photos].count(True) == 2
    assert "brought back" in server.post("/api/undo", {"undo": gone["undo"]}, status=400)["error"]


@pytest.mark.parametrize(
    "name", ["", "  ", "..", "../up", "a/b", "a\\b", ".hidden", "a\x00b", "a\nb", "manifest.csv", "x" * 200]
)
def test_bad_input_names_of_classes(server: StudioProcess, name: str) -> None:
    server.post("/api/classes/add", {"label": "there"}, status=200 if not (root_of(server) / "there").exists() else 400)
    before = names_below(server.folder)
    for path, body in [
        ("classes/add", {"label": name}),
        ("classes/rename", {"label": "there", "to": name}),
        ("classes/rename", {"label": name, "to": "other"}),
        ("classes/delete", {"label": name}),
        ("upload/begin", {"label": name}),
    ]:
        told = server.post(f"/api/{path}", body, status=400)["error"]
        assert told.endswith(".")
        assert "class" in told
    server.get("/api/photos", label=name, status=400)
    assert names_below(server.folder) == before


def names_below(folder: Path) -> set[str]:
    """Return the names of all that lies below a folder but what the studio writes at its own pace."""
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    return {
        name
        for name in names
        if "landmarks.parquet" not in name and "manifest.csv" not in name and ".writing-" not in name
    }


def test_bad_input_what_cannot_be_done_with_classes(server: StudioProcess) -> None:
    for label in ("one", "two"):
        server.post("/api/classes/add", {"label": label})
    for path, body, words in [
        ("add", {"label": "one"}, 'class "one" already'),
        ("add", {"label": "NONE"}, 'class "none" already'),
        ("rename", {"label": "one", "to": "two"}, 'class "two" already'),
        ("rename", {"label": "missing", "to": "three"}, 'no class "missing"'),
        ("rename", {"label": "none", "to": "three"}, "keeps its name"),
        ("rename", {"label": "one", "to": "None"}, "keeps its name"),
        ("delete", {"label": "missing"}, 'no class "missing"'),
        ("delete", {"label": "none"}, "cannot be deleted"),
    ]:
        assert words in server.post(f"/api/classes/{path}", body, status=400)["error"]
    assert {"one", "two"} <= {one["label"] for one in server.get("/api/dataset")["classes"]}


# Photos


def test_photos_come_newest_first_a_page_at_a_time_with_their_hands(server: StudioProcess) -> None:
    take(server, "paged", [jpeg(n, hand=n != 21) for n in range(20, 25)])
    files = [f"paged/paged_00000{n}.jpg" for n in (5, 4, 3, 2, 1)]
    told = server.get("/api/photos", label="paged")
    assert (told["total"], [one["file"] for one in told["photos"]]) == (5, files)
    assert [(one["state"], one["reason"], one["hand"] is None) for one in told["photos"]] == [
        *[("usable", None, False)] * 3,
        ("unusable", "no hand found", True),
        ("usable", None, False),
    ]
    with_hand = told["photos"][0]
    assert np.shape(with_hand["hand"]) == (21, 2)
    assert with_hand["group"].startswith("camera-")
    page = server.get("/api/photos", label="paged", offset=1, limit=2)
    assert (page["total"], page["photos"]) == (5, told["photos"][1:3])
    assert server.get("/api/photos", label="paged", offset=5)["photos"] == []
    assert server.get("/api/photos", label="nobody knows") == {"total": 0, "photos": []}
    assert class_of(server, "paged")["cover"] == files[0]


def picture(server: StudioProcess, file: str, side: int | None = None, **headers: str) -> Any:
    query = {"file": file} | ({"side": side} if side else {})
    return server.session.get(f"{server.origin}/api/photo", params=query, headers=headers, timeout=60)


def test_thumbnails_are_small_upright_and_asked_after_when_a_name_is_given_again(server: StudioProcess) -> None:
    pixels = np.zeros((200, 400, 3), np.uint8)
    pixels[:, :200] = (255, 0, 0)  # red is left, so on top when it is turned clockwise
    buffer = io.BytesIO()
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(pixels).save(buffer, "JPEG", exif=turned)
    file = write(root_of(server) / "ex if é/IMG 1.JPG", buffer.getvalue())
    told = picture(server, "ex if é/IMG 1.JPG", 64)
    assert (told.status_code, told.headers["content-type"]) == (200, "image/jpeg")
    small = read_image(told.content)
    assert small.shape == (64, 32, 3)
    assert small[8, 16, 0] > 200 > 50 > small[56, 16, 0]
    assert "private" in told.headers["cache-control"]
    again = picture(server, "ex if é/IMG 1.JPG", 64, **{"If-None-Match": told.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    whole = picture(server, "ex if é/IMG 1.JPG")
    assert (whole.content, whole.headers["content-type"]) == (buffer.getvalue(), "image/jpeg")
    assert whole.headers["etag"] != told.headers["etag"]
    file.write_bytes(jpeg(5))
    assert picture(server, "ex if é/IMG 1.JPG", 64, **{"If-None-Match": told.headers["etag"]}).status_code == 200


@pytest.mark.parametrize(
    "file", ["../../etc/passwd", "/etc/passwd", "thumb/../../x.jpg", "manifest.csv", "thumb/none.jpg", "thumb", "", ".deleted/x/y", "thumb/a\0b"]
)  # fmt: skip
def test_bad_input_photos_that_are_none_of_the_dataset(server: StudioProcess, file: str) -> None:
    write(root_of(server) / "thumb/notes.txt", "mine")
    for side in (None, 64):
        told = picture(server, file, side)
        assert (told.status_code, list(told.json())) == (404, ["error"])
    assert "error" in server.post("/api/photos/delete", {"files": [file]}, status=400)


def test_a_corrupt_photo_is_unusable_says_why_and_has_no_thumbnail(server: StudioProcess) -> None:
    folder = root_of(server) / "corrupt"
    write(folder / "cut.jpg", jpeg(6)[:5000])
    write(folder / "empty.png", b"")
    write(folder / "words.jpg", "these are words")
    (folder / "gone.jpg").symlink_to(folder / "nowhere")
    told = looked_at(server, "corrupt", 3)
    assert (told["photos"], told["unusable"]) == (3, 3)
    photos = {one["file"]: one for one in server.get("/api/photos", label="corrupt")["photos"]}
    assert {file: one["reason"] for file, one in photos.items()} == {
        "corrupt/cut.jpg": "the image is damaged or cut short",
        "corrupt/empty.png": "the file is empty",
        "corrupt/words.jpg": "not an image",
    }
    for file in photos:
        answer = picture(server, file, 64)
        assert (answer.status_code, list(answer.json())) == (400, ["error"])


def test_photos_are_deleted_and_brought_back_also_after_a_kill(tmp_path: Path) -> None:
    with studio(tmp_path, dataset="d") as server:
        take(server, "rock", [jpeg(n) for n in range(3)], burst="first")
        before = server.get("/api/photos", label="rock")["photos"]
        gone = server.post("/api/photos/delete", {"files": ["rock/rock_000001.jpg", "rock/rock_000003.jpg"]})
        assert gone["photos"] == 2
        told = server.get("/api/dataset")
        assert (told["classes"][1]["photos"], told["deleted"]) == (1, 2)
        take(server, "rock", [jpeg(9)], burst="second")  # kept, and the manifest not written yet
        server.process.send_signal(signal.SIGKILL)
        server.process.wait(60)
    assert len(list((tmp_path / "datasets/d/rock").iterdir())) == 2
    old = tmp_path / "datasets/.d-upload-old"
    young = tmp_path / "datasets/.d-upload-young"
    for folder, days in ((old, 2), (young, 0)):
        write(folder / "a.jpg", "left by a kill")
        os.utime(folder, (time.time() - days * 86400,) * 2)
    with studio(tmp_path, dataset="d") as server:
        assert (old.exists(), young.exists()) == (False, True)
        listed = server.get("/api/deleted")["deleted"]
        assert [(one["undo"], one["photos"]) for one in listed] == [(gone["undo"], 2)]
        assert server.post("/api/undo", {"undo": gone["undo"]}) == {"photos": 2}
        assert server.get("/api/dataset")["deleted"] == 0
        after = {one["file"]: one for one in server.get("/api/photos", label="rock")["photos"]}
    assert len(after) == 4
    for one in before:
        assert after[one["file"]]["group"] == one["group"]
    assert contents(tmp_path / "datasets/d", "rock") == Counter(jpeg(n) for n in (0, 1, 2, 9))


# The commands, and people, on the same folder


def test_what_commands_and_people_do_meanwhile_is_told(server: StudioProcess, tmp_path: Path) -> None:
    root = root_of(server)
    make_zip(tmp_path / "shared.zip", {f"together/{n}.jpg": jpeg(n, hand=n < 32) for n in range(30, 34)})
    done = run_cli("collect", tmp_path / "shared.zip", "--dataset", root, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = looked_at(server, "together", 4)
    assert (told["photos"], told["usable"], told["unusable"]) == (4, 2, 2)
    kept = take(server, "together", [jpeg(40), jpeg(30)])
    assert kept[0]["kept"]["file"] == "together/together_000005.jpg"
    assert kept[1]["repeated"] is True  # the command collected it
    done = run_cli("collect", tmp_path / "shared.zip", "--dataset", root, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (root / "together/together_000001.jpg").unlink()
    wait_until(lambda: class_of(server, "together")["photos"] == 4)
    server.event(
        "dataset", lambda data: {"label": "together", "photos": 4}.items() <= by_label(data)["together"].items()
    )
    write(root / "by hand/mine.png", photo(3, ".png", (64, 64)))
    assert looked_at(server, "by hand")["unusable"] == 1
    done = run_cli("rename", root, "--class", "together=apart", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = server.event("dataset", lambda data: "apart" in by_label(data))
    assert by_label(told)["apart"]["photos"] == 4
    assert "together" not in by_label(told)
    take(server, "apart", [jpeg(41)])
    assert {row.group for row in read_manifest(root).values() if row.label == "apart"} >= {""}


def by_label(data: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {one["label"]: one for one in data["classes"]}


def test_groups_that_are_written_into_the_manifest_by_hand_are_told(server: StudioProcess) -> None:
    root = root_of(server)
    upload(server, "edited", {f"{n}.jpg": jpeg(n) for n in (50, 51)})
    assert class_of(server, "edited")["groups"] == 0
    manifest = root / "manifest.csv"
    manifest.write_text(
        manifest.read_text().replace(",50.jpg,,", ",50.jpg,anna,").replace(",51.jpg,,", ",51.jpg,bert,")
    )
    assert class_of(server, "edited")["groups"] == 2
    take(server, "edited", [jpeg(52)])
    assert class_of(server, "edited")["groups"] == 3


def test_an_interrupted_rename_is_said_and_nothing_is_changed_until_it_is_finished(server: StudioProcess) -> None:
    root = root_of(server)
    file = take(server, "stays", [jpeg(55)])[0]["kept"]["file"]
    journal = write(root / ".renaming.json", '{"moves": [], "rows": [], "left": [], "phase": 1}')
    try:
        before = names_below(root)
        assert "gesture-maker rename" in server.get("/api/dataset", status=400)["error"]
        assert "gesture-maker rename" in server.event("dataset", lambda data: data["problem"])["problem"]
        assert "gesture-maker rename" in take(server, "stays", [jpeg(56)])[0]["error"]
        for path, body in [
            ("classes/add", {"label": "x"}),
            ("classes/rename", {"label": "stays", "to": "x"}),
            ("classes/delete", {"label": "stays"}),
            ("photos/delete", {"files": [file]}),
        ]:
            assert "gesture-maker rename" in server.post(f"/api/{path}", body, status=400)["error"]
        assert "gesture-maker rename" in upload(server, "stays", {"b.jpg": jpeg(3)}, status=400)["error"]
        assert names_below(root) == before
    finally:
        journal.unlink()
    assert by_label(server.event("dataset", lambda data: data["problem"] is None))["stays"]["photos"] == 1


# Uploads


def test_photos_folders_and_zips_are_uploaded_into_a_class(server: StudioProcess) -> None:
    told = upload(
        server,
        "läuft",
        {
            "Übung 1/été.jpg": jpeg(60),
            "Übung 1/IMG 2.JPEG": jpeg(61),
            "solo.png": photo(62, ".png"),
            "ho li.zip": zip_bytes({"ordner/ä.jpg": jpeg(63), "ordner/notes.txt": b"x"}),
            "notes.txt": b"words",
            "cut.jpg": jpeg(64)[:4000],
            ".DS_Store": b"x",
        },
    )
    assert (told["added"], told["already"], told["totals"]["läuft"]) == (4, 0, 4)
    assert {one["name"]: one["reason"] for one in told["skipped"]} == {
        "notes.txt": "not an image",
        "cut.jpg": "the image is damaged or cut short",
        "ho li.zip/ordner/notes.txt": "not an image",
    }
    assert sources(root_of(server), "läuft") == {
        "Übung 1/été.jpg": jpeg(60),
        "Übung 1/IMG 2.JPEG": jpeg(61),
        "solo.png": photo(62, ".png"),
        "ho li.zip/ordner/ä.jpg": jpeg(63),
    }
    assert str(server.folder) not in (root_of(server) / "manifest.csv").read_text()
    again = upload(server, "läuft", {"other.jpg": jpeg(60)})
    assert (again["added"], again["already"]) == (0, 1)
    other = upload(server, "elsewhere", {"other.jpg": jpeg(60)})
    assert other["added"] == 0
    assert "the same image is there as läuft (läuft/läuft_0000" in other["skipped"][0]["reason"]


def test_a_zip_of_zips_brings_classes_of_its_own_when_it_is_dropped_beside_the_classes(server: StudioProcess) -> None:
    inner = {
        f"{label}.zip": zip_bytes({f"{n}.jpg": jpeg(seed + n) for n in range(2)})
        for label, seed in (("z eins", 70), ("z zwei", 75))
    }
    export = zip_bytes(inner)
    told = upload(server, None, {"export.zip": export, "z drei/a.jpg": jpeg(79)})
    assert told["added"] == 5
    assert sources(root_of(server), "z zwei") == {f"export.zip/z zwei.zip/{n}.jpg": jpeg(75 + n) for n in range(2)}
    assert sources(root_of(server), "z drei") == {"z drei/a.jpg": jpeg(79)}
    told = upload(server, "wrong", {"export.zip": export}, status=400)["error"]
    assert "several folders of images (z eins, z zwei)" in told
    assert "drop it beside the classes" in told
    assert "--label" not in told
    assert not (root_of(server) / "wrong").exists()
    told = upload(server, None, {"a.jpg": jpeg(1), "b.jpg": jpeg(2)}, status=400)["error"]
    assert told == "a.jpg and 1 more: drop single files on a class, or a folder named like one here."


def test_progress_is_told_and_an_upload_that_ended_is_no_more(server: StudioProcess) -> None:
    under_way = UploadOf(server, "progress")
    for n in range(80, 83):
        under_way.send(f"{n}.jpg", jpeg(n))
    assert under_way.finish()["added"] == 3
    told = server.event("upload", lambda data: data["upload"] == under_way.id)
    assert told["done"] == told["total"]
    assert "has ended" in under_way.finish(status=400)["error"]
    assert "has ended" in under_way.send("x.jpg", jpeg(1), status=400)["error"]
    cancelled = UploadOf(server, "progress")
    cancelled.send("x.jpg", jpeg(84))
    server.post("/api/upload/cancel", {"upload": cancelled.id})
    server.post("/api/upload/cancel", {"upload": cancelled.id})  # two pages may
    assert "has ended" in cancelled.finish(status=400)["error"]
    assert not uploads_in(server.folder)
    assert "No file came" in upload(server, "progress", {}, status=400)["error"]
    assert class_of(server, "progress")["photos"] == 3


def endless(size: int) -> Iterator[bytes]:
    """Yield bytes whose number nobody has announced."""
    for _ in range(size // 10_000):
        yield bytes(10_000)


def test_bad_input_files_that_are_too_large(server: StudioProcess) -> None:
    under_way = UploadOf(server, "large")
    for path, content in [
        ("announced.jpg", bytes(300_001)),
        ("not announced.jpg", endless(2_000_000)),
        ("film.mp4", bytes(600_001)),
        ("export.zip", endless(900_000)),
    ]:
        told = under_way.send(path, content, status=413)["error"]
        assert told.startswith(f"{path} is larger than 0.000")
        assert told.endswith(".")
    assert (
        under_way.send("export.zip", zip_bytes({f"a{n}.png": photo(n, ".png", (160, 160)) for n in range(5)}))["bytes"]
        > 300_000
    )
    under_way.send("small.jpg", jpeg(90))
    for n in range(2):
        under_way.send(f"noise {n}.mkv", bytes(400_000))
    told = under_way.send("more.mkv", bytes(400_000), status=413)["error"]
    assert told.startswith("more.mkv would make this upload larger than 0.0015 GB")
    server.post("/api/upload/cancel", {"upload": under_way.id})
    assert not uploads_in(server.folder)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("../../../up.jpg", "up.jpg"),
        ("/etc/absolute.jpg", "etc/absolute.jpg"),
        ("C:\\photos\\..\\win.jpg", "C:/photos/win.jpg"),
        ("a/./b//c.jpg", "a/b/c.jpg"),
        ("con\x00trol\x1b[2J/x\r\n.jpg", "control[2J/x.jpg"),
        (f"{'ü' * 300}.jpg", f"{'ü' * 98}.jpg"),
        ("..", "file"),
    ],
)
def test_names_of_uploads_only_name_things(server: StudioProcess, path: str, source: str) -> None:
    outside = {file for file in tree(server.folder) if not file.startswith("datasets/all/")}
    content = photo(abs(hash(path)) % 10**6)
    under_way = UploadOf(server, "names")
    under_way.send(path, content)
    if source == "file":
        assert "only file (not an image)" in under_way.finish(status=400)["error"]
    else:
        assert under_way.finish()["added"] == 1
        assert sources(root_of(server), "names")[source] == content
    assert {file for file in tree(server.folder) if not file.startswith("datasets/all/")} == outside


def test_two_files_of_one_name_are_both_taken(server: StudioProcess) -> None:
    under_way = UploadOf(server, "twice")
    for n in range(2):
        under_way.send("IMG_1.jpg", photo(n))
    assert under_way.finish()["added"] == 2
    assert set(sources(root_of(server), "twice")) == {"IMG_1.jpg", "IMG_1-2.jpg"}


def test_bad_input_a_zip_that_reaches_out_or_is_none(server: StudioProcess) -> None:
    for members, words in [({"../out.jpg": b"x"}, "outside it"), ({"a.txt": b"x"}, "no image"), ({}, "no image")]:
        told = upload(server, "zips", {"bad.zip": zip_bytes(members)}, status=400)["error"]
        assert words in told
        assert str(server.folder) not in told
        assert "bad.zip" in told or members == {}
    assert "cut short" in upload(server, "zips", {"bad.zip": b"PK no zip"}, status=400)["error"]
    assert "not a video" in upload(server, "zips", {"film.mp4": b"no film"}, status=400)["error"]
    assert not (root_of(server) / "zips").exists()


# What was found in photos


def test_answers_are_written_merged_now_and_then_and_shared_with_other_processes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "MERGED_PARTS", 3)
    mine, hand = answers.Answers(tmp_path), drawn("four")[1]
    for n in range(7):
        mine.put(f"mine {n}", hand if n % 2 else NOT_FOUND)
        mine.flush()
    assert len(part_names(tmp_path / "landmarks.parquet")) == 1
    other = LandmarkTable.open(tmp_path / "landmarks.parquet")
    other.put("other", Look().key(), NoHand("of another process"))
    mine.put("mine 7", hand)
    other.save()
    assert mine.of("other") == (False, None)
    assert mine.learn(["other", "nobody's"])
    assert mine.of("other") == (True, "of another process")
    assert mine.of("nobody's") == (False, None)
    found = mine.hands(["mine 0", "mine 1", "other", "mine 7", ""])
    assert [one is not None for one in found] == [False, True, False, True, False]
    mine.close()
    table = LandmarkTable.open(tmp_path / "landmarks.parquet")
    assert table.get("mine 7", Look().key()) is not None
    assert len(table) == 9
    assert not part_names(tmp_path / "landmarks.parquet")


def test_a_table_that_gets_damaged_is_set_aside_and_its_photos_are_looked_at_again(tmp_path: Path) -> None:
    mine = answers.Answers(tmp_path)
    mine.put("one", drawn("four")[1])
    mine.close()
    path = tmp_path / "landmarks.parquet"
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 3] ^= 0xFF
    kept = path.stat()
    with path.open("r+b") as file:
        file.write(damaged)
    os.utime(path, ns=(kept.st_atime_ns, kept.st_mtime_ns))
    later = answers.Answers(tmp_path)
    assert not later.learn(["one"])
    later.put("one", NOT_FOUND)
    later.close()
    assert LandmarkTable.open(path).get("one", Look().key()) == NOT_FOUND
    assert list(tmp_path.glob("*.damaged"))


# Any order of everything


class Using(RuleBasedStateMachine):
    """Photos kept, deleted and brought back and classes renamed in any order: none is lost, and each keeps its group."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.root = Path(self.folder.name) / "d"
        self.studio = Studio(self.root, self.root.parent / "runs")
        self.collection = Collection(self.studio)
        self.kept: dict[bytes, str] = {}
        self.gone: list[str] = []
        self.names = 0

    def teardown(self) -> None:
        if not hasattr(self, "studio"):
            return
        for one in self.gone:
            self.collection.undo(one)
        self.studio.close()
        assert contents(self.root) == Counter(list(self.kept))
        groups = {(self.root / row.file).read_bytes(): row.group for row in read_manifest(self.root).values()}
        assert groups == self.kept
        self.folder.cleanup()

    @rule(label=st.sampled_from(["none", "rock", "dé jà"]), group=st.sampled_from(["a", "b"]))
    def keep(self, label: str, group: str) -> None:
        content = str(len(self.kept)).encode()
        assert self.collection.keep(label, group, "camera", content, NOT_FOUND)
        assert self.collection.keep("rock", group, "camera", content, NOT_FOUND) is None
        self.kept[content] = group

    @precondition(lambda self: self.files())
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        files = data.draw(st.lists(st.sampled_from(self.files()), min_size=1, unique=True))
        self.gone.append(self.collection.delete_photos(files).id)

    @precondition(lambda self: self.files())
    @rule(data=st.data())
    def delete_or_rename_class(self, data: st.DataObject) -> None:
        label = data.draw(st.sampled_from(self.files())).split("/")[0]
        if label == "none":
            with pytest.raises(DatasetError):
                self.collection.delete_class(label)
        elif data.draw(st.booleans()):
            self.gone.append(self.collection.delete_class(label).id)
        else:
            self.names += 1
            assert self.collection.rename_class(label, f"name {self.names}") == f"name {self.names}"

    @precondition(lambda self: self.gone)
    @rule(data=st.data())
    def undo(self, data: st.DataObject) -> None:
        self.gone.remove(one := data.draw(st.sampled_from(self.gone)))
        self.collection.undo(one)

    @invariant()
    def what_is_told_is_what_is_there(self) -> None:
        told = {one["label"]: one["photos"] for one in self.collection.dataset()["classes"] if one["photos"]}
        there = Counter(file.split("/")[0] for file in self.files())
        assert told == dict(there)

    def files(self) -> list[str]:
        if not self.root.is_dir():
            return []
        found = (path.relative_to(self.root).as_posix() for path in self.root.glob("*/*.jpg"))
        return sorted(file for file in found if not file.startswith("."))


TestUsing = Using.TestCase
TestUsing.settings = settings(max_examples=12, stateful_step_count=10, deadline=None)
