"""The parts of the studio that collect, each made once: the dataset, who looks at its photos, and the uploads."""

from __future__ import annotations

from dataclasses import dataclass

from gesture_maker.studio.collection import Collection
from gesture_maker.studio.looking import Looker
from gesture_maker.studio.state import Studio
from gesture_maker.studio.uploads import Uploads


@dataclass(frozen=True)
class Collecting:
    """What collects: `studio.part(Collecting.of)` returns the same to every router."""

    collection: Collection
    looker: Looker
    uploads: Uploads

    @classmethod
    def of(cls, studio: Studio) -> Collecting:
        """Begin to collect for a studio, until that ends."""
        collection = Collection(studio)
        looker = Looker(collection)
        studio.at_end(looker.close)
        uploads = Uploads(collection, studio.hub)
        studio.at_end(uploads.close)
        return cls(collection, looker, uploads)
