"""Runs to be shared that cost nothing to make, and the Hub that they are pushed to, for tests."""

from __future__ import annotations

import json
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from helpers import write
from hub_server import HubServer, Repository

from gesture_maker.files import sha256_of
from gesture_maker.hub.pulling import Pulled, pull
from gesture_maker.hub.pushing import Pushed, push

PEOPLE = ("Annabell", "Bartholomew")
"""Names that are on no account to leave the machine."""

LABELS = ("none", "open_palm", "victory")


def tiny_model() -> bytes:
    """Return a TFLite model of 2 kB."""
    from gesture_maker.embedders.builtin import silent_canned_classifier_bytes

    return silent_canned_classifier_bytes()


def tiny_picture(shade: int = 0) -> bytes:
    """Return a PNG of one pixel."""
    chunks = (
        (b"IHDR", struct.pack(">2I5B", 1, 1, 8, 0, 0, 0, 0)),
        (b"IDAT", zlib.compress(bytes([0, shade]))),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )


def image_run(runs: Path, name: str = "pixels", **changes: Any) -> Path:
    """Write the folder of a run whose model is tiny, with everything in it that is private, and return it."""
    folder, home = runs / name, runs.resolve()
    description = {
        "kind": "image",
        "status": "finished",
        "labels": list(LABELS),
        "background": "none",
        "dataset": str(home / "photos_of_Annabell"),
        "group_by": "^(Annabell|Bartholomew)",
        "split": {"test": ["Annabell"], "train": ["Bartholomew"]},
        "settings": {"epochs": 3, "learning_rate": 0.001, "weights_from": str(home / "weights.h5")},
        "clips": {"train": 20, "test": 8},
        "measured": {
            "test": {
                "accuracy": 0.9725,
                "photos": 120,
                "per_person": {"Annabell": 0.9, "Bartholomew": 1.0},
                "wrong": [{"file": "Annabell_000001.jpg", "answer": "victory"}],
            },
            "train": {"accuracy": 1.0, "photos": 400},
        },
        "warnings": ["Annabell_000007.jpg shows no hand."],
        "photographer": "Bartholomew",
        "model_sha256": sha256_of(tiny_model()),
        **changes,
    }
    write(folder / "image.json", json.dumps(description))
    write(folder / "model.tflite", tiny_model())
    write(folder / "labels.txt", "".join(f"{label}\n" for label in LABELS))
    write(folder / "confusion_matrix.png", tiny_picture())
    write(folder / "model.keras", b"code")
    write(folder / "split.csv", "Annabell_000001.jpg,none,Annabell,train\n")
    write(folder / "embeddings.npz", b"hands of Annabell")
    write(folder / "contact_sheet.png", tiny_picture(9))
    return folder


class Shared:
    """The Hub of a user, `anna`, and her folders: what she pushes and pulls."""

    def __init__(self, server: HubServer, place: Path) -> None:
        self.server, self.place = server, place
        self.token = server.token("anna")

    @classmethod
    def at_home(cls, server: HubServer, place: Path, monkeypatch: pytest.MonkeyPatch) -> Shared:
        """Return it with `place` as working folder, and nothing of the real user's: no login, address or cache."""
        import platformdirs
        from huggingface_hub import constants
        from huggingface_hub.utils import close_session

        for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "HF_ENDPOINT", "HF_OIDC_RESOURCE"):
            monkeypatch.delenv(name, raising=False)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "127.0.0.1,localhost")
        monkeypatch.setenv("XDG_CACHE_HOME", str(place / "cli_cache"))  # and for commands in a process of their own
        monkeypatch.setenv("HF_TOKEN_PATH", str(place / "no_login/token"))
        close_session()  # one of before would have the proxies of before
        monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(place / "no_login/token"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(platformdirs, "user_cache_dir", lambda *_, **__: str(place / "cache"))
        monkeypatch.chdir(place)
        return cls(server, place)

    def push(self, run: str | Path, repo: str = "anna/rps", **options: Any) -> Pushed:
        return push(run, repo, **{"token": self.token, "endpoint": self.server.address, **options})

    def pull(self, repo: str = "anna/rps", **options: Any) -> Pulled:
        return pull(repo, **{"token": self.token, "endpoint": self.server.address, **options})

    @property
    def repository(self) -> Repository:
        return self.server.repositories["anna/rps"]

    def manifest(self) -> dict[str, Any]:
        """The newest manifest, as it is on the Hub."""
        value: dict[str, Any] = json.loads(self.repository.files()["gesture_maker.json"])
        return value

    def replace(self, name: str, content: bytes, *, listed: bool, new_name: str | None = None) -> None:
        """Put another content in a file's place on the Hub, and where it is `listed` its checksum into the manifest too."""
        files, manifest = dict(self.repository.files()), self.manifest()
        del files[name]
        files[new_name or name] = content
        if listed:
            for file in manifest["files"]:
                if file["name"] == name:
                    file.update(name=new_name or name, size=len(content), sha256=sha256_of(content))
            files["gesture_maker.json"] = json.dumps(manifest).encode()
        self.repository.commit(files, "Changed")

    def rewrite(self, **values: Any) -> None:
        """Change values of the manifest on the Hub."""
        files = {**self.repository.files(), "gesture_maker.json": json.dumps(self.manifest() | values).encode()}
        self.repository.commit(files, "Changed")
