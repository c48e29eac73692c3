"""Settings that are checked when they are given: whole numbers and numbers within bounds, and no name that there is not."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any, ClassVar

from gesture_maker.errors import ConfigError


class CheckedSettings:
    """What a frozen dataclass of settings derives from. `WHOLE` and `NUMBERS`: the least and the most of each, by name; `KIND`: of what
    the settings are, for sentences; `FLAGS`: what is true or false. Subclasses call `check` when they are made."""

    KIND: ClassVar[str]
    WHOLE: ClassVar[Mapping[str, tuple[int, int]]]
    NUMBERS: ClassVar[Mapping[str, tuple[float, float]]]
    FLAGS: ClassVar[tuple[str, ...]] = ()

    def check(self) -> None:
        """Raise ConfigError for a value that cannot be; whole numbers and numbers get their type."""
        for name, (least, most) in self.WHOLE.items():
            self.set(name, whole(name, getattr(self, name), least, most))
        for name, bounds in self.NUMBERS.items():
            self.set(name, number(name, getattr(self, name), *bounds))
        for name in self.FLAGS:
            if not isinstance(getattr(self, name), bool):
                raise ConfigError(f"{name} is {getattr(self, name)!r}, but has to be true or false.")

    def set(self, name: str, value: Any) -> None:
        """Give a setting its value while the settings are made; they are frozen from there on."""
        object.__setattr__(self, name, value)

    def to_json(self) -> dict[str, Any]:
        """Return the settings as plain values."""
        values: dict[str, Any] = asdict(self)  # type: ignore[call-overload]  # those that derive from it are dataclasses
        return {name: list(value) if isinstance(value, tuple) else value for name, value in values.items()}

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Any:
        """Return the settings of `to_json`, or of some of its names. Raises ConfigError for a name that there is not."""
        known = [one.name for one in fields(cls)]  # type: ignore[arg-type]
        unknown = sorted(set(values) - set(known))
        if unknown:
            raise ConfigError(f"There is no setting {unknown[0]!r} of {cls.KIND}: use {', '.join(known)}.")
        return cls(**values)


def whole(name: str, value: Any, least: int, most: int) -> int:
    """Return a whole number within bounds. Raises ConfigError for anything else."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise ConfigError(f"{name} is {value!r}, but has to be a whole number from {least} to {most}.")
    return value


def number(name: str, value: Any, least: float, most: float) -> float:
    """Return a number within bounds. Raises ConfigError for anything else."""
    right = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not right or not least <= value <= most:
        raise ConfigError(f"{name} is {value!r}, but has to be a number from {least:g} to {most:g}.")
    return float(value)
