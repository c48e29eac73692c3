"""The registered models of an MLflow store: what each version is, and which of them is in staging, in production, or archived.

MLflow's stages are deprecated; aliases are what takes their place. An alias names one version of a model at most, and here a version has
one at most: `staging` is the newest pipeline that was put forward, `production` the one in use, `archived` the one that was
retired last. Each version that was retired has the tag `archived` too, since only the last can have the alias.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from gesture_maker.errors import ConfigError, TrackingError
from gesture_maker.tracking.store import Store, opened, shown

SINGLE, PIPELINE = "classifier", "pipeline"
"""What a version is: hands to classes, or a `.task`, photos to classes."""

STAGING, PRODUCTION, ARCHIVED = "staging", "production", "archived"
ALIASES = (PRODUCTION, STAGING)
"""Those that a version can be promoted to."""


@dataclass(frozen=True)
class Version:
    """A version of a registered model.

    `what`: SINGLE or PIPELINE, empty for one that others registered; `kind`: of classifier; `accuracy`: on hands held out, 0..1, None
    when not known; `created`: seconds since 1970; `run_id`: of the run it came from.
    """

    name: str
    number: int
    what: str
    kind: str
    accuracy: float | None
    aliases: tuple[str, ...]
    archived: bool
    created: float
    run_id: str
    description: str
    fingerprint: str


@dataclass(frozen=True)
class Promotion:
    """A version and its new alias; `retired`: the version that had it before, None when there was none; `already`: it had it itself."""

    version: Version
    alias: str
    retired: int | None
    already: bool


def list_versions(name: str | None = None, uri: str | None = None) -> list[Version]:
    """Return all versions of a registered model, or of all models (None), by name, the newest first.

    `uri`: of an MLflow store; None for the local one. Raises TrackingError when there is no such model or store.
    """
    with opened(uri, make=False) as store:
        names = _names(store) if name is None else [_existing(store, name)]
        return [version for one in names for version in _versions(store, one)]


def promote(name: str, number: int | None = None, to: str = PRODUCTION, uri: str | None = None) -> Promotion:
    """Give a version the alias `production` or `staging`, and retire the one that was in production.

    `number`: by default the version in staging, or for `to="staging"` the newest pipeline. The version loses what other alias it
    had. Raises TrackingError when there is no such model, version or store, ConfigError for another alias.
    """
    if to not in ALIASES:
        raise ConfigError(f'A version is promoted to {" or ".join(ALIASES)}, not to "{to}".')
    with opened(uri, make=False) as store:
        versions = _versions(store, _existing(store, name))
        chosen = _chosen(name, versions, number, to)
        holder = next((one for one in versions if to in one.aliases), None)
        already = holder is not None and holder.number == chosen.number
        client = store.client
        # The new one first: who serves `production` meanwhile finds one at every moment.
        client.set_registered_model_alias(name, to, str(chosen.number))
        _take_aliases(store, chosen, keep=to)
        retired = holder.number if holder is not None and not already and to == PRODUCTION else None
        if retired is not None:
            _retire(store, name, retired)
        if chosen.archived:
            client.delete_model_version_tag(name, str(chosen.number), ARCHIVED)
        return Promotion(_version(store, name, chosen.number), to, retired, already)


def archive(name: str, number: int, uri: str | None = None, force: bool = False) -> Version:
    """Retire a version: take its aliases away, and mark it as archived. Returns it as it is then.

    `force`: also when it is in production, which is refused otherwise. Raises TrackingError for that, and when there is no such
    model, version or store.
    """
    with opened(uri, make=False) as store:
        versions = _versions(store, _existing(store, name))
        chosen = _chosen(name, versions, number, ARCHIVED)
        if PRODUCTION in chosen.aliases and not force:
            raise TrackingError(
                f"Version {number} of {name} is in production: promote another one first, or archive it with --force."
            )
        _take_aliases(store, chosen)
        _retire(store, name, number)
        return _version(store, name, number)


def put_forward(client: Any, name: str, number: str) -> None:
    """Give a new version the alias `staging`, which the one before loses."""
    client.set_registered_model_alias(name, STAGING, number)


def registry_name(data: str) -> str:
    """Return the name of a registered model for data of a name: MLflow allows neither slashes nor colons in it."""
    return re.sub(r"[/:\\]+", "-", data).strip() or "gestures"


def _names(store: Store) -> list[str]:
    names, token = [], None
    while True:
        page = store.client.search_registered_models(max_results=1000, page_token=token)
        names += [str(one.name) for one in page]
        token = page.token
        if not token:
            return sorted(names)


def _existing(store: Store, name: str) -> str:
    names = _names(store)
    if name in names:
        return name
    there = f"use {', '.join(names)}" if names else "record a comparison or an exported training with --track first"
    raise TrackingError(f'No model "{name}" is registered in {shown(store.uri)}: {there}.')


def _versions(store: Store, name: str) -> list[Version]:
    """Return the versions of a model that there is, the newest first."""
    aliases: dict[int, list[str]] = {}
    for alias, number in store.client.get_registered_model(name).aliases.items():
        aliases.setdefault(int(number), []).append(str(alias))
    quote = '"' if "'" in name else "'"  # MLflow's filters know both, and no escapes
    found = [_of(one, aliases) for one in store.client.search_model_versions(f"name = {quote}{name}{quote}")]
    return sorted(found, key=lambda one: -one.number)


def _version(store: Store, name: str, number: int) -> Version:
    return next(one for one in _versions(store, name) if one.number == number)


def _of(one: Any, aliases: Mapping[int, list[str]]) -> Version:
    tags: Mapping[str, str] = one.tags
    number = int(one.version)
    return Version(
        str(one.name),
        number,
        tags.get("what", ""),
        tags.get("kind", ""),
        _number(tags.get("accuracy")),
        tuple(sorted(aliases.get(number, ()))),
        tags.get(ARCHIVED) == "true",
        one.creation_timestamp / 1000,
        str(one.run_id or ""),
        str(one.description or ""),
        tags.get("fingerprint", ""),
    )


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text is not None else None
    except ValueError:
        return None


def _chosen(name: str, versions: list[Version], number: int | None, to: str) -> Version:
    there = ", ".join(str(one.number) for one in reversed(versions)) or "none"
    if number is not None:
        found = next((one for one in versions if one.number == number), None)
        if found is None:
            raise TrackingError(f"{name} has no version {number}: there are {there}.")
        return found
    if to == STAGING:
        found = next((one for one in versions if one.what == PIPELINE), None)
        if found is None:
            raise TrackingError(f"{name} has no pipeline to promote: name a version, there are {there}.")
        return found
    found = next((one for one in versions if STAGING in one.aliases), None)
    if found is None:
        raise TrackingError(f"{name} has no version in staging to promote: name one, there are {there}.")
    return found


def _retire(store: Store, name: str, number: int) -> None:
    store.client.set_registered_model_alias(name, ARCHIVED, str(number))
    store.client.set_model_version_tag(name, str(number), ARCHIVED, "true")


def _take_aliases(store: Store, version: Version, keep: str = "") -> None:
    for alias in version.aliases:
        if alias != keep and alias in (*ALIASES, ARCHIVED):
            store.client.delete_registered_model_alias(version.name, alias)
