"""What `train` was asked for: a YAML file and flags, the flags winning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from gesture_maker.dataset.splitting import DEFAULT_SHARES, default_shares, parse_shares
from gesture_maker.errors import ConfigError
from gesture_maker.training.recipe import SETTINGS, check_settings, make_recipe, read_config


@dataclass(frozen=True)
class TrainConfig:
    """The arguments of `train`, checked for kind; `settings` holds Model Maker's own by name."""

    name: str | None = None
    embedder: str = "builtin"
    recipe: str = "auto"
    seed: int = 0
    split: str | None = None
    test: str | None = None
    group_by: str | None = None
    estimate: bool | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def from_file_and_flags(cls, file: Path | None, flags: Mapping[str, Any]) -> TrainConfig:
        """Return the union of both; flags that are None count as not given.

        Raises ConfigError for an unknown key, a value of the wrong kind, or a file that cannot be read.
        """
        values = read_config(file) if file else {}
        own = {f.name: f for f in fields(cls) if f.name != "settings"}
        known = (*own, *SETTINGS)
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise ConfigError(f"The config file {file} has the unknown key {unknown[0]!r}: use {', '.join(known)}.")
        if isinstance(values.get("split"), list):
            values["split"] = ",".join(map(str, values["split"]))
        values |= {key: value for key, value in flags.items() if value is not None}
        chosen = {key: value for key, value in values.items() if key in own and value is not None}
        for key, value in chosen.items():
            kind, wanted = _KINDS.get(key, (str, "text"))
            if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
                raise ConfigError(f"{key} is {value!r}, but has to be {wanted}.")
        settings = {key: value for key, value in values.items() if key in SETTINGS}
        check_settings(settings)
        return cls(**chosen, settings=settings)

    def arguments(self) -> dict[str, Any]:
        """Return the keyword arguments for `gesture_maker.train`."""
        values = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "split"}
        return values | {"shares": parse_shares(self.split) if self.split is not None else None}


_KINDS: dict[str, tuple[type, str]] = {"seed": (int, "a whole number"), "estimate": (bool, "true or false")}


def chosen_settings(description: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a run was trained with, by the names of `train`'s options; `description` is that of `run.json`."""
    settings = description["settings"]
    own = {name: description.get(name) for name in ("embedder", "recipe", "seed", "estimate")}
    return {
        **own,
        "split": ",".join(map(str, description.get("split", ()))),
        "mirror": bool(settings.get("mirror")),
        "augment": bool(settings.get("variants")),
        "background": bool(settings.get("background")),
        **settings["hparams"],
        "dropout_rate": settings["model_options"]["dropout_rate"],
        "layer_widths": list(settings["model_options"]["layer_widths"]),
        "min_detection_confidence": settings["min_detection_confidence"],
    }


def usual_settings(description: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the run of `description` would have been trained with had nothing been asked for but its recipe.

    The recipe itself, the embedder and the seed are as when nothing at all is asked for. What follows from the number of hands is left
    out for a run that was trained from a stream of them. Raises ConfigError for a recipe that there is not.
    """
    hands, recipe = description["hands"], description["recipe"]
    about = {"embedder": TrainConfig.embedder, "recipe": TrainConfig.recipe, "seed": TrainConfig.seed}
    if description.get("streamed"):
        return about
    plan = make_recipe(recipe, {}, max(hands["train"], 2), list(description["labels"]))
    split = default_shares(sum(hands.values())) if recipe == "auto" else DEFAULT_SHARES
    usual = chosen_settings({"settings": plan.as_dict(), "split": split})
    del usual["estimate"]  # it follows from the hands in the test part
    return usual | about
