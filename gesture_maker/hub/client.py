"""The Hub through its own client, huggingface_hub, with every way to fail told in a sentence.

The client is set up for the time of one task and put back afterwards: its log and bars are silent, its telemetry is off, requests
have an end, and files go by plain HTTP and LFS, which every server speaks, and not by its newer protocol, for which it would need a
library of its own. A token is held by `Hub` and the client alone: it is in no text, file or error.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import logging
import os
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gesture_maker import __version__
from gesture_maker.errors import HubError, HubUnreachableError
from gesture_maker.hub.addresses import PUBLIC_ENDPOINT, checked_endpoint, host_of

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 60.0
"""Between two pieces of an answer, not for the whole; a commit of 256 MB may take the Hub some seconds."""

_TOKEN = re.compile(r"[!-~]{1,4096}")  # what fits into a header
_MOST_OF_A_TOKEN_FILE = 8192  # bytes
_MOST_TOLD = 200  # letters of what a server says


@dataclass(frozen=True)
class Hub:
    """A server that is talked to: its `endpoint`, the client, and the token, which no representation shows."""

    endpoint: str
    api: Any = field(repr=False)
    token: str | None = field(repr=False)

    @property
    def host(self) -> str:
        """The server's name for people."""
        return host_of(self.endpoint)

    @property
    def session(self) -> Any:
        """The client's HTTP session."""
        from huggingface_hub.utils import get_session

        return get_session()

    def headers(self) -> dict[str, str]:
        """Return the headers of a request for a file's bytes as they are."""
        from huggingface_hub.utils import build_hf_headers

        about = {"library_name": "gesture-maker", "library_version": __version__}
        return {**build_hf_headers(token=self.token or False, **about), "Accept-Encoding": "identity"}

    def info(self, repo: str, revision: str | None = None) -> Any:
        """Return what the Hub says of a repository at a revision: `sha`, `private`, and its files as `siblings`."""
        return self.api.model_info(repo, revision=revision, timeout=ANSWER_SECONDS)


@contextlib.contextmanager
def opened(
    endpoint: str | None = None, token: str | None = None, *, what: str, needs_token: bool = False
) -> Iterator[Hub]:
    """Yield the Hub at `endpoint` (None: that of HF_ENDPOINT, or the public one), and turn what its client raises into a HubError.

    `token`: None for the user's own, of HF_TOKEN or of the client's login. `what`: OWNER/NAME, for the sentences of errors.
    """
    _check_installed()
    os.environ["HF_HUB_DISABLE_TELEMETRY"] = "1"  # read when it is imported
    given = _checked_token(token if token is not None else _own_token())
    place = checked_endpoint(endpoint_of(endpoint), with_token=given is not None)
    if given is None and needs_token:
        raise HubError(_how_to_get_a_token(f"A push to {host_of(place)} needs a token", place))
    from huggingface_hub import HfApi

    api = HfApi(endpoint=place, token=given or False, library_name="gesture-maker", library_version=__version__)
    hub = Hub(place, api, given)
    with _set_up(), _one_sentence(hub, what):
        yield hub


def endpoint_of(endpoint: str | None) -> str:
    """Return the address of the server that is meant: the given one, that of HF_ENDPOINT, or the public one."""
    return endpoint or os.environ.get("HF_ENDPOINT") or PUBLIC_ENDPOINT


def read_token(file: Path) -> str:
    """Return the token in a file, which holds nothing else. Raises HubError when there is none."""
    try:
        with file.open("rb") as opened_file:
            content = opened_file.read(_MOST_OF_A_TOKEN_FILE + 1)
    except OSError as error:
        raise HubError(
            f"The token's file {file} cannot be read ({error.strerror}): give another --token-file."
        ) from None
    try:
        token = content.decode("ascii").strip()
    except UnicodeDecodeError:
        token = ""
    if not _TOKEN.fullmatch(token):
        raise HubError(f"{file} holds no token: it has to be a line with the token and nothing else.")
    return token


def network_errors(session: Any) -> type[Exception]:
    """Return what the client's HTTP library raises; which library that is differs between its versions."""
    found: type[Exception] = importlib.import_module(type(session).__module__.split(".")[0]).TransportError
    return found


def _check_installed() -> None:
    if importlib.util.find_spec("huggingface_hub") is None:
        raise HubError("The Hub's client is not installed: pip install 'gesture-maker[hub]'")


def _own_token() -> str | None:
    from huggingface_hub import constants, get_token

    if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN:
        return None
    try:
        token: str | None = get_token()
    except Exception:  # of those that a login on a build server can raise, some carry what was answered
        raise HubError(
            "The token of your login cannot be had: log in again with `hf auth login`, or set HF_TOKEN."
        ) from None
    return token


def _checked_token(token: str | None) -> str | None:
    """Return the token; an HTTP library's own error about what fits into no header would print it."""
    if token is None or not token.strip():
        return None
    if not _TOKEN.fullmatch(token.strip()):
        raise HubError("The token has a space, a line break or another letter that no token has: copy it again.")
    return token.strip()


def _how_to_get_a_token(begin: str, endpoint: str) -> str:
    return (
        f"{begin}: make one at {endpoint}/settings/tokens, and set HF_TOKEN, log in with `hf auth login`, or give a "
        "--token-file."
    )


@contextlib.contextmanager
def _set_up() -> Iterator[None]:
    """Have the client as it should be here, and afterwards as it was."""
    from huggingface_hub import constants
    from huggingface_hub.utils import (
        are_progress_bars_disabled,
        disable_progress_bars,
        enable_progress_bars,
        get_session,
    )

    session = get_session()
    http = importlib.import_module(type(session).__module__.split(".")[0])
    log = logging.getLogger("huggingface_hub")
    before = session.timeout, log.level, constants.HF_HUB_DISABLE_XET, constants.HF_HUB_DISABLE_TELEMETRY
    bars = not are_progress_bars_disabled()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the Hub's remarks on a model card
        disable_progress_bars()
        session.timeout = http.Timeout(ANSWER_SECONDS, connect=CONNECT_SECONDS)
        log.setLevel(logging.CRITICAL)
        constants.HF_HUB_DISABLE_XET = constants.HF_HUB_DISABLE_TELEMETRY = True
        try:
            yield
        finally:
            session.timeout, level, constants.HF_HUB_DISABLE_XET, constants.HF_HUB_DISABLE_TELEMETRY = before
            log.setLevel(level)
            if bars:
                enable_progress_bars()


@contextlib.contextmanager
def _one_sentence(hub: Hub, what: str) -> Iterator[None]:
    """Turn what the client raises into a HubError; nothing of it is chained, since it may hold the request with its token."""
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    transport = network_errors(hub.session)
    sentence = ""
    unreachable = False
    try:
        yield
    except HubError:
        raise
    except OfflineModeIsEnabled:
        sentence, unreachable = "HF_HUB_OFFLINE is set, so that no Hub is asked: unset it, and try again.", True
    except Exception as error:
        told = [one for one in _chain(error) if isinstance(one, (HfHubHTTPError, transport))]
        if told and isinstance(told[-1], HfHubHTTPError):
            sentence, unreachable = _of_answer(told[-1], hub, what)
        elif told:
            sentence, unreachable = _of_connection(told[-1], hub), True
        elif isinstance(error, (ValueError, KeyError, TypeError, AttributeError)) and _is_of_client(error):
            sentence = f"{hub.host} does not answer as a Hub does: check its address."
        else:
            raise
    if sentence:
        raise (HubUnreachableError if unreachable else HubError)(without(hub.token, sentence))


def without(token: str | None, text: str) -> str:
    """Return a text without the token, should a server have said it back."""
    return text.replace(token, "…") if token else text


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _is_of_client(error: BaseException) -> bool:
    """Tell whether it was raised in the client: what it makes of an answer in another form."""
    trace = error.__traceback__
    files = []
    while trace is not None:
        files.append(trace.tb_frame.f_globals.get("__name__", ""))
        trace = trace.tb_next
    return any(name.startswith("huggingface_hub") for name in files)


def _of_answer(error: Any, hub: Hub, what: str) -> tuple[str, bool]:
    """Return the sentence for an answer that is an error, and whether it may pass."""
    from huggingface_hub.errors import GatedRepoError, RemoteEntryNotFoundError, RevisionNotFoundError

    status = error.response.status_code
    if isinstance(error, RevisionNotFoundError):
        return f"{what} on {hub.host} has no such revision: its page lists its branches, tags and commits.", False
    if isinstance(error, RemoteEntryNotFoundError):
        return (
            f"{what} on {hub.host} was not pushed by gesture-maker: it lacks a file that every model of it has.",
            False,
        )
    if isinstance(error, GatedRepoError):
        return f"{what} is given to those who ask for it: do so on its page, {hub.endpoint}/{what}.", False
    if status == 401 and hub.token is not None and error.response.headers.get("X-Error-Code") != "RepoNotFound":
        return _how_to_get_a_token(f"{hub.host} does not accept the token", hub.endpoint), False
    if status in (401, 404):
        who = "or your token may not read it" if hub.token else "or it is private and needs a token"
        return f"There is no repository {what} on {hub.host}, {who}: check the name, set HF_TOKEN or log in.", False
    if status == 403:
        return f"{hub.host} does not allow this token to write to {what}: give one with write access to it.", False
    if status == 429:
        return f"{hub.host} was asked too often: wait some minutes, and try again.", True
    if status >= 500:
        return f"{hub.host} answers with the error {status}: try again later.", True
    return f"{hub.host} refuses this ({status}{_told(error)}): check the name and the revision.", False


def _of_connection(error: BaseException, hub: Hub) -> str:
    name = type(error).__name__
    if name in ("ConnectError", "ConnectTimeout", "UnsupportedProtocol", "ProxyError"):
        return f"{hub.host} cannot be reached: check the connection, or the address (--endpoint)."
    if "Timeout" in name:
        return f"{hub.host} has not answered for {ANSWER_SECONDS:.0f} seconds: try again later."
    return f"The connection to {hub.host} broke off: run the same command again, it goes on where it was."


def _told(error: Any) -> str:
    """Return what the server says, in one line of letters that a terminal may show."""
    text = " ".join(str(getattr(error, "server_message", None) or "").split())
    text = "".join(letter for letter in text if letter.isprintable())[:_MOST_TOLD].rstrip(".")
    return f": {text}" if text else ""
