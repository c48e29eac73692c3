"""Hand to 128 numbers. Which embedder a bundle carries also decides which canned classifier fits it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gesture_maker.errors import ConfigError
from gesture_maker.files import sha256_of

EMBEDDERS = ("builtin", "mediapipe")
"""Those that `train` offers. There is "normalized" too, for other classifiers than Model Maker's head."""


@dataclass(frozen=True)
class EmbedderFiles:
    """The TFLite files that go into the bundle with an embedder: itself, and a canned classifier that understands it."""

    name: str
    embedder: bytes
    canned_gesture_classifier: bytes

    @property
    def checksums(self) -> dict[str, str]:
        """SHA-256 of both files by name."""
        return {
            "gesture_embedder": sha256_of(self.embedder),
            "canned_gesture_classifier": sha256_of(self.canned_gesture_classifier),
        }


def embedder_files(name: str, assets: Path | None = None) -> EmbedderFiles:
    """Return the files of the embedder `name`, one of `EMBEDDERS` or "normalized"; Google's are looked for in `assets` first.

    Raises ConfigError for another name, AssetError when Google's files cannot be had.
    """
    if name == "builtin":
        from gesture_maker.embedders import builtin

        return EmbedderFiles(name, builtin.tflite_bytes(), builtin.silent_canned_classifier_bytes())
    if name == "normalized":
        from gesture_maker.embedders import builtin, normalized

        return EmbedderFiles(name, normalized.tflite_bytes(), builtin.silent_canned_classifier_bytes())
    if name == "mediapipe":
        from gesture_maker.assets import asset_bytes

        return EmbedderFiles(
            name, asset_bytes("gesture_embedder", assets), asset_bytes("canned_gesture_classifier", assets)
        )
    raise ConfigError(f'There is no embedder "{name}": use {" or ".join(EMBEDDERS)}.')
