"""To be written."""

from __future__ import annotations

from fastapi import APIRouter

from gesture_maker.studio.state import Studio


def routes(studio: Studio) -> APIRouter:
    """Return the routes of this part."""
    return APIRouter()
