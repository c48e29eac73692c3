"""The benchmark of the studio's delay: that it measures both pages, says what it found, and looks at memory."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from cameras import scene
from conftest import Trained
from hands import drawn
from runtimes import had, runtimes, script


@pytest.fixture
def bench(trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, Path]:
    """The script, and a folder with a bundle and a film, so that it need not make them."""
    had(runtimes.web_ready)
    module = script("bench_studio")
    shutil.copytree(trained.run, tmp_path / "exported_models" / module.RUN)
    picture = scene(drawn("victory", 1)[0], module.SIZE)
    frame = b"FRAME\n" + cv2.cvtColor(np.ascontiguousarray(picture), cv2.COLOR_RGB2YUV_I420).tobytes()
    width, height = module.SIZE
    head = f"YUV4MPEG2 W{width} H{height} F30:1 Ip A1:1 C420jpeg\n".encode()
    (tmp_path / f"{module.GESTURE}.y4m").write_bytes(head + 3 * frame)
    monkeypatch.setattr(module, "WARM_UP", 0.5)
    return module, tmp_path


def test_it_tells_the_delay_of_both_pages(bench: tuple[Any, Path], capsys: pytest.CaptureFixture[str]) -> None:
    module, folder = bench
    module.main([str(folder), "--seconds", "0.5", "--times", "1", "--patience", "0"])
    table = capsys.readouterr().out
    assert (folder / "studio.md").read_text() == table
    for page in ("Try", "Collect"):
        row = re.search(rf"^\| {page} \|(.*)\|$", table, re.MULTILINE)
        assert row is not None, table
        median, late, rate, encoding, runtime, size, ratio = (cell.strip() for cell in row[1].split("|"))
        assert 0 < float(median) <= float(late)
        assert min(map(float, (rate, encoding, size, ratio))) > 0
        assert (runtime == "–") == (page == "Collect")
    assert re.search(r"The goal for Try, .* is (not )?reached\.", table)


def test_it_looks_at_the_memory(bench: tuple[Any, Path], capsys: pytest.CaptureFixture[str]) -> None:
    module, folder = bench
    with pytest.raises(SystemExit):
        module.main([str(folder), "--memory", "0.01"])
    assert re.search(
        r"^after .* more frames in 0\.01 min: \d+ MB, [+-]\d+\.\d %$", capsys.readouterr().out, re.MULTILINE
    )
