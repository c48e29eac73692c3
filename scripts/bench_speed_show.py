"""What `bench_speed.py` found, as Markdown tables, as lines of targets met or missed, and as pictures."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench_quality import markdown
from bench_speed_tools import Numbers, Spread

CASES = {
    "stock": "Model Maker, stock",
    "cold": "ours, cold",
    "table": "ours, with the table at hand",
    "ten": "ours, after ten more photos",
}

# The lines.
TIMES_AS_FAST = {"cold": 2.0, "table": 5.0, "ten": 4.0}
OF_THE_LIMIT, TWO_WORKERS = 0.95, 1.9
FLAT_WITHIN, TRAINING_MB = 0.10, 3000.0

_BLUE, _ORANGE, _GREY = "#2563a8", "#d9822b", "#6b7280"
DPI = 130


def spread(cases: Sequence[Numbers], key: str) -> Spread:
    """Return the spread of one number over several measurements."""
    return Spread.of([case[key] for case in cases])


def ratios(cases: Numbers, above: str, below: str, key: str) -> Spread:
    """Return the spread of the quotients of two cases, each of two measurements made one after the other."""
    pairs = zip(cases[above], cases[below], strict=True)
    return Spread.of([one[key] / other[key] for one, other in pairs])


# --------------------------------------------------------------------------------------------------------------- tables


def render(results: Numbers) -> str:
    """Return everything as Markdown."""
    tables: dict[str, tuple[str, Callable[[Numbers], str]]] = {
        "folder": ("From a folder of photos to an exported bundle", _folder),
        "landmarks": ("Landmarks per second", _landmarks),
        "images": ("`landmarks`, over the number of images", _sizes),
        "images-most": ("`landmarks`, the greatest number of images", _sizes),
        "images-equal": ("`landmarks`, equal contents: hard links to the drawn images", _sizes),
        "rows": ("`train TABLE`, over its rows", _sizes),
        "ray": ("Ray", _ray),
        "ray-fault": ("Ray, a node killed in the middle", _fault),
        "kill": ("kill -9 of a local run", _kill),
    }
    facts = ", ".join(f"{name} {value}" for name, value in results["machine"].items() if value != "")
    blocks = [f"# Speed\n\nMedians (least to greatest). {facts}."]
    if results.get("quick"):
        blocks.append("Made with --quick: these numbers show that the script works, and nothing else.")
    for name, (title, table) in tables.items():
        if found := results["steps"].get(name):
            text = f"Not measured: {found['error']}" if "error" in found else table(found)
            blocks.append(f"## {title}\n\n{text}")
    blocks.append("## Must show\n\n" + "\n".join(f"- {line}" for line in must_show(results["steps"])))
    return "\n\n".join(blocks) + "\n"


def _folder(found: Numbers) -> str:
    cases = found["cases"]
    lines = []
    for case, title in CASES.items():
        times = "" if case == "stock" else ratios(cases, "stock", case, "seconds").told(2)
        photos = cases[case][0]
        lines.append([
            title,
            spread(cases[case], "seconds").told(),
            times,
            spread(cases[case], "cpu_seconds").told(),
            f"{spread(cases[case], 'peak_mb').median:,.0f}",
            f"{photos['used']} of {photos['photos']}",
        ])  # fmt: skip
    header = ["", "seconds", "times as fast as stock", "CPU seconds", "peak memory, MB", "photos used"]
    return (
        markdown(header, lines) + "\n\nWhole processes, imports and export counted; the files were in the page cache."
    )


def _landmarks(found: Numbers) -> str:
    cases, lines = found["cases"], []
    for case in cases:
        who, _, workers = case.partition("-")
        lines.append([
            f"{'bare HandLandmarker loop' if who == 'bare' else 'ours'}, {workers} {'thread' if workers == '1' else 'threads'}",
            spread(cases[case], "per_second").told(),
            f"{spread(cases[case], 'per_second').median / int(workers):.1f}",
            "" if who == "bare" else ratios(cases, case, f"bare-{workers}", "per_second").told(3),
            "" if workers == "1" else ratios(cases, case, f"{who}-1", "per_second").told(2),
            spread(cases[case], "cpu_ms_each").told(),
            f"{cases[case][0]['looks']}",
        ])  # fmt: skip
    header = ["", "photos/s", "per thread", "of the bare loop", "of one thread", "CPU ms a photo", "inferences"]
    ours = [one for case, several in cases.items() if case.startswith("ours") for one in several]
    text = (
        f"{found['photos']} photos, counted from when every thread has finished its first to the end of the last. The bare loop "
        f"has them decoded and bordered in memory; ours goes from files to the table. Ours takes "
        f"{spread(ours, 'before_seconds').told()} s before the first photo, and {spread(ours, 'after_seconds').told()} s after the last."
    )
    return markdown(header, lines) + "\n\n" + text


def _sizes(found: Numbers) -> str:
    lines = []
    for size, cases in found["sizes"].items():
        seconds = spread(cases, "seconds")
        lines.append([
            f"{int(size):,}",
            str(len(cases)),
            seconds.told(),
            f"{int(size) / seconds.median:,.1f}",
            spread(cases, "cpu_seconds").told(),
            spread(cases, "peak_mb").told(0),
            spread(cases, "anonymous_mb").told(0),
        ])  # fmt: skip
    header = ["", "measured", "seconds", "a second", "CPU seconds", "peak memory, MB", "of it not of files"]
    return markdown(header, lines)


def _ray(found: Numbers) -> str:
    lines = []
    for case, title in found["titles"].items():
        cases = found["cases"][case]
        lines.append([
            title,
            spread(cases, "seconds").told(),
            spread(cases, "per_second").told(),
            ratios(found["cases"], case, found["against"][case], "per_second").told(2) if case in found["against"] else "",
        ])  # fmt: skip
    header = ["", f"seconds, {found['images'][1]:,} images", "images/s without the start", "of the local engine"]
    text = f"Without the start: the difference between {found['images'][1]:,} and {found['images'][0]:,} images."
    return markdown(header, lines) + "\n\n" + text


def _fault(found: Numbers) -> str:
    return (
        f"{found['images']:,} images in {found['batches']} batches on two nodes; one killed after {found['killed_after_seconds']:.1f} s, "
        f"when {found['batches_before']} batches were finished: {found['batches_twice']} batches ran twice, of which "
        f"{found['finished_twice']} had been finished. {_compared(found)}"
    )


def _kill(found: Numbers) -> str:
    lines = [
        [f"{one['after_seconds']:.1f}", f"{one['rows_kept']:,}", "finished before" if one["finished_before"] else ""]
        for one in found["kills"]
    ]
    text = (
        f"{found['images']:,} images, {found['undisturbed_seconds']:.0f} s undisturbed; the last run, to the end, took "
        f"{found['last_seconds']:.0f} s. Rows that an earlier run had kept and a later lost: {found['lost_on_the_way']}. "
        f"{_compared(found)}"
    )
    return markdown(["killed after seconds", "rows kept", ""], lines) + "\n\n" + text


def _compared(found: Numbers) -> str:
    return (
        f"Of {found['rows']:,} rows {found['lost']} were lost, {found['twice']} are there twice, {found['added']} are new, "
        f"{found['rows_that_differ']} differ; the table is {'equal' if found['equal'] else 'NOT equal'}, row for row."
    )


# -------------------------------------------------------------------------------------------------------------- verdicts


def must_show(steps: Numbers) -> list[str]:
    """Return the issue's lines with target, measured, and by how much they are missed."""
    done = {name: found for name, found in steps.items() if "error" not in found}
    lines = []

    def told(line: str, measured: float, target: float, unit: str = "", at_least: bool = True, digits: int = 2) -> None:
        short = target - measured if at_least else measured - target
        verdict = "met" if short <= 1e-9 else f"MISSED by {short:,.{digits}f}{unit}"
        word = "at least" if at_least else "at most"
        lines.append(f"{line}: {word} {target:,g}{unit}; {measured:,.{digits}f}{unit}: {verdict}")

    if "folder" in done:
        for number, case in ((1, "cold"), (2, "table"), (2, "ten")):
            measured = ratios(done["folder"]["cases"], "stock", case, "seconds").median
            told(f"{number}. {CASES[case]}, times as fast as stock", measured, TIMES_AS_FAST[case])
    if "landmarks" in done:
        cases = done["landmarks"]["cases"]
        for workers in ("1", "2"):
            measured = ratios(cases, f"ours-{workers}", f"bare-{workers}", "per_second").median
            told(f"3. of the bare loop, {workers} of each", measured, OF_THE_LIMIT, digits=3)
        told("3. two workers against one", ratios(cases, "ours-2", "ours-1", "per_second").median, TWO_WORKERS)
        lines[-1] += f" (the bare loop: {ratios(cases, 'bare-2', 'bare-1', 'per_second').median:.2f})"
    if "images" in done and "images-most" in done:
        (middle, few), (most, many) = (list(done[name]["sizes"].items())[-1] for name in ("images", "images-most"))
        growth = spread(many, "peak_mb").median / spread(few, "peak_mb").median - 1
        told(f"4. memory from {int(middle):,} to {int(most):,} images, growth", growth, FLAT_WITHIN, at_least=False)
    if "rows" in done:
        size, cases = list(done["rows"]["sizes"].items())[-1]
        told(
            f"4. memory of training from {int(size):,} rows",
            spread(cases, "peak_mb").greatest,
            TRAINING_MB,
            " MB",
            False,
            0,
        )
    if "ray-fault" in done:
        found = done["ray-fault"]
        met = found["equal"] and not found["finished_twice"]
        lines.append(f"5. Ray, a node killed: {'met' if met else 'MISSED'}. {_fault(found)}")
    if "kill" in done:
        found = done["kill"]
        killed = sum(not one["finished_before"] for one in found["kills"])
        met = found["equal"] and not (found["lost_on_the_way"] or found["lost"] or found["twice"])
        verdict = ("met" if met else "MISSED") if killed else "not shown, all runs were finished before"
        lines.append(f"6. kill -9, {killed} times: {verdict}. {_compared(found)}")
    lines += [f"{name}: not measured: {found['error']}" for name, found in steps.items() if "error" in found]
    return lines or ["nothing was measured"]


# -------------------------------------------------------------------------------------------------------------- pictures


def draw(results: Numbers, folder: Path) -> list[Path]:
    """Draw what was measured into `folder` and return the pictures."""
    steps = {name: found for name, found in results["steps"].items() if "error" not in found}
    pictures = []
    if "folder" in steps:
        pictures.append(_bars(steps["folder"], folder / "speed-folder.png"))
    own = {**steps.get("images", {}).get("sizes", {}), **steps.get("images-most", {}).get("sizes", {})}
    equal = steps.get("images-equal", {}).get("sizes", {})
    if own or equal:
        lines = {"each image its own": own, "equal contents": equal}
        pictures.append(_over_size(lines, "images", "landmarks", folder / "speed-images.png"))
    if "rows" in steps:
        lines = {"": steps["rows"]["sizes"]}
        pictures.append(_over_size(lines, "rows", "train TABLE", folder / "speed-rows.png", TRAINING_MB))
    return pictures


def _figure(width: float, height: float, columns: int = 1) -> tuple[Any, Any]:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    return pyplot.subplots(1, columns, figsize=(width, height), layout="constrained")


def _saved(figure: Any, path: Path) -> Path:
    from matplotlib import pyplot

    figure.savefig(path, dpi=DPI)
    pyplot.close(figure)
    return path


def _bars(found: Numbers, path: Path) -> Path:
    figure, axes = _figure(7.5, 2.6)
    cases = found["cases"]
    for place, case in enumerate(CASES):
        seconds = spread(cases[case], "seconds")
        errors = [[seconds.median - seconds.least], [seconds.greatest - seconds.median]]
        colour = _GREY if case == "stock" else _BLUE
        axes.barh(place, seconds.median, xerr=errors, color=colour, height=0.6, error_kw={"capsize": 3, "lw": 1})
        axes.annotate(
            f"{seconds.median:.1f} s", (seconds.greatest, place), (6, 0), textcoords="offset points", va="center"
        )
    axes.set_yticks(range(len(CASES)), CASES.values())
    axes.invert_yaxis()
    axes.set_xlim(0, max(spread(several, "seconds").greatest for several in cases.values()) * 1.15)
    axes.set_title(f"From {found['photos']} photos to an exported bundle", loc="left")
    axes.set_xlabel("seconds, whole process; bars: least to greatest")
    axes.grid(axis="x", alpha=0.25)
    axes.set_axisbelow(True)
    return _saved(figure, path)


def _over_size(lines: Numbers, unit: str, title: str, path: Path, limit: float | None = None) -> Path:
    from matplotlib.ticker import LogLocator, StrMethodFormatter

    figure, (left, right) = _figure(9, 3.4, columns=2)
    sizes = sorted({int(size) for cases in lines.values() for size in cases})
    for (name, cases), colour in zip(lines.items(), (_BLUE, _ORANGE), strict=False):
        if not cases:
            continue
        places = [int(size) for size in cases]
        for axes, key in ((left, "seconds"), (right, "peak_mb")):
            found = [spread(several, key) for several in cases.values()]
            middle = [one.median for one in found]
            errors = [
                [one.median - one.least for one in found],
                [one.greatest - one.median for one in found],
            ]
            axes.errorbar(places, middle, errors, color=colour, label=name, marker="o", ms=4, capsize=3)
    left.set_yscale("log")
    left.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    left.yaxis.set_major_formatter(StrMethodFormatter("{x:,g}"))
    left.set_title(f"{title}: seconds", loc="left")
    right.set_title("peak memory, MB", loc="left")
    right.set_ylim(0, max(right.get_ylim()[1] * 1.15, (limit or 0) * 1.1))
    if limit:
        right.axhline(limit, color=_GREY, linestyle=":")
        right.annotate(f"at most {limit:,.0f} MB", (sizes[0], limit), (0, -12), textcoords="offset points", color=_GREY)
    for axes in (left, right):
        axes.set_xscale("log")
        axes.set_xticks(sizes, [f"{size:,}" for size in sizes])
        axes.minorticks_off()
        axes.set_xlabel(unit)
        axes.grid(alpha=0.25)
    if any(lines):
        left.legend(framealpha=0.9, edgecolor="none")
    return _saved(figure, path)
