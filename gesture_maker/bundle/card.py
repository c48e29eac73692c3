"""The model card: what a bundle knows, how it came about, how well it does, and how to load it."""

from __future__ import annotations

import json
import shlex
from typing import Any

from gesture_maker.dataset.names import bundle_label
from gesture_maker.training.false_alarms import FalseAlarms
from gesture_maker.training.run import Run


def model_card(
    run: Run,
    file_name: str,
    sha256: str,
    score_threshold: float,
    false_alarms: FalseAlarms | None = None,
    canned: bool = False,
) -> str:
    """Return the model card of a run's bundle as Markdown.

    `false_alarms` is why it has that score threshold; `canned` says whether it knows MediaPipe's canned gestures too.
    """
    about = run.description
    labels = [bundle_label(label) for label in run.labels]
    hparams, options = about["settings"]["hparams"], about["settings"]["model_options"]
    streamed = about.get("streamed")  # the run keeps a sample only
    photos, hands = (streamed["rows"], streamed["parts"]) if streamed else (about["photos"], about["hands"])
    google = about["embedder"] == "mediapipe"
    lines = [
        f"# {run.name}: a MediaPipe gesture recognizer",
        "",
        f"{as_code(file_name)}, SHA-256 `{sha256}`.",
        "",
        "## Gestures",
        "",
        ", ".join(as_code(label) for label in labels if label != "None")
        + ". `None` is the answer to a hand that makes none of them."
        + (
            " Where it is `None`, MediaPipe's canned gestures (`Closed_Fist`, `Open_Palm`, `Pointing_Up`, `Thumb_Down`, "
            "`Thumb_Up`, `Victory`, `ILoveYou`) are asked."
            if canned
            else ""
        ),
        f"Answers with a score below {score_threshold:g} do not count.",
        "",
        "## Measured",
        "",
        *_measured(run),
        "",
        *([f"False alarms: {false_alarms} {_ABOUT_FALSE_ALARMS}", ""] if false_alarms else []),
        "## Training",
        "",
        f"- {photos} photos, of which {sum(hands.values())} show a hand: {hands['train']} for training, "
        f"{hands['validation']} for validation, {hands['test']} for the test; split by "
        f"{'group and class' if about.get('group_by') or _has_groups(run) else 'class (no groups known)'}.",
        f"- Embedder: {'Google' if google else 'gesture-maker'}'s (`{about['embedder']}`), SHA-256 "
        f"`{about['checksums']['gesture_embedder']}`.",
        f"- Head: MediaPipe Model Maker {about['versions']['mediapipe-model-maker']}, recipe `{about['recipe']}`, seed "
        f"{about['seed']}; " + ", ".join(f"{k} {v}" for k, v in {**hparams, **options}.items() if v is not None) + ".",
        f"- Data fingerprint `{about['fingerprint']}`.",
        "",
        *use_lines(file_name),
    ]
    return "\n".join(lines)


def use_lines(file_name: str) -> list[str]:
    """Return the end of a model card: how to load the bundle, as lines of Markdown."""
    return [
        "## Use",
        "",
        'Drop the file into MediaPipe Studio (Gesture Recognizer, "Choose a model file"), or load it:',
        "",
        "```python",
        *_PYTHON.format(file=json.dumps(file_name)).splitlines(),
        "```",
        "",
        "```javascript",
        *_JAVASCRIPT.format(file=json.dumps(file_name)).splitlines(),
        "```",
        "",
        "```kotlin",
        *_KOTLIN.format(file=json.dumps(file_name).replace("$", r"\$")).splitlines(),
        "```",
        "",
        _ABOUT_REPORTING,
        "",
    ]


_PYTHON = """\
import mediapipe as mp
from mediapipe.tasks.python import BaseOptions, vision

options = vision.GestureRecognizerOptions(base_options=BaseOptions(model_asset_path={file}))
with vision.GestureRecognizer.create_from_options(options) as recognizer:
    result = recognizer.recognize(mp.Image.create_from_file("photo.jpg"))
    for hand in result.gestures:
        print(hand[0].category_name, hand[0].score)
"""

_JAVASCRIPT = """\
import {{ FilesetResolver, GestureRecognizer }} from "@mediapipe/tasks-vision";

const wasm = await FilesetResolver.forVisionTasks("node_modules/@mediapipe/tasks-vision/wasm");
const recognizer = await GestureRecognizer.createFromOptions(wasm, {{
  baseOptions: {{ modelAssetPath: {file} }},
  runningMode: "IMAGE",
}});
const image = document.querySelector("img");
await image.decode(); // it may still be loading
const result = recognizer.recognize(image);
for (const hand of result.gestures) console.log(hand[0].categoryName, hand[0].score);
"""

_KOTLIN = """\
import com.google.mediapipe.framework.image.BitmapImageBuilder
import com.google.mediapipe.tasks.core.BaseOptions
import com.google.mediapipe.tasks.vision.core.RunningMode
import com.google.mediapipe.tasks.vision.gesturerecognizer.GestureRecognizer

val options = GestureRecognizer.GestureRecognizerOptions.builder()
    .setBaseOptions(BaseOptions.builder().setModelAssetPath({file}).build())
    .setRunningMode(RunningMode.IMAGE)
    .build()
val recognizer = GestureRecognizer.createFromOptions(context, options)
val result = recognizer.recognize(BitmapImageBuilder(bitmap).build())
result.gestures().forEach {{ hand -> println("${{hand[0].categoryName()}} ${{hand[0].score()}}") }}
"""


_ABOUT_REPORTING = (
    "MediaPipe's newer packages (measured: `@mediapipe/tasks-vision` 1.1.0) report how they perform and are used to "
    "Google, though no images; their READMEs say what you owe your users for it."
)

_PARTS = {
    "test": "of the test part (held back from training)",
    "cross_validation": "by cross-validation (each asked of a head that was not trained on it)",
    "validation": "of the validation part (by which the training was adjusted: it flatters)",
}
"""What `metrics.json` may hold, the most telling first, and how the card words it."""

_ABOUT_FALSE_ALARMS = (
    "Real gestures that the model does not know are called one of its own more often the more they are like one (measured where "
    "5 to 10 % were asked for: in the median twice that, at most five times): "
    "`gesture-maker eval` on photos of such hands in a folder `none` tells."
)


def _measured(run: Run) -> list[str]:
    try:
        metrics: dict[str, Any] = json.loads((run.path / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return ["Not measured."]
    part = next((part for part in _PARTS if metrics.get(part, {}).get("photos")), None)
    estimate = [" ".join(metrics.get("estimate", {}).get("sentences", ()))]
    if part is None:
        return [" ".join(["Not measured: all photos were trained on.", *estimate]).strip()]
    measured = metrics[part]
    lines = [
        f"Head alone, on {measured['photos']} hands {_PARTS[part]}: accuracy {measured['accuracy']:.3f}. "
        f"What the whole bundle answers to photos is measured by `gesture-maker eval {shlex.quote(run.name)}"
        + ("`." if run.description["hands"]["test"] else " PHOTOS`."),
        "",
        *([*estimate, ""] if estimate[0] else []),
        "| class | precision | recall | F1 | hands |",
        "|---|---|---|---|---|",
    ]
    for label, row in measured["per_class"].items():
        numbers = f"{row['precision']:.3f} | {row['recall']:.3f} | {row['f1']:.3f} | {row['support']}"
        lines.append(f"| {as_code(bundle_label(label))} | {numbers} |")
    return lines


def as_code(text: str) -> str:
    """Return text as Markdown shows it letter by letter, also in a table."""
    fence = "``" if "`" in text else "`"
    space = " " if "`" in text else ""
    return f"{fence}{space}{text}{space}{fence}".replace("|", r"\|")


def _has_groups(run: Run) -> bool:
    return any(row.group for row in run.split())
