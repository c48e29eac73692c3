"""The file that a search leaves for `gesture-maker train --config`: the settings, and what they gain."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from gesture_maker.classifiers.tuned import Tuning
from gesture_maker.files import write_text

WIDTH = 100  # characters of a line


def write_config(tuning: Tuning) -> None:
    """Write `config.yaml`: the best trial's settings where these are better, else none, which leaves the recipe its own."""
    import yaml

    about = (
        f"Made by gesture-maker tune: {len(tuning.trials)} trials on {tuning.hands} hands, cross-validated.",
        tuning.verdict.sentence,
    )
    if not tuning.verdict.better:
        write_text(tuning.config, _comment((*about, "So nothing is set here.")))
        return
    settings = {**tuning.settings["fixed"], **tuning.trial(tuning.best).settings}
    lines = yaml.safe_dump(settings, sort_keys=False, default_flow_style=None)
    write_text(tuning.config, _comment(about) + lines)


def _comment(sentences: Sequence[str]) -> str:
    lines = [line for sentence in sentences for line in textwrap.wrap(sentence, WIDTH - 2)]
    return "".join(f"# {line}\n" for line in lines)
