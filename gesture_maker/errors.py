"""The one family of errors a user can cause or mend.

Each message is a whole sentence: what happened, to which file, what to do next. The command line prints it without a
traceback and exits 1; a library user catches `GestureMakerError`. Anything else that escapes is a defect of ours.
"""

from __future__ import annotations

import errno


class GestureMakerError(Exception):
    """Base of all errors that are explained in one sentence."""


class DatasetError(GestureMakerError):
    """The folder of labelled images cannot be used as it is."""


class LabelError(DatasetError):
    """A class name that cannot be a folder or a label of the bundle."""


class SourceError(GestureMakerError):
    """Something to collect from (a folder, zip, video or camera) cannot be read."""


class UnreadableImage(GestureMakerError):
    """One image that is not used, and why. `reason` is short enough for a table cell."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}.")
        self.name, self.reason = name, reason


class AssetError(GestureMakerError):
    """A TFLite file of Google's is missing, cannot be fetched, or is not the file it should be."""


class ConfigError(GestureMakerError):
    """A setting that does not exist or has an impossible value."""


class RunError(GestureMakerError):
    """A run folder that does not exist, was never finished, or is damaged."""


class BundleError(GestureMakerError):
    """A `.task` file that is not one, is cut short, or lacks a part."""


class TrackingError(GestureMakerError):
    """MLflow is not installed, its store cannot be reached, or does not have what was asked for."""


class HubError(GestureMakerError):
    """A model cannot be shared or taken over: of the Hub, of the network, or because its files are not what they should be."""


class HubUnreachableError(HubError):
    """The Hub does not answer now; what was asked for may still be right."""


def sentence_of(error: GestureMakerError | OSError) -> str:
    """Return what to tell the user: of the system's own errors (a full or read-only disk, no permission) in its words."""
    if not isinstance(error, OSError):
        return str(error)
    place = f" ({error.filename})" if error.filename else ""
    forbidden = error.errno in (errno.EROFS, errno.EACCES, errno.EPERM)
    remedy = "change its permissions" if forbidden else "make room"
    return f"{error.strerror or error}{place}: nothing half-written was kept; {remedy} or choose another folder."


def is_out_of_room(error: OSError) -> bool:
    """Tell whether the disk, or the user's share of it, is full."""
    return error.errno in (errno.ENOSPC, errno.EDQUOT)
