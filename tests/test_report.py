"""The report: one self-contained page that says what the evaluation found, and nothing that comes from a name becomes HTML."""

from __future__ import annotations

import base64
import io
import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import CLASSES, Cli, Trained
from hands import drawn_dataset, save_photo, silent_bundle
from helpers import one_sentence_error, write
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from PIL import Image

import gesture_maker
from gesture_maker.evaluation import paired
from gesture_maker.evaluation.bundle import Bundle
from gesture_maker.evaluation.intervals import accuracy_interval
from gesture_maker.evaluation.metrics import measure
from gesture_maker.evaluation.model import Model
from gesture_maker.evaluation.paired import difference
from gesture_maker.evaluation.questions import Questions
from gesture_maker.evaluation.report import html, numbers
from gesture_maker.evaluation.report.charts import chart_of_class, chart_of_reliability
from gesture_maker.evaluation.report.curves import precision_recall, reliability
from gesture_maker.evaluation.report.gallery import gallery
from gesture_maker.evaluation.report.page import Asking, report_page
from gesture_maker.evaluation.report.pictures import Picture, Pictures, picture_of
from gesture_maker.evaluation.report.style import DARK, LIGHT
from gesture_maker.evaluation.results import (
    GESTURE_RECOGNIZER,
    ON_LANDMARKS,
    Evaluation,
    Prediction,
    difference_of,
    interval_of,
)
from gesture_maker.files import sha256_of_file
from gesture_maker.images import read_image

VOID = {"meta", "img", "br"}
ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "header", "nav", "main", "section", "h1", "h2", "h3", "p", "a", "ul", "li",
    "dl", "dt", "dd", "div", "span", "strong", "bdi", "code", "table", "caption", "thead", "tbody", "tr", "th", "td", "figure",
    "figcaption", "img", "br", "svg", "g", "defs", "path", "use", "text", "tspan", "clippath", "rect", "line",
}  # fmt: skip


class Read(HTMLParser):
    """What a browser would make of a page; fails where an element is not closed."""

    def __init__(self, source: str) -> None:
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.tables: dict[str, list[list[str]]] = {}
        self.heads: list[str] = []
        self._open: list[str] = []
        self._rows: list[list[str]] = []
        self._caption = ""
        self.feed(source)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)
        if tag == "table":
            self._rows, self._caption = [], ""
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("td", "th"):
            self._rows[-1].append("")
        elif tag in ("h1", "h2", "h3"):
            self.heads.append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag
        if tag == "table":
            self.tables[self._caption] = self._rows

    def handle_data(self, data: str) -> None:
        if "style" in self._open:
            return
        self.words.append(data)
        if "caption" in self._open:
            self._caption += data
        elif "td" in self._open or "th" in self._open:
            self._rows[-1][-1] += data
        elif self._open and {"h1", "h2", "h3"} & set(self._open):
            self.heads[-1] += data

    @property
    def text(self) -> str:
        return "".join(self.words)

    def table(self, beginning: str) -> list[dict[str, str]]:
        """Return the rows of the table whose caption begins so, by column."""
        rows = next(rows for caption, rows in self.tables.items() if caption.startswith(beginning))
        return [dict(zip(rows[0], row, strict=True)) for row in rows[1:]]

    def pictures(self) -> list[tuple[str, Image.Image]]:
        """Return each picture with its alternative text."""
        found = []
        for tag, attributes in self.elements:
            if tag == "img":
                kind, data = str(attributes["src"]).split(",", 1)
                assert kind == "data:image/jpeg;base64"
                picture = Image.open(io.BytesIO(base64.b64decode(data, validate=True)))
                assert picture.size == (int(attributes["width"] or 0), int(attributes["height"] or 0))
                found.append((str(attributes["alt"]), picture))
        return found


def check_self_contained(source: str) -> Read:
    """Check that a page loads and runs nothing, that its links lead somewhere, and that it has what a screen reader needs."""
    page = Read(source)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in page.elements:
        assert tag in ALLOWED, tag
        for name, value in attributes.items():
            assert not name.startswith("on"), (tag, name)
            if name in ("href", "xlink:href"):
                assert value is not None
                assert value.startswith("#")
                assert value[1:] in ids
            for target in re.findall(r"url\(([^)]*)\)", value or ""):
                assert target[0] == "#"
                assert target[1:] in ids
        if tag == "svg":
            assert attributes["role"] == "img"
            assert attributes["aria-label"]
        if tag == "img":
            assert attributes["alt"]
    styles = "".join(re.findall(r"<style>(.*?)</style>", source, re.DOTALL))
    assert not re.search(r"@import|url\(|http|//", styles)
    assert "http:" not in source
    assert "https:" not in source
    policy = next(attributes["content"] for _, attributes in page.elements if "http-equiv" in attributes)
    assert str(policy).startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'; ")
    assert "@media print" in styles
    assert "prefers-color-scheme: dark" in styles
    return page


# The frame


names = st.text(st.characters(), min_size=1, max_size=40) | st.sampled_from(
    [
        "<script>alert(1)</script>",
        "$x$",
        '" onload="x',
        "👍🏽",
        "</style><b>",
        "\u202eabc",
        "&amp;",
        "\udcff",
        "a\x00b",
        "]]>",
        "日本",
    ]
)


def written(text: str) -> str:
    """Return a name as the page shows it: what no HTML can hold is escaped, and a browser reads no more into it."""
    return "".join(ascii(c)[1:-1] if html.unicodedata.category(c) in ("Cc", "Cs") else c for c in text)


def everywhere(name: str) -> str:
    """Return a page that has a name wherever there can be one: 17 times as text, once as an alternative text."""
    parts = html.join(
        [
            html.table(name, [name, "b"], [[name, name]]),
            html.figure(html.image(b"x", name, 1, 1), name),
            html.tiles([html.Tile(name, name, name)]),
            html.facts([(name, name)]),
            html.notes([name]),
            html.paragraph(name, html.name(name), html.code(name)),
        ]
    )
    return html.page(name, [html.Section("part", name, parts)], name)


@given(names)
def test_a_name_comes_out_as_text_wherever_it_is_put(name: str) -> None:
    source = everywhere(name)
    source.encode()
    page, shown = Read(source), written(name)
    assert [tag for tag, _ in page.elements] == [tag for tag, _ in Read(everywhere("x")).elements]
    assert sum(words.count(shown) for words in page.words) >= 17
    assert [attributes["alt"] for tag, attributes in page.elements if tag == "img"] == [shown]


def test_only_html_is_taken_as_html() -> None:
    assert html.text("<b>") == "&lt;b&gt;"
    assert html.text(html.Html("<b>")) == "<b>"
    assert html.element("a", "x & y", href='"', hidden=True, title=None) == '<a href="&quot;" hidden>x &amp; y</a>'
    assert html.table("c", ["a", "n"], [["r", html.cell(3, "own")]]).count('<td class="own">3</td>') == 1


def test_colours_can_be_read() -> None:
    """Contrast of at least 4.5 to 1, as WCAG 2.1 (1.4.3) asks of text."""

    def luminance(rgb: list[int]) -> float:
        parts = [c / 255 / 12.92 if c <= 10 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in rgb]
        return float(np.dot(parts, [0.2126, 0.7152, 0.0722]))

    for theme in (LIGHT, DARK):
        found = re.findall(r"--(\w+): (\d+) (\d+) (\d+)", theme)
        colour = {name: luminance([int(value) for value in rgb]) for name, *rgb in found}
        for ground in ("page", "panel"):
            for letters in ("ink", "muted", "blue", "red", "green", "orange"):
                pale, deep = sorted((colour[ground], colour[letters]), reverse=True)
                assert (pale + 0.05) / (deep + 0.05) >= 4.5, (theme, ground, letters)


@given(st.floats(0, 1), st.floats(0, 1))
def test_shares_are_written_without_flattering(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert (numbers.percent(one) == "100.0 %") == (one == 1)
    assert (numbers.percent(one) == "0.0 %") == (one == 0)
    words = re.fullmatch(r"([\d.]+) to ([\d.]+) %", numbers.between(low, high))
    assert words
    assert float(words[1]) <= 100 * low + 1e-6
    assert float(words[2]) >= 100 * high - 1e-6
    assert numbers.points(high - low)[0] in "+0"


# Scores and comparisons


def prediction(label: str, answer: str | None, score: float, canned: bool = False, group: str = "") -> Prediction:
    reason = "no hand found" if answer is None else ""
    return Prediction(Path(label), f"{label}/1.jpg", label, answer, score, canned, 0.9, 5.0, reason, group)


answered = st.lists(
    st.builds(
        prediction,
        st.sampled_from("abc"),
        st.sampled_from(["a", "b", "c", None]),
        st.sampled_from([0.1, 0.25, 0.5, 0.55, 0.9, 1.0]),
        st.booleans(),
        st.sampled_from(["", "one", "two"]),
    ),
    min_size=1,
    max_size=40,
)


@given(answered)
def test_precision_and_recall_are_those_of_each_threshold(predictions: list[Prediction]) -> None:
    found = precision_recall(predictions, "a")
    said = [p for p in predictions if p.answer == "a" and not p.canned]
    assert found.thresholds.tolist() == sorted({p.score for p in said}, reverse=True)
    area, before = 0.0, 0.0
    for threshold, precision, recall in zip(found.thresholds, found.precision, found.recall, strict=True):
        counting = [p for p in said if p.score >= threshold]
        right = sum(p.right for p in counting)
        assert precision == pytest.approx(right / len(counting))
        assert recall == pytest.approx(right / max(1, sum(p.label == "a" for p in predictions)))
        area, before = area + (recall - before) * precision, recall
    assert found.average_precision == pytest.approx(area)


@given(answered)
def test_calibration_error_is_that_of_its_bins(predictions: list[Prediction]) -> None:
    found = reliability(predictions)
    those = [p for p in predictions if p.answer is not None]
    error = 0.0
    for number in range(10):
        of_bin = [p for p in those if min(9, int(p.score * 10)) == number]
        error += abs(sum(p.right - p.score for p in of_bin)) / max(1, len(those))
    assert found.error == pytest.approx(error)
    assert found.count.sum() == len(those)
    assert found.right.sum() == sum(p.right for p in those)


def flags(better: int, worse: int, both: int, neither: int) -> tuple[Any, Any]:
    first = np.array([True] * better + [False] * worse + [True] * both + [False] * neither, bool)
    second = np.array([False] * better + [True] * worse + [True] * both + [False] * neither, bool)
    return first, second


def test_the_interval_of_a_difference_is_tangos() -> None:
    """Of 21 children before and after a transplantation 1, 1, 7 and 12 were pairs: -0.517 to -0.026 (Fagerland et al., 2014)."""
    found = difference(*flags(1, 7, 1, 12), np.arange(21))
    assert (found.low, found.high) == (pytest.approx(-0.517, abs=5e-4), pytest.approx(-0.026, abs=5e-4))
    assert found.sure
    same = difference(*flags(0, 0, 30, 20), np.arange(50))
    assert same.high == pytest.approx(paired.Z**2 / (50 + paired.Z**2))
    assert same.low == -same.high
    assert not same.sure


@given(st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(0, 30), st.integers(1, 9))
def test_a_difference_lies_in_its_interval_and_groups_widen_it(a: int, b: int, c: int, d: int, groups: int) -> None:
    if a + b + c + d == 0:
        with pytest.raises(ValueError, match="0 answers"):
            difference(*flags(a, b, c, d), np.arange(0))
        return
    first, second = flags(a, b, c, d)
    alone = difference(first, second, np.arange(len(first)))
    assert -1 <= alone.low <= alone.difference <= alone.high <= 1
    assert alone.difference == pytest.approx(first.mean() - second.mean())
    turned = difference(second, first, np.arange(len(first)))
    assert (turned.low, turned.high) == (pytest.approx(-alone.high), pytest.approx(-alone.low))
    grouped = difference(first, second, np.arange(len(first)) % groups)
    assert grouped.low <= alone.low + 1e-9
    assert grouped.high >= alone.high - 1e-9
    assert (grouped.effective, grouped.groups) == (min(grouped.effective, len(first)), min(groups, len(first)))
    with pytest.raises(ValueError, match="answers"):
        difference(first, second[:-1], np.arange(len(first)))


def test_charts_have_the_themes_colours_and_ids_of_their_own() -> None:
    predictions = [prediction("a", "a", 0.9), prediction("a", "b", 0.4), prediction("b", "b", 0.8)]
    curve = precision_recall(predictions, "a")
    charts = [chart_of_class(curve, 1), chart_of_class(curve, 2), chart_of_reliability(reliability(predictions))]
    assert charts[0] == chart_of_class(curve, 1)
    for chart in charts:
        colours = set(re.findall(r"#[0-9a-fA-F]{6}\b", chart))
        assert colours <= {"#000000"}  # of what is not drawn
        assert "rgb(var(--blue))" in chart
        assert "DejaVu" not in chart
        assert "NaN" not in chart
        assert "<style" not in chart
    page = html.page("charts", [html.Section("all", "All", html.figures(html.figure(chart) for chart in charts))])
    check_self_contained(page)


# The gallery


def test_each_class_gets_its_share_of_the_pictures_and_the_rest_is_listed() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (100, 140, 3), dtype=np.uint8)
    size = len(picture_of(pixels, None).jpeg)
    pictures = Pictures(2, most_bytes=int(2 * 2.5 * size))
    predictions = [replace(prediction(label, "c", 0.5), file=f"{label}/{i}.jpg") for label in "ab" for i in range(5)]
    for number, one in enumerate(predictions):
        pictures.add(number, one.label, pixels, None)
    assert list(pictures.by_photo) == [0, 1, 5, 6]
    page = Read(gallery(range(10), predictions, pictures.by_photo))
    assert len(page.pictures()) == 4
    rows = page.table("6 photos more without a picture")
    assert [row["photo"] for row in rows] == [f"{label}/{i}.jpg" for label in "ab" for i in (2, 3, 4)]
    only = Pictures(1, only=[3])
    for number in range(5):
        only.add(number, "a", pixels, None)
    assert list(only.by_photo) == [3]


def not_right(evaluation: Evaluation) -> list[Prediction]:
    return [p for p in evaluation.predictions if not p.right]


@pytest.fixture(scope="module")
def mixed(trained: Trained, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Evaluation]:
    """Photos of which some are right, some in the wrong class, one without a hand, one damaged; and their evaluation."""
    folder = tmp_path_factory.mktemp("mixed")
    images = folder / "photos"
    for label in CLASSES:
        for path in sorted((trained.dataset / label).glob("*.jpg"))[:4]:
            write(images / label / path.name, path.read_bytes())
    for path in sorted((trained.dataset / "victory").glob("*.jpg"))[4:7]:
        write(images / "thumbs_up" / f"really_{path.name}", path.read_bytes())
    save_photo(images / "victory/grey.png", np.full((90, 120, 3), 128, np.uint8))
    whole = next((trained.dataset / "victory").glob("*.jpg")).read_bytes()
    write(images / "open_palm/cut.jpg", whole[:2000])
    task = shutil.copy(trained.export.bundle, folder / "mine.task")
    return folder, gesture_maker.evaluate(task, images)


def test_exactly_the_wrong_and_missed_photos_are_shown_with_their_hands(mixed: tuple[Path, Evaluation]) -> None:
    folder, evaluation = mixed
    assert evaluation.report == folder / "mine_evaluation/photos/report/index.html"
    source = evaluation.report.read_text(encoding="utf-8")
    page = check_self_contained(source)
    wrong = not_right(evaluation)
    assert {p.file for p in wrong} >= {f"thumbs_up/really_{name}" for name in _names(folder)}
    for p in evaluation.predictions:
        assert page.words.count(p.file) == (0 if p.right else 1)
    readable = [p for p in wrong if p.reason != "the image is damaged or cut short"]
    assert len(wrong) - len(readable) == 1
    assert ">the image is damaged or cut short</div>" in source
    shown = page.pictures()
    assert len(shown) == len(readable)
    alternatives = [f"Photo of {p.label}, {p.reason or f'answered {p.answer}'}" for p in readable]
    assert sorted(alternative for alternative, _ in shown) == sorted(alternatives)
    with gesture_maker.Recognizer(folder / "mine.task") as recognizer:
        expected = []
        for p in readable:
            best = recognizer.recognize(p.path).best
            expected.append(picture_of(read_image(p.path), best.hand if best else None).jpeg)
    jpegs = [base64.b64decode(data) for data in re.findall(r"base64,([^\"]+)", source)]
    assert sorted(jpegs) == sorted(expected)
    grey = next(picture for alternative, picture in shown if alternative == "Photo of victory, no hand found")
    assert grey.size == (240, 180)
    assert np.ptp(np.asarray(grey)) <= 2  # nothing is drawn where there is no hand


def _names(folder: Path) -> list[str]:
    return [path.name.removeprefix("really_") for path in (folder / "photos/thumbs_up").glob("really_*")]


def test_the_picture_shows_the_hand_that_the_answer_came_from(trained: Trained, tmp_path: Path) -> None:
    """Two hands side by side, of `none` and of another class, in the folder of a third."""
    rows = [row for row in trained.training.run.split() if row.part == "train"]
    pair = [next(row for row in rows if row.label == label) for label in ("none", "thumbs_up")]
    pixels = np.concatenate([read_image(trained.dataset / row.file) for row in pair], axis=1)
    path = save_photo(tmp_path / "photos/victory/both.png", pixels)
    evaluation = gesture_maker.evaluate(trained.export.bundle, tmp_path / "photos", num_hands=2, out=tmp_path / "out")
    with gesture_maker.Recognizer(trained.export.bundle, num_hands=2) as recognizer:
        hands = recognizer.recognize(path).hands
    assert len(hands) == 2
    answer = evaluation.predictions[0]
    hand = next(one.hand for one in hands if one.score == answer.score)
    data = base64.b64encode(picture_of(pixels, hand).jpeg).decode()
    assert re.findall(r"base64,([^\"]+)", evaluation.report.read_text()) == [data]


# What the page says


def test_the_page_says_what_the_files_say(mixed: tuple[Path, Evaluation]) -> None:
    folder, evaluation = mixed
    page = Read(evaluation.report.read_text(encoding="utf-8"))
    metrics = json.loads((evaluation.folder / "metrics.json").read_text())
    assert metrics["interval"] == vars(evaluation.interval)
    low, high = metrics["interval"]["low"], metrics["interval"]["high"]
    assert f"{numbers.percent(metrics['accuracy'])} of {metrics['photos']} photos answered rightly" in page.text
    assert f"(95 % interval {numbers.between(low, high)})" in page.text
    for sentence in metrics["warnings"]:
        assert sentence in page.text
    assert f"{metrics['latency_milliseconds']['p50']:.1f} ms" in page.text
    for row in page.table("Recall: share"):
        expected = metrics["per_class"][row["class"]]
        mine = [p for p in evaluation.predictions if p.label == row["class"]]
        interval = accuracy_interval(np.array([p.right for p in mine]), np.arange(len(mine)))
        assert row["photos"] == str(expected["support"])
        assert row["recall"] == numbers.percent(expected["recall"])
        assert row["95 % interval"] == numbers.between(interval.low, interval.high)
        assert row["precision"] == numbers.percent(expected["precision"])
        assert row["F1"] == f"{expected['f1']:.3f}"
        assert row["no hand"] == str(sum(p.answer is None for p in mine) or "")
    answers = metrics["confusion"]["answers"]
    for row, counts in zip(page.table("Rows: the photo's class"), metrics["confusion"]["counts"], strict=True):
        assert [int(row.get(answer) or 0) for answer in answers] == counts
    assert "No groups (people or bursts) of these photos are known" in page.text
    for word in ("mediapipe", sha256_of_file(folder / "mine.task"), "--border", "--num-hands"):
        assert word in page.text


def test_how_it_was_trained(estimated: Any, tmp_path: Path, drawn: Path) -> None:
    run = shutil.copytree(estimated.run.path, tmp_path / "exported_models/first")
    gesture_maker.export(run)
    out = tmp_path / "out"
    page = check_self_contained(gesture_maker.evaluate(run, drawn, out=out).report.read_text())
    about = json.loads((run / "run.json").read_text())
    for fact in (about["embedder"], about["recipe"], about["fingerprint"], about["checksums"]["hand_detector"]):
        assert fact in page.text
    for key, value in about["settings"]["hparams"].items():
        assert value is None or f"{key} " in page.text
    assert estimated.estimate.sentences[0] in page.text
    assert {row["training"] for row in page.table("Versions")} >= set(about["versions"].values())
    curves = [attributes["aria-label"] for tag, attributes in page.elements if tag == "svg"]
    assert sum("over the epochs" in str(label) for label in curves) == 2
    groups = {row.group for row in estimated.run.split()}
    assert f"The photos are of {len(groups)} groups (people or bursts, by its manifest)" in page.text

    write(run / "history.csv", "epoch,loss\n1,what")
    (run / "metrics.json").unlink()
    (run / "split.csv").unlink()
    page = check_self_contained(gesture_maker.evaluate(run, drawn, out=out).report.read_text())
    assert about["fingerprint"] in page.text


def test_groups_widen_the_intervals(trained: Trained, cli: Cli, tmp_path: Path) -> None:
    """The photos, without their manifest: their names tell who is who."""
    for row in trained.training.run.split():
        name = f"{row.label}/{row.group}_{Path(row.file).stem}.jpg"
        write(tmp_path / "photos" / name, (trained.dataset / row.file).read_bytes())
    shutil.copy(trained.export.bundle, tmp_path / "mine.task")
    done = cli("eval", "mine.task", "photos", "--group-by", "^person[0-9]+", "--out", "by", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    metrics = json.loads((tmp_path / "by/metrics.json").read_text())
    groups = {row.group for row in trained.training.run.split()}
    assert metrics["interval"]["groups"] == len(groups)
    assert metrics["interval"]["effective"] < metrics["photos"]
    page = Read((tmp_path / "by/report/index.html").read_text())
    assert f"The photos are of {len(groups)} groups (people or bursts, by --group-by)" in page.text
    assert f"Report: {Path('by/report/index.html')}" in done.stdout
    low, high = metrics["interval"]["low"], metrics["interval"]["high"]
    assert f"95 % interval {low:.3f} to {high:.3f}" in done.stdout
    message = one_sentence_error(cli("eval", trained.run, "--group-by", "^p", cwd=tmp_path))
    assert "leave out --group-by" in message


def test_on_landmarks_the_gallery_is_a_list(trained: Trained, tmp_path: Path) -> None:
    table = tmp_path / "hands.parquet"
    shutil.copy(trained.dataset / "landmarks.parquet", table)
    write(tmp_path / "silent.task", silent_bundle())
    evaluation = gesture_maker.evaluate(tmp_path / "silent.task", table)
    assert evaluation.asked == ON_LANDMARKS
    page = check_self_contained(evaluation.report.read_text())
    assert "there are no photos to be shown" in page.text
    assert page.pictures() == []
    wrong = sorted(p.file for p in not_right(evaluation))
    assert wrong
    assert sorted(row["photo"] for row in page.table("By class")) == wrong
    assert "Not measured: GestureRecognizer was not asked." in page.text


# The comparison


def test_the_other_is_asked_the_same_way(mixed: tuple[Path, Evaluation], cli: Cli) -> None:
    folder, alone = mixed
    write(folder / "silent.task", silent_bundle())
    done = cli("eval", "mine.task", "photos", "--compare", "silent.task", "--out", "compared", cwd=folder)
    assert done.returncode == 0, done.stderr
    silent = gesture_maker.evaluate(folder / "silent.task", folder / "photos", out=folder / "silent")
    found = json.loads((folder / "compared/metrics.json").read_text())["compared_with"]
    assert found["accuracy"] == silent.metrics.accuracy
    expected = difference_of(alone.predictions, silent.predictions)
    assert {name: found[name] for name in vars(expected)} == vars(expected)
    mended = [p.file for p, q in zip(alone.predictions, silent.predictions, strict=True) if p.right and not q.right]
    broken = [p.file for p, q in zip(alone.predictions, silent.predictions, strict=True) if q.right and not p.right]
    assert (found["better"], found["worse"]) == (len(mended), len(broken))
    assert mended
    assert f"Against silent.task: {len(mended)} photos mended, {len(broken)} broken" in done.stdout
    page = check_self_contained((folder / "compared/report/index.html").read_text())
    assert f"Mended: what the other answered ({len(mended)})" in page.heads
    for file in mended:
        assert page.words.count(file) == 1
    for row in page.table("Recall by class"):
        assert row["the other's"] == numbers.percent(silent.metrics.per_class[row["class"]]["recall"])
    assert len(page.pictures()) == len(mended) + len(broken) + sum(p.answer is not None or p.reason == "no hand found"
                                                                   for p in not_right(alone))  # fmt: skip


def test_a_run_compared_with_itself_does_not_differ(workspace: Path, cli: Cli) -> None:
    done = cli("eval", "first", "--compare", "first", cwd=workspace)
    assert done.returncode == 0, done.stderr
    assert "0 photos mended, 0 broken" in done.stdout
    assert "neither is surely better" in done.stdout
    page = Read((workspace / "exported_models/first/evaluation/test/report/index.html").read_text())
    assert "Compared with first" in page.heads
    assert "by the run's split" in page.text
    shutil.copytree(workspace / "datasets/small/victory", workspace / "some/victory")
    done = cli("eval", "first", "some", "--compare", "first", cwd=workspace)
    assert "Warning, first: The run was trained on" in done.stdout


def test_bad_input_another_that_cannot_be_asked(workspace: Path, cli: Cli) -> None:
    for other, message in (("nothing", 'There is no run "nothing"'), ("bad.task", "is not a .task bundle")):
        write(workspace / "bad.task", "text")
        assert message in one_sentence_error(cli("eval", "first", "--compare", other, cwd=workspace))
    drawn_dataset(workspace / "some", ("open_palm",), 1)
    write(workspace / "silent.task", silent_bundle())
    message = one_sentence_error(cli("eval", "first", "some", "--compare", "silent.task", cwd=workspace))
    assert "silent.task knows none of the classes of these photos (open_palm)" in message
    assert not (workspace / "exported_models/first/evaluation").exists()


# Names that come from the user


class Named(Model):
    """A model of this name and of these classes, which is never asked."""

    runtime, noun, canned = GESTURE_RECOGNIZER, "bundle", "custom / canned"
    file, run, name = Path(__file__), None, ""
    labels: list[str] = []  # noqa: RUF012

    def __init__(self, name: str, labels: list[str]) -> None:
        self.name, self.labels = name, labels

    def ask(self, *_: Any) -> Any:
        raise NotImplementedError

    def about(self) -> dict[str, Any]:
        return {"classes": self.labels}

    def training_facts(self) -> dict[str, Any]:
        return {"run": self.name}

    def training(self) -> html.Html:
        return html.paragraph(self.name)


def _named(names: tuple[str, str], file: str) -> tuple[Evaluation, Asking, dict[int, Picture]]:
    """Return an evaluation whose classes, files and bundle are called so."""
    one, two = names
    predictions = (
        Prediction(Path("x"), file, one, one, 0.9, False, 0.9, 5.0, "", one),
        Prediction(Path("x"), file, one, two, 0.8, True, 0.1, 6.0, "", two),
        Prediction(Path("x"), file, two, None, 0.0, False, None, 6.0, "no hand found"),
        Prediction(Path("x"), file, two, None, 0.0, False, None, 0.0, file),
    )
    answers = [f"{p.answer} (canned)" if p.canned else p.answer for p in predictions]
    metrics = measure([p.label for p in predictions], answers, [one, two])
    evaluation = Evaluation(metrics, interval_of(predictions), predictions, 5.0, 6.0, Path(), (one, file))
    questions = Questions(one, Path(file), (), None, ())
    asking = Asking(Named(two, [one, two]), None, questions, two, "2026-01-02T03:04:05Z")
    pictures = {number: Picture(b"\xff\xd8", 4, 3) for number in range(3)}
    return evaluation, asking, pictures


@settings(max_examples=6, phases=[Phase.explicit, Phase.reuse, Phase.generate])  # a page takes half a second
@given(
    st.lists(names, min_size=2, max_size=2, unique=True),
    names.filter(lambda name: "/" not in name and "\0" not in name),
)
def test_the_whole_page_takes_names_as_text(classes: list[str], file: str) -> None:
    source = report_page(*_named((classes[0], classes[1]), file), {})
    source.encode()
    page = check_self_contained(source.replace("http:", "h:").replace("https:", "h:"))  # which a name may hold
    for name in (*classes, file):
        assert written(name) in page.text
    assert Read(report_page(*_named(("a", "b"), "c"), {})).elements[-1][0] == page.elements[-1][0]


def test_a_matrix_of_many_classes_has_numbers_in_place_of_names() -> None:
    labels = [f"class {number}" for number in range(20)]
    predictions = tuple(
        [prediction(label, label, 0.9) for label in labels for _ in range(3)]
        + [prediction("class 3", "class 7", 0.8)] * 2
        + [prediction("class 5", "Victory", 0.8, canned=True), prediction("class 5", None, 0)]
    )
    answers = [f"{p.answer} (canned)" if p.canned else p.answer for p in predictions]
    metrics = measure([p.label for p in predictions], answers, labels)
    evaluation = replace(_named(("a", "b"), "c")[0], metrics=metrics, predictions=predictions)
    page = check_self_contained(report_page(evaluation, _named(("a", "b"), "c")[1], {}, {}))
    rows = page.table("Rows: the photo's class; columns: the answer; 21: Victory (canned), 22: no hand")
    assert [row[""] for row in rows] == [f"{i + 1} {label}" for i, label in enumerate(labels)]
    assert [row[str(i + 1)] for i, row in enumerate(rows)] == ["3"] * 20
    assert (rows[3]["8"], rows[5]["21"], rows[5]["22"]) == ("2", "1", "1")
    assert sum(int(value) for row in rows for key, value in row.items() if key and value) == len(predictions)
    assert [tuple(row.values()) for row in page.table("Most confused")] == [
        ("class 3", "class 7", "2", "40.0 %"),
        ("class 5", "Victory (canned)", "1", "20.0 %"),
    ]


def test_the_same_evaluation_gives_the_same_bytes(mixed: tuple[Path, Evaluation]) -> None:
    folder, evaluation = mixed
    bundle = Bundle(folder / "mine.task", None)
    questions = Questions("photos", folder / "photos", (), None, ())
    asking = Asking(bundle, None, questions, None, "2026-01-02T03:04:05Z")
    first = report_page(evaluation, asking, {}, {})
    assert first == report_page(evaluation, asking, {}, {})
    later = report_page(evaluation, replace(asking, when="2027-11-12T13:14:15Z"), {}, {})
    assert later.replace("2027-11-12 13:14 UTC", "2026-01-02 03:04 UTC") == first
