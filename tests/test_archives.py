"""Zips: Teachable Machine's and others are read, and whatever is hostile or broken leaves the dataset as it was."""

from __future__ import annotations

import io
import stat
import tempfile
import warnings
import zipfile
import zlib
from pathlib import Path

import pytest
from helpers import contents, make_zip, photo, tree, zip_bytes
from hypothesis import given
from hypothesis import strategies as st

from gesture_maker.dataset import archives
from gesture_maker.dataset.collecting import CollectResult, collect
from gesture_maker.errors import GestureMakerError, SourceError

A, B, C = photo(1), photo(2), photo(3)


def test_class_folders_in_a_zip(tmp_path: Path) -> None:
    source = make_zip(tmp_path / "x.zip", {"rock/a.JPEG": A, "None/b.jpg": B, "__MACOSX/rock/._a.jpg": b"x"})
    result = collect(source, tmp_path / "d")
    assert result.added == {"none": 1, "rock": 1}
    assert result.skipped == ()
    assert (tmp_path / "d/rock/rock_000001.jpg").read_bytes() == A
    assert (tmp_path / "d/none/none_000001.jpg").read_bytes() == B


@pytest.mark.parametrize("wrapper", ["", "export/", "a/b/c/"])
def test_folders_that_only_wrap_the_classes_are_passed_through(tmp_path: Path, wrapper: str) -> None:
    members = {f"{wrapper}rock/1.jpg": A, f"{wrapper}paper/1.jpg": B, f"{wrapper}.DS_Store": b"", "cover.jpg": C}
    result = collect(make_zip(tmp_path / "x.zip", members), tmp_path / "d")
    assert result.added == {"paper": 1, "rock": 1}
    assert [(skipped.name.split("/")[-1], skipped.reason) for skipped in result.skipped] == [
        ("cover.jpg", "it lies outside the class folders")
    ]


@pytest.mark.parametrize(
    ("name", "label"), [("rock.zip", "rock"), ("Class 1-samples.zip", "Class 1"), ("a-samples (1).zip", "a")]
)
def test_a_zip_of_bare_images_is_a_class_named_after_it(tmp_path: Path, name: str, label: str) -> None:
    assert collect(make_zip(tmp_path / name, {"0.jpg": A, "1.jpg": B}), tmp_path / "d").added == {label: 2}
    assert collect(tmp_path / name, tmp_path / "e", label="other").added == {"other": 2}


def test_one_zip_per_class_inside_a_zip(tmp_path: Path) -> None:
    members = {
        "project/rock.zip": zip_bytes({"1.jpg": A}),
        "project/paper-samples.zip": zip_bytes({"paper/1.jpg": B}),
        "project/deep.zip": zip_bytes({"1.jpg": C, "more.zip": zip_bytes({"1.jpg": photo(4)})}),
    }
    result = collect(make_zip(tmp_path / "x.zip", members), tmp_path / "d")
    assert result.added == {"deep": 1, "paper": 1, "rock": 1}
    assert [skipped.reason for skipped in result.skipped] == ["a zip in a zip in a zip, unpack it first"]
    assert "x.zip/project/rock.zip/1.jpg" in (tmp_path / "d/manifest.csv").read_text()


def test_a_folder_of_zips_one_per_class(tmp_path: Path) -> None:
    make_zip(tmp_path / "s/rock.zip", {"1.jpg": A})
    make_zip(tmp_path / "s/paper.zip", {"1.jpg": B})
    assert collect(tmp_path / "s", tmp_path / "d").added == {"paper": 1, "rock": 1}


def test_groups_and_sources_of_a_dataset_in_a_zip_come_along(tmp_path: Path) -> None:
    manifest = "file,label,source,group,sha256,added\nrock/1.jpg,rock,p7_IMG.jpg,anna,,\n"
    members = {"rps/rock/1.jpg": A, "rps/rock/2.jpg": B, "rps/manifest.csv": manifest.encode()}
    collect(make_zip(tmp_path / "x.zip", members), tmp_path / "d")
    rows = (tmp_path / "d/manifest.csv").read_text().splitlines()
    assert rows[1].startswith("rock/rock_000001.jpg,rock,p7_IMG.jpg,anna,")
    assert rows[2].startswith(f"rock/rock_000002.jpg,rock,{tmp_path}/x.zip/rps/rock/2.jpg,,")


def test_unicode_names_written_without_the_utf8_flag(tmp_path: Path) -> None:
    content = zip_bytes({"Xaust/1.jpg": A}).replace(b"Xaust", "Füst".encode())  # as macOS writes them
    (tmp_path / "x.zip").write_bytes(content)
    assert collect(tmp_path / "x.zip", tmp_path / "d").added == {"Füst": 1}


def test_backslashes_are_folders(tmp_path: Path) -> None:
    assert collect(make_zip(tmp_path / "x.zip", {"rock\\1.jpg": A}), tmp_path / "d").added == {"rock": 1}


def test_a_damaged_member_is_skipped_and_the_rest_is_read(tmp_path: Path) -> None:
    content = bytearray(zip_bytes({"rock/1.jpg": A, "rock/2.jpg": B}))
    content[content.index(b"rock/1.jpg") + 60] ^= 0xFF
    (tmp_path / "x.zip").write_bytes(content)
    result = collect(tmp_path / "x.zip", tmp_path / "d")
    assert result.added == {"rock": 1}
    assert [skipped.name for skipped in result.skipped] == [f"{tmp_path}/x.zip/rock/1.jpg"]


# What is refused as a whole. Each comes with good sources before and behind it, of which nothing may be copied either.


def refused(tmp_path: Path, content: bytes) -> str:
    """Return the sentence with which a zip is refused, after making sure that nothing was written anywhere."""
    source = tmp_path / "in/bad.zip"
    make_zip(tmp_path / "in/good.zip", {"rock/1.jpg": A})
    source.write_bytes(content)
    collect(make_zip(tmp_path / "in/before.zip", {"paper/1.jpg": B}), tmp_path / "d")
    before = tree(tmp_path)
    with pytest.raises(SourceError) as caught:
        collect([tmp_path / "in/good.zip", source], tmp_path / "d")
    assert tree(tmp_path) == before
    with pytest.raises(SourceError):
        collect(source, tmp_path / "fresh")
    assert not (tmp_path / "fresh").exists()
    message = str(caught.value)
    assert "bad.zip" in message
    assert message.count("\n") == 0
    return message


@pytest.mark.parametrize(
    "name",
    [
        "../evil.jpg",
        "rock/../../evil.jpg",
        "/etc/evil.jpg",
        "C:\\evil.jpg",
        "\\\\host\\evil.jpg",
        "..\\evil.jpg",
        "../",
    ],
)
def test_bad_input_zip_with_names_that_lead_outside(tmp_path: Path, name: str) -> None:
    assert "outside" in refused(tmp_path, zip_bytes({"rock/1.jpg": C, name: C}))


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFBLK])
def test_bad_input_zip_with_links_or_devices(tmp_path: Path, kind: int) -> None:
    link = zipfile.ZipInfo("rock/2.jpg")
    link.create_system = 3
    link.external_attr = (kind | 0o777) << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("rock/1.jpg", C)
        file.writestr(link, "/etc/passwd")
    assert "refused" in refused(tmp_path, buffer.getvalue())


def ten_gigabytes_of_zeros(promised: int) -> bytes:
    """Return a zip with one member of 10 GB of zeros, whose directory promises the given size."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    first = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)  # from a flush on, blocks repeat
    packed = first * 10_240 + packer.flush()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        file.writestr("rock/1.jpg", packed)
        info = file.filelist[0]
        info.compress_type, info.file_size = zipfile.ZIP_DEFLATED, promised
    return buffer.getvalue()


def test_bad_input_zip_with_10_gb_of_zeros(tmp_path: Path) -> None:
    assert "10.7 GB" in refused(tmp_path, ten_gigabytes_of_zeros(10 << 30))


def test_bad_input_zip_with_10_gb_of_zeros_in_an_inner_zip(tmp_path: Path) -> None:
    inner = ten_gigabytes_of_zeros(10 << 30)
    assert "rock.zip" in refused(tmp_path, zip_bytes({"rock.zip": inner}))


def test_bad_input_zip_with_10_gb_of_zeros_and_a_lying_header(tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_bytes(ten_gigabytes_of_zeros(1000))
    result = collect(tmp_path / "x.zip", tmp_path / "d")
    assert [skipped.reason for skipped in result.skipped] == ["it is damaged in the zip"]
    assert result.added == {}
    assert not (tmp_path / "d").exists()


def test_bad_input_zip_of_more_than_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_TOTAL_BYTES", 3 * len(A))
    fine = {"rock.zip": zip_bytes({"1.jpg": A})}
    collect(make_zip(tmp_path / "fine.zip", fine), tmp_path / "d0")
    many = {f"c{number}.zip": zip_bytes({"1.jpg": A}) for number in range(3)}
    assert "unpack it" in refused(tmp_path, zip_bytes(many))


def test_bad_input_zip_member_too_large_for_a_photo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archives, "MAX_IMAGE_BYTES", len(A) + 10)
    members = {"rock/1.jpg": A, "rock/2.jpg": photo(5, size=(200, 200))}
    result = collect(make_zip(tmp_path / "x.zip", members), tmp_path / "d")
    assert result.added == {"rock": 1}
    assert "larger" in result.skipped[0].reason


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"<html>not found</html>", zip_bytes({"rock/1.jpg": A})[:-30]])
def test_bad_input_broken_zip(tmp_path: Path, content: bytes) -> None:
    assert "no zip or is cut short" in refused(tmp_path, content)


def test_bad_input_broken_zip_in_a_zip(tmp_path: Path) -> None:
    assert "rock.zip" in refused(tmp_path, zip_bytes({"paper/1.jpg": A, "rock.zip": b"PK"}))


def test_bad_input_encrypted_zip(tmp_path: Path) -> None:
    content = bytearray(zip_bytes({"rock/1.jpg": C}))
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + place] |= 1
    assert "password" in refused(tmp_path, bytes(content))


def test_bad_input_zip_without_images(tmp_path: Path) -> None:
    assert "notes.txt" in refused(tmp_path, zip_bytes({"rock/notes.txt": b"x"}))
    assert "no image" in refused(tmp_path, zip_bytes({}))


@given(st.integers(0, 2000), st.binary(min_size=1, max_size=8))
def test_bad_input_a_damaged_zip_gives_a_result_or_one_sentence(at: int, junk: bytes) -> None:
    content = bytearray(zip_bytes({"rock/1.png": photo(1, ".png", (8, 8)), "paper.zip": zip_bytes({"1.jpg": A})}))
    at %= len(content)
    content[at : at + len(junk)] = junk
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        root = Path(folder)
        (root / "x.zip").write_bytes(content)
        try:
            result: CollectResult | None = collect(root / "x.zip", root / "d")
        except GestureMakerError:
            result = None
        written = contents(root / "d") if (root / "d").exists() else {}
        assert sum(written.values()) == (sum(result.added.values()) if result else 0)
        assert {path.relative_to(root).parts[0] for path in root.rglob("*")} <= {"x.zip", "d"}
