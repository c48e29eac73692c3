"""`image collect`: HGR1 from folders, zips and the web, masks beside the photos, and nothing twice or without a word."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from conftest import Cli
from file_server import FileServer, serving_files
from helpers import check_manifest, contents, make_zip, one_sentence_error, photo, tree, write, zip_bytes
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from gesture_maker.dataset.folder import load_dataset
from gesture_maker.dataset.manifest import read_manifest
from gesture_maker.dataset.masks import GREY, mask_path, read_mask
from gesture_maker.errors import ConfigError, DatasetError, GestureMakerError, SourceError
from gesture_maker.files import sha256_of
from gesture_maker.images import read_image
from gesture_maker.pixels import fetching
from gesture_maker.pixels.collecting import collect_hgr1
from gesture_maker.synthetic.hgr1 import draw_hgr1, draw_hgr1_image

PHOTOS = 8
ONE = "original_images/0_A_hgr1_id01_1.jpg"
ITS_MASK = "skin_masks/0_A_hgr1_id01_1.bmp"


@pytest.fixture(scope="module")
def hgr1(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two gestures by two people, two photos each, in the two folders; not to be changed."""
    folder = tmp_path_factory.mktemp("hgr1")
    assert draw_hgr1(folder, people=2, poses=2, photos=2, size=96) == PHOTOS
    return folder


@pytest.fixture
def own(hgr1: Path, tmp_path: Path) -> Path:
    """The same, to be changed, in a folder whose name is awkward."""
    return shutil.copytree(hgr1, tmp_path / "mein Café 👋" / "HGR 1")


def check_masks(root: Path) -> None:
    """Check that every photo has a mask of its size with a hand in it, and no mask is without a photo."""
    images = load_dataset(root).images
    for image in images:
        content = (root / image.file).read_bytes()
        mask = read_mask(root, sha256_of(content))
        assert mask is not None
        assert mask.shape == read_image(content).shape[:2]
        assert 0.01 < (mask > 0).mean() < 0.5
    assert len(list((root / ".masks").iterdir())) == len(images)


def photos_in(root: Path) -> Counter[bytes]:
    return Counter((root / image.file).read_bytes() for image in load_dataset(root).images)


def reasons(result: object) -> dict[str, str]:
    return {Path(one.name).name: one.reason for one in result.skipped}  # type: ignore[attr-defined]


# What comes into the dataset


def test_photos_come_into_class_folders_with_their_masks(hgr1: Path, tmp_path: Path) -> None:
    root = tmp_path / "d"
    stages: list[tuple[str, int, int]] = []
    collected = collect_hgr1(hgr1, root, progress=lambda *at: stages.append(at))
    assert collected.skin.is_black
    assert collected.skin.share > 0.8
    assert collected.result.added == collected.result.totals == {"0_A": 4, "1_A": 4}
    assert collected.result.skipped == ()
    assert stages == [(stage, n, PHOTOS) for stage in ("masks", "photos") for n in range(1, PHOTOS + 1)]
    check_manifest(root)
    check_masks(root)
    assert photos_in(root) == contents(hgr1, "original_images")
    rows = read_manifest(root)
    assert set(rows) == {f"{label}/{label}_{n:06d}.jpg" for label in ("0_A", "1_A") for n in range(1, 5)}
    for row in rows.values():
        stem = Path(row.source).stem
        assert stem.startswith(f"{row.label}_hgr1_{row.group}_")
        number = int(stem[-1])
        _, mask = draw_hgr1_image(row.label, int(row.group[2:]), number, size=96)
        np.testing.assert_array_equal(read_mask(root, row.sha256), mask)
    assert [row.group for _, row in sorted(rows.items())] == ["id01", "id01", "id02", "id02"] * 2


def test_again_nothing_is_added(hgr1: Path, tmp_path: Path) -> None:
    for background in ("keep", "remove", "blur"):
        root = tmp_path / background
        collect_hgr1(hgr1, root, background)  # type: ignore[arg-type]
        before = tree(root)
        again = collect_hgr1(hgr1, root, background).result  # type: ignore[arg-type]
        assert again.added == {}
        assert again.already == {"0_A": 4, "1_A": 4}
        assert tree(root) == before


@pytest.mark.parametrize("kind", ["folders", "zips", "wrapped", "zip in zip", "zips in a folder", "one zip"])
def test_every_packing_gives_the_same(kind: str, hgr1: Path, tmp_path: Path) -> None:
    place = tmp_path / "ä b"
    files = tree(hgr1)
    images = {name: content for name, content in files.items() if name.startswith("original")}
    masks = {name: content for name, content in files.items() if name.startswith("skin")}
    packings = {"hgr1_images.zip": zip_bytes(images), "hgr1_skin.zip": zip_bytes(masks)}
    if kind == "folders":
        sources = [hgr1 / "skin_masks", hgr1 / "original_images"]
    elif kind == "zips":
        sources = [write(place / name, content) for name, content in packings.items()]
    elif kind == "wrapped":
        sources = [make_zip(place / "all.zip", {f"a/b é/{name}": content for name, content in files.items()})]
    elif kind == "zip in zip":
        sources = [make_zip(place / "all.zip", packings | {"__MACOSX/._x.jpg": b"x"})]
    elif kind == "zips in a folder":
        sources = [write(place / name, content) for name, content in packings.items()][:1]
        sources = [sources[0].parent]
    else:
        flat = {name.rsplit("/", 1)[1]: content for name, content in files.items()}
        sources = [make_zip(place / "flat.zip", flat)]
    collected = collect_hgr1(sources, tmp_path / "d")
    assert collected.result.skipped == ()
    assert photos_in(tmp_path / "d") == contents(hgr1, "original_images")
    check_masks(tmp_path / "d")
    # from wherever they come, they are known
    assert collect_hgr1(hgr1, tmp_path / "d").result.already == {"0_A": 4, "1_A": 4}


def test_masks_in_which_skin_is_white(tmp_path: Path, hgr1: Path) -> None:
    draw_hgr1(tmp_path / "s", people=2, poses=2, photos=2, size=96, skin_is_black=False)
    collected = collect_hgr1(tmp_path / "s", tmp_path / "white")
    assert not collected.skin.is_black
    collect_hgr1(hgr1, tmp_path / "black")
    assert tree(tmp_path / "white/.masks") == tree(tmp_path / "black/.masks")


@pytest.mark.parametrize("background", ["remove", "blur"])
def test_another_background(background: str, hgr1: Path, tmp_path: Path) -> None:
    root = tmp_path / "d"
    collected = collect_hgr1(hgr1, root, background)  # type: ignore[arg-type]
    assert collected.result.added == {"0_A": 4, "1_A": 4}
    check_manifest(root)
    check_masks(root)
    for file, row in read_manifest(root).items():
        assert file.endswith(".png")
        assert row.source.endswith(f".jpg#background={background}")
        pixels, original = read_image(root / file), read_image(Path(row.source.partition("#")[0]))
        mask = read_mask(root, row.sha256)
        assert mask is not None
        assert bool((pixels == GREY).all(axis=2).mean() > 0.5) is (background == "remove")
        inside = cv2.erode(mask, np.ones((9, 9), np.uint8)) > 0
        assert inside.any()
        np.testing.assert_array_equal(pixels[inside], original[inside])
    for other in {"keep", "remove", "blur"} - {background}:
        before = tree(root)
        with pytest.raises(DatasetError, match=f"--background {background} already"):
            collect_hgr1(hgr1, root, other)  # type: ignore[arg-type]
        assert tree(root) == before


# What cannot be used


def test_what_lacks_the_other_or_is_damaged_is_told(own: Path, tmp_path: Path) -> None:
    images, masks = own / "original_images", own / "skin_masks"
    (masks / "0_A_hgr1_id01_1.bmp").unlink()
    (images / "0_A_hgr1_id01_2.jpg").unlink()
    write(masks / "0_A_hgr1_id02_1.bmp", b"BM no picture")
    whole = (masks / "0_A_hgr1_id02_2.bmp").read_bytes()
    write(masks / "0_A_hgr1_id02_2.bmp", whole[: len(whole) // 2])
    Image.new("1", (95, 96)).save(masks / "1_A_hgr1_id01_1.bmp")
    write(images / "1_A_hgr1_id01_2.jpg", b"")
    write(images / "holiday.jpg", photo(1))
    write(images / "notes.txt", "x")
    write(images / "wave.mp4", b"x")
    collected = collect_hgr1(own, tmp_path / "d").result
    assert collected.added == {"1_A": 2}
    assert reasons(collected) == {
        "0_A_hgr1_id01_1.jpg": "a photo without a skin mask",
        "0_A_hgr1_id01_2.bmp": "a skin mask without a photo",
        "0_A_hgr1_id02_1.jpg": "its skin mask cannot be used: not an image",
        "0_A_hgr1_id02_2.jpg": "its skin mask cannot be used: the image is damaged or cut short",
        "1_A_hgr1_id01_1.jpg": "its skin mask has 95x96 pixels, the photo 96x96",
        "1_A_hgr1_id01_2.jpg": "the file is empty",
        "holiday.jpg": "not named as HGR1's photos are, such as 0_A_hgr1_id01_1.jpg",
        "notes.txt": "not an image",
        "wave.mp4": "not an image",
    }
    check_masks(tmp_path / "d")


def test_what_was_mended_comes_with_the_next_run(own: Path, hgr1: Path, tmp_path: Path) -> None:
    write(own / ITS_MASK, b"BM")
    assert collect_hgr1(own, tmp_path / "d").result.totals == {"0_A": 3, "1_A": 4}
    shutil.copy(hgr1 / ITS_MASK, own / ITS_MASK)
    assert collect_hgr1(own, tmp_path / "d").result.added == {"0_A": 1}
    check_masks(tmp_path / "d")


def test_a_mask_that_was_removed_comes_back(hgr1: Path, tmp_path: Path) -> None:
    collect_hgr1(hgr1, tmp_path / "d")
    before = tree(tmp_path / "d")
    mask_path(tmp_path / "d", sha256_of((hgr1 / ONE).read_bytes())).unlink()
    collect_hgr1(hgr1, tmp_path / "d")
    assert tree(tmp_path / "d") == before


def test_bad_input_sources(hgr1: Path, tmp_path: Path) -> None:
    write(tmp_path / "photos/rock/a.jpg", photo())
    write(tmp_path / "cut.zip", b"PK")
    draw_hgr1(tmp_path / "other", people=1, poses=1, photos=1, size=96)
    (tmp_path / "other/skin_masks/0_A_hgr1_id01_1.bmp").rename(tmp_path / "other/skin_masks/0_A_hgr1_id09_1.bmp")

    def refused(*sources: Path, error: type[GestureMakerError] = SourceError) -> str:
        with pytest.raises(error) as told:
            collect_hgr1(sources, tmp_path / "d")
        assert not (tmp_path / "d").exists()
        return str(told.value)

    assert "are for `gesture-maker collect`" in refused(tmp_path / "photos")
    assert "are for `gesture-maker collect`" in refused(hgr1, tmp_path / "photos")
    assert "are for `gesture-maker collect`" in refused(make_zip(tmp_path / "z.zip", {"rock/a.jpg": photo()}))
    assert "are for `gesture-maker collect`" in refused(write(tmp_path / "wave.mp4", b"x"))
    assert "cut short" in refused(tmp_path / "cut.zip")
    assert "There is no" in refused(tmp_path / "nowhere")
    assert "give skin_masks or hgr1_skin.zip too" in refused(hgr1 / "original_images")
    assert "give original_images or hgr1_images.zip too" in refused(hgr1 / "skin_masks")
    assert "has a skin mask of its name" in refused(tmp_path / "other")
    with pytest.raises(ConfigError, match="keep, remove, blur"):
        collect_hgr1(hgr1, tmp_path / "d", "hide")  # type: ignore[arg-type]
    with pytest.raises(DatasetError):
        collect_hgr1(hgr1, write(tmp_path / "file", b"x"))
    inside = shutil.copytree(hgr1, tmp_path / "e/inside")
    with pytest.raises(SourceError, match="lies in the dataset"):
        collect_hgr1(inside, tmp_path / "e")


# Interrupted


@settings(max_examples=8, deadline=None)
@given(at=st.integers(1, PHOTOS), background=st.sampled_from(["keep", "blur"]))
def test_interrupted_anywhere_the_next_run_finishes(hgr1: Path, at: int, background: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "d"

        def interrupt(stage: str, done: int, _: int) -> None:
            if stage == "photos" and done == at:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            collect_hgr1(hgr1, root, background, progress=interrupt)  # type: ignore[arg-type]
        check_manifest(root)
        rows = read_manifest(root)
        assert len(rows) == at
        assert all(read_mask(root, row.sha256) is not None for row in rows.values())
        collect_hgr1(hgr1, root, background)  # type: ignore[arg-type]
        assert len(read_manifest(root)) == PHOTOS
        check_masks(root)


def test_bad_input_a_place_that_cannot_be_written(hgr1: Path, tmp_path: Path, cli: Cli) -> None:
    write(tmp_path / "d/.masks", b"a file, where the folder of the masks belongs")
    said = one_sentence_error(cli("image", "collect", hgr1, "--dataset", tmp_path / "d", cwd=tmp_path))
    assert ".masks" in said
    assert not list((tmp_path / "d").glob("*/*"))


# On the command line


def test_the_command(own: Path, tmp_path: Path, cli: Cli) -> None:
    write(own / "original_images/holiday.jpg", photo())
    done = cli("image", "collect", own, "--dataset", "hands", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "0_A" in done.stdout
    assert "holiday.jpg: not named as HGR1's photos are" in done.stdout
    assert "Skin is black in the masks: 9" in done.stdout
    assert done.stdout.endswith("Next:  gesture-maker image train hands\n")
    check_masks(tmp_path / "datasets/hands")
    said = one_sentence_error(cli("image", "collect", own, "-d", "hands", "--background", "blur", cwd=tmp_path))
    assert "--background keep already" in said


def test_nothing_that_can_be_used_is_an_error(tmp_path: Path, cli: Cli) -> None:
    draw_hgr1(tmp_path / "s", people=1, poses=1, photos=1, size=96)
    write(tmp_path / "s" / ONE, b"no photo")
    done = cli("image", "collect", "s", "--dataset", tmp_path / "d", cwd=tmp_path)
    assert done.returncode == 1
    assert "Nothing was collected" in done.stderr


@pytest.mark.parametrize("options", ["", "s --download", "s --background hide", "--background blur"])
def test_options_that_do_not_belong_together(options: str, tmp_path: Path, cli: Cli) -> None:
    assert cli("image", "collect", "--dataset", "d", *options.split(), cwd=tmp_path).returncode == 2
    assert tree(tmp_path) == {}


# Downloaded


@pytest.fixture
def server(hgr1: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    """A server that has the two zips, and an empty cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "own cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    assert tmp_path in fetching.cache_folder().parents
    files = tree(hgr1)
    packed = [
        zip_bytes({name: content for name, content in files.items() if name.startswith(place)})
        for place in ("original", "skin")
    ]
    with serving_files(hgr1_images__zip=packed[0], hgr1_skin__zip=packed[1]) as running:
        monkeypatch.setenv(fetching.URL_VARIABLE, f"{running.address}/~gestures/")
        yield running


def test_download_once(server: FileServer, tmp_path: Path, cli: Cli) -> None:
    done = cli("image", "collect", "--download", "--dataset", tmp_path / "d", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    digest = sha256_of(server.files["hgr1_images.zip"])[:12]
    assert f"hgr1_images.zip: SHA-256 {digest}…, written down" in done.stdout
    check_masks(tmp_path / "d")
    sources = {row.source for row in read_manifest(tmp_path / "d").values()}
    assert f"hgr1_images.zip/{ONE}" in sources
    again = cli("image", "collect", "--download", "--dataset", tmp_path / "d", cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    assert f"{digest}…, as at the first download" in again.stdout
    assert [name for name, _ in server.asked] == ["hgr1_images.zip", "hgr1_skin.zip"]


def test_an_interrupted_download_goes_on(server: FileServer) -> None:
    server.files["hgr1_images.zip"] = large = zip_bytes({"noise.jpg": np.random.default_rng(0).bytes(200_000)})
    seen: list[tuple[str, int, int]] = []

    def interrupt(name: str, done: int, total: int) -> None:
        seen.append((name, done, total))
        if done > 100_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetching.fetch_hgr1(interrupt)
    assert seen[-1][2] == len(large)
    images, skin = fetching.fetch_hgr1()
    assert images.path.read_bytes() == large
    assert server.asked[1][1].startswith("bytes=")
    assert server.asked[1][1] != "bytes=0-"
    assert skin.first


@pytest.mark.usefixtures("server")
def test_bad_input_wrong_checksum(tmp_path: Path, cli: Cli) -> None:
    first, _ = fetching.fetch_hgr1()
    write(first.path, b"PK somebody has changed it")
    said = one_sentence_error(cli("image", "collect", "--download", "--dataset", tmp_path / "d", cwd=tmp_path))
    assert "is not the file that was first downloaded" in said
    assert not (tmp_path / "d").exists()


def test_bad_input_a_page_in_place_of_a_zip(server: FileServer, tmp_path: Path, cli: Cli) -> None:
    server.files["hgr1_skin.zip"] = b"<html>Please log in</html>"
    said = one_sentence_error(cli("image", "collect", "--download", "--dataset", tmp_path / "d", cwd=tmp_path))
    assert "hgr1_skin.zip cannot be downloaded" in said
    assert "something else" in said
    assert not list(fetching.cache_folder().glob("hgr1_skin.zip*256"))


def test_bad_input_no_network(server: FileServer, tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(fetching.URL_VARIABLE, "http://127.0.0.1:1/nothing-listens-here")
    said = one_sentence_error(cli("image", "collect", "--download", "--dataset", tmp_path / "d", cwd=tmp_path))
    assert "(no connection): run the same command again" in said
    assert "hgr1_images.zip and hgr1_skin.zip as SOURCE" in said
    del server.files["hgr1_images.zip"]
    monkeypatch.setenv(fetching.URL_VARIABLE, server.address)
    said = one_sentence_error(cli("image", "collect", "--download", "--dataset", tmp_path / "d", cwd=tmp_path))
    assert "answered 404" in said
