"""Listings: the images of a source by name alone, whatever its layout and wherever it lies."""

from __future__ import annotations

import importlib.util
import re
import tempfile
import tracemalloc
import uuid
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from helpers import make_zip, photo, tree, write, zip_bytes
from hypothesis import given, settings
from hypothesis import strategies as st

from gesture_maker.dataset import archives
from gesture_maker.dataset.finding import list_images
from gesture_maker.dataset.folder import load_dataset
from gesture_maker.dataset.formats import zips
from gesture_maker.dataset.formats.class_folders import natural_key
from gesture_maker.dataset.listing import Listing
from gesture_maker.dataset.manifest import ManifestRow, format_manifest
from gesture_maker.dataset.reading import Reader
from gesture_maker.dataset.sources import planned
from gesture_maker.errors import ConfigError, DatasetError, GestureMakerError, SourceError

A, B, C = photo(1), photo(2), photo(3)


def column(listing: Listing, name: str) -> list[Any]:
    return list(listing.images.column(name).to_pylist())


def contents(listing: Listing) -> dict[str, bytes]:
    """Return the bytes of every image by its name in the table, read as the engines read them."""
    reader = Reader(listing.root)
    rows = listing.images.select(["file", "path", "member"]).to_pylist()
    return {row["file"]: reader.read(row["path"], row["member"]) for row in rows}


def labelled(listing: Listing) -> list[tuple[str, str]]:
    return list(zip(column(listing, "file"), column(listing, "label"), strict=True))


# Class folders: exactly what load_dataset finds

letters = st.sampled_from(["a", "B", "é", "e\u0301", "日", " ", "_", "-", "#", "01", "1", "10", "2", "ß", "İ", "."])
stems = st.lists(letters, min_size=1, max_size=5).map("".join).filter(lambda name: name.strip(" .") == name)
files = st.builds(lambda stem, suffix: stem + suffix, stems, st.sampled_from([".jpg", ".JPG", ".png", ".txt", ".heic"]))
classes = st.one_of(stems, st.sampled_from(["none", "None", "NONE"]))
trees = st.dictionaries(classes, st.sets(files, max_size=6), min_size=1, max_size=4)


@settings(max_examples=60)
@given(
    trees,
    st.sets(st.sampled_from(["top.jpg", "notes.md", ".hidden.jpg", "old.zip", "info.json"])),
    st.sampled_from([None, "1", "([aB])", "^.", "nowhere"]),
    st.randoms(use_true_random=False),
)
def test_class_folders_are_listed_as_load_dataset_reads_them(
    folders: dict[str, set[str]], beside: set[str], group_by: str | None, random: Any
) -> None:
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        for folder, names in folders.items():
            (root / folder).mkdir(exist_ok=True)
            for name in names:
                write(root / folder / name, b"")
        for name in beside:
            write(root / name, b"{}")
        if not any(Path(name).suffix.lower() in (".jpg", ".png") for names in folders.values() for name in names):
            (root / "old.zip").unlink(missing_ok=True)  # without images in folders, zips are what is meant
        every = [f"{folder}/{name}" for folder, names in folders.items() for name in names]
        rows = [
            ManifestRow(
                file, "", random.choice(["", f"s/p{random.randint(0, 9)}aB1.jpg"]), random.choice(["", "anna", "bo"])
            )
            for file in [*every, "gone/1.jpg"]
            if random.random() < 0.7
        ]
        if random.random() < 0.7:
            write(root / "manifest.csv", format_manifest(rows))
        try:
            wanted = load_dataset(root, group_by)
        except GestureMakerError as error:
            with pytest.raises(type(error), match=f"^{re.escape(str(error))}$"):
                list_images(root, group_by)
            return
        listing = list_images(root, group_by)
        assert column(listing, "file") == column(listing, "path") == [image.file for image in wanted.images]
        assert column(listing, "label") == [image.label for image in wanted.images]
        assert column(listing, "group") == [image.group for image in wanted.images]
        assert listing.empty == wanted.empty
        assert sorted(listing.ignored) == sorted((str(path), reason) for path, reason in wanted.ignored)
        assert set(column(listing, "member")) | set(column(listing, "box")) <= {None}


def test_of_two_rows_for_one_file_the_last_counts(tmp_path: Path) -> None:
    write(tmp_path / "rock/1.jpg", A)
    rows = "".join(f"rock/1.jpg,rock,,{group},,\n" for group in ("anna", "bo", "cy"))
    write(tmp_path / "manifest.csv", f"file,label,source,group,sha256,added\n{rows}")
    assert column(list_images(tmp_path), "group") == [load_dataset(tmp_path).images[0].group] == ["cy"]


def parts_of(name: str) -> tuple[object, ...]:
    """The natural order as it is defined: text and numbers in turn."""
    parts: list[object] = list(re.split("([0-9]+)", name.casefold()))
    for place in range(1, len(parts), 2):
        digits = str(parts[place]).lstrip("0")
        parts[place] = (len(digits), digits)
    return (tuple(parts), name)


@given(st.lists(st.text(st.sampled_from("ab0129_.²٣ \x01\U0001f44d"), max_size=8)))
def test_the_key_of_the_natural_order_compares_like_its_parts(names: list[str]) -> None:
    assert sorted(names, key=natural_key) == sorted(names, key=parts_of)


def test_bad_input_sources_that_cannot_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "up/data/rock/a.jpg", A)
    make_zip(tmp_path / "packed/data/rock.zip", {"1.jpg": A})
    write(tmp_path / "photos/a.jpg", A)
    (tmp_path / "empty").mkdir()
    write(tmp_path / "file.txt", "x")
    write(tmp_path / "bad/a\\b/x.jpg", A)
    write(tmp_path / "half/rock/1.jpg", A)
    write(tmp_path / "half/.renaming.json", "{}")
    for name, why in {
        "gone": "neither gone nor datasets/gone",
        "empty": "no class folders",
        "photos": "no class folders",
        "up": "up/data instead",
        "packed": "packed/data instead",
        "bad": "slash",
        "file.txt": "is a file",
        "half": "gesture-maker rename half",
        "file:///nowhere/at/all": "nothing at",
    }.items():
        with pytest.raises(DatasetError, match=why) as caught:
            list_images(name)
        assert str(caught.value).count("\n") == 0
    with pytest.raises(ConfigError, match="regular expression"):
        list_images("up/data", "(")
    with pytest.raises(ConfigError, match="matches no file name"):
        list_images("up/data", "zzz")


def test_a_bare_name_is_a_dataset(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "datasets/rps/rock/1.jpg", A)
    assert contents(list_images("rps")) == {"rock/1.jpg": A}


def test_nothing_is_kept_of_an_image_but_its_name(tmp_path: Path) -> None:
    count = 5000
    for number in range(count):
        write(tmp_path / "rock" / f"rock_{number:06d}.jpg", b"")
    kept = []  # several: Python's table of interned strings grows by megabytes, now and then, and other threads allocate
    tracemalloc.start()
    try:
        for _ in range(5):
            before = tracemalloc.get_traced_memory()[0]
            listing = list_images(tmp_path)
            kept.append(tracemalloc.get_traced_memory()[0] - before)
    finally:
        tracemalloc.stop()
    assert len(listing) == count
    assert min(kept) < 4 * count  # bytes; one str is 70
    assert listing.images.nbytes < 100 * count


# Zips


def test_a_zip_of_class_folders_is_listed_without_unpacking(tmp_path: Path) -> None:
    members = {"rock/2.JPEG": A, "rock/10.jpg": B, "None/b.jpg": C, "__MACOSX/rock/._a.jpg": b"x", "rock/n.txt": b"x"}
    make_zip(tmp_path / "x.zip", {f"wrap/deeper/{name}": content for name, content in members.items()})
    before = tree(tmp_path)
    listing = list_images(tmp_path / "x.zip")
    assert labelled(listing) == [("None/b.jpg", "none"), ("rock/2.JPEG", "rock"), ("rock/10.jpg", "rock")]
    assert contents(listing) == {"None/b.jpg": C, "rock/2.JPEG": A, "rock/10.jpg": B}
    assert listing.ignored == ((f"{tmp_path}/x.zip/wrap/deeper/rock/n.txt", "not an image"),)
    assert tree(tmp_path) == before


def test_a_folder_of_zips_one_per_class(tmp_path: Path) -> None:
    make_zip(tmp_path / "rock-samples (1).zip", {"1.jpg": A, "inner.zip": zip_bytes({"1.jpg": B})})
    make_zip(tmp_path / "paper.zip", {"wrapper/1.jpg": B})
    make_zip(tmp_path / "more.zip", {"none/1.jpg": C, "four/1.jpg": C, "cover.jpg": C})
    make_zip(tmp_path / "nothing.zip", {"readme.txt": b"x"})
    (tmp_path / "scissors").mkdir()
    write(tmp_path / "beside.jpg", A)
    listing = list_images(tmp_path)
    assert [label for _, label in labelled(listing)] == ["none", "four", "paper", "rock"]
    assert contents(listing) == {"none/1.jpg": C, "four/1.jpg": C, "paper/1.jpg": B, "rock/1.jpg": A}
    assert listing.empty == ("scissors",)
    assert {Path(name).name for name, _ in listing.ignored} == {
        "inner.zip", "cover.jpg", "nothing.zip", "readme.txt", "beside.jpg"
    }  # fmt: skip


@pytest.mark.parametrize(("name", "label"), [("rock.zip", "rock"), ("Class 1-samples.zip", "Class 1")])
def test_a_zip_of_bare_images_is_a_class_named_after_it(tmp_path: Path, name: str, label: str) -> None:
    assert labelled(list_images(make_zip(tmp_path / name, {"0.jpg": A}))) == [(f"{label}/0.jpg", label)]


def test_images_of_one_name_in_two_zips_are_two(tmp_path: Path) -> None:
    make_zip(tmp_path / "rock.zip", {"1.jpg": A})
    make_zip(tmp_path / "rock-samples.zip", {"1.jpg": B})
    listing = list_images(tmp_path)
    assert contents(listing) == {"rock.zip/1.jpg": A, "rock-samples.zip/1.jpg": B}
    assert set(column(listing, "label")) == {"rock"}


def test_groups_of_a_dataset_in_a_zip(tmp_path: Path) -> None:
    manifest = "file,label,source,group,sha256,added\nrock/1.jpg,rock,p7_IMG.jpg,anna,,\n"
    path = make_zip(
        tmp_path / "x.zip", {"rps/rock/1.jpg": A, "rps/rock/p8.jpg": B, "rps/manifest.csv": manifest.encode()}
    )
    assert column(list_images(path), "group") == ["anna", None]
    assert column(list_images(path, "^p[0-9]"), "group") == ["p7", "p8"]
    broken = make_zip(tmp_path / "y.zip", {"rock/1.jpg": A, "manifest.csv": b"something else"})
    listing = list_images(broken)
    assert column(listing, "group") == [None]
    assert listing.ignored == (
        (f"{broken}/manifest.csv", "not a manifest of gesture-maker, groups are not taken from it"),
    )


def test_names_in_zips_that_are_not_marked_as_unicode(tmp_path: Path) -> None:
    content = zip_bytes({"Xaust/1.jpg": A}).replace(b"Xaust", "Füst".encode())  # as macOS writes them
    (tmp_path / "x.zip").write_bytes(content)
    listing = list_images(tmp_path / "x.zip")
    assert labelled(listing) == [("Füst/1.jpg", "Füst")]
    assert contents(listing) == {"Füst/1.jpg": A}


members = st.dictionaries(
    st.builds(lambda folders, name: "/".join([*folders, name]), st.lists(classes, max_size=3), files),
    st.just(b""),
    max_size=8,
)


@settings(max_examples=60)
@given(members)
def test_a_zip_has_the_images_and_classes_that_collect_finds_in_it(inside: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as place:
        path = make_zip(Path(place, "x.zip"), inside)
        try:
            with planned([path], Path(place, "d"), None) as plan:
                wanted = sorted((one.item.info.filename, one.label) for one in plan.candidates)  # type: ignore[union-attr]
                skipped = sorted(one.name for one in plan.skipped)
        except GestureMakerError:
            with pytest.raises(GestureMakerError):
                list_images(path)
            return
        listing = list_images(path)
        assert sorted(zip(column(listing, "member"), column(listing, "label"), strict=True)) == wanted
        assert sorted(name for name, _ in listing.ignored) == skipped
        assert len(set(column(listing, "file"))) == len(listing)


def damaged(name: str, monkeypatch: pytest.MonkeyPatch) -> bytes:
    encrypted = bytearray(zip_bytes({"rock/1.jpg": C}))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        encrypted[encrypted.index(mark) + place] |= 1
    monkeypatch.setattr(zips, "SUSPICIOUS_BYTES", 1_000_000)
    return {
        "cut": zip_bytes({"rock/1.jpg": A})[:-30],
        "no zip": b"<html>not found</html>",
        "outside": zip_bytes({"rock/1.jpg": A, "../evil.jpg": A}),
        "encrypted": bytes(encrypted),
        "bomb": zip_bytes({f"rock/{number}.jpg": bytes(1_000_000) for number in range(2)}),
    }[name]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("cut", "no zip or is cut short"),
        ("no zip", "no zip or is cut short"),
        ("outside", "outside"),
        ("encrypted", "password"),
        ("bomb", "bomb"),
    ],
)
def test_bad_input_zips_are_refused_as_a_whole(
    tmp_path: Path, name: str, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "in/bad.zip", damaged(name, monkeypatch))
    make_zip(tmp_path / "in/good.zip", {"1.jpg": A})
    for source in (tmp_path / "in/bad.zip", tmp_path / "in", f"file://{tmp_path}/in/bad.zip"):
        with pytest.raises(SourceError, match=why) as caught:
            list_images(source)
        assert "bad.zip" in str(caught.value)


def test_bad_input_zips_without_images_and_images_that_are_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for source in (make_zip(tmp_path / "in/x.zip", {"rock/notes.txt": b"x"}), tmp_path / "in"):
        with pytest.raises(DatasetError, match=r"no image in .*notes\.txt"):
            list_images(source)
    monkeypatch.setattr(zips, "MAX_IMAGE_BYTES", len(A) + 10)
    path = make_zip(tmp_path / "y.zip", {"rock/1.jpg": A, "rock/2.jpg": photo(5, size=(200, 200))})
    listing = list_images(path)
    assert column(listing, "file") == ["rock/1.jpg"]
    assert listing.ignored == ((f"{path}/rock/2.jpg", archives.too_large()),)


def test_of_two_members_of_one_name_one_is_listed(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as file:
        file.writestr("rock/1.jpg", A)
        with pytest.warns(UserWarning, match="Duplicate"):
            file.writestr("rock/1.jpg", B)
    assert contents(list_images(tmp_path / "x.zip")) == {"rock/1.jpg": B}


# Addresses


@pytest.fixture(params=["file", "memory"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder to write to, and an address at which the same files can be read once `publish` has been called."""
    if request.param == "file":
        yield tmp_path, tmp_path.as_uri()
        return
    if not importlib.util.find_spec("fsspec"):
        pytest.skip("needs fsspec, which comes with the extra ray")
    import fsspec

    place = f"/{uuid.uuid4().hex}"
    yield tmp_path, f"memory:/{place}"
    fsspec.filesystem("memory").rm(place, recursive=True)


def publish(folder: Path, where: str) -> None:
    """Copy what was written to the address, unless it is there."""
    if where.startswith("memory:"):
        import fsspec

        filesystem = fsspec.filesystem("memory")
        for name, content in tree(folder).items():
            filesystem.pipe(f"{where}/{name}", content)


def test_class_folders_and_zips_at_an_address(address: tuple[Path, str]) -> None:
    folder, where = address
    for name, content in {"rock/é 2.jpg": A, "rock/é 10.jpg": B, "None/1.png": C}.items():
        write(folder / "data" / name, content)
    write(folder / "data/top.jpg", A)
    write(folder / "data/rock/deep/1.jpg", A)
    write(folder / "data/manifest.csv", format_manifest([ManifestRow("rock/é 2.jpg", "rock", group="anna")]))
    make_zip(folder / "zips/rock.zip", {"1.jpg": A})
    make_zip(folder / "zips/paper.zip", {"1.jpg": B})
    publish(folder, where)
    for name in ("data", "zips", "zips/rock.zip"):
        here, there = list_images(folder / name), list_images(f"{where}/{name}")
        assert there.images.equals(here.images), name
        assert contents(there) == contents(here)
        relative = [(name.removeprefix(str(folder)), reason) for name, reason in here.ignored]
        assert [(name.removeprefix(where), reason) for name, reason in there.ignored] == relative
    assert column(list_images(f"{where}/data"), "group") == [None, "anna", None]


def test_bad_input_addresses(address: tuple[Path, str]) -> None:
    folder, where = address
    write(folder / "up/data/rock/1.jpg", A)
    write(folder / "file.txt", b"x")
    publish(folder, where)
    for name, why in {"gone": "nothing at", "up": f"{where}/up/data instead", "file.txt": "is a file"}.items():
        with pytest.raises(DatasetError, match=why):
            list_images(f"{where}/{name}")
    with pytest.raises(SourceError, match=r"gone\.zip cannot be read"):
        list_images(f"{where}/gone.zip")
    with pytest.raises(SourceError):
        list_images("nosuch://bucket/photos")
