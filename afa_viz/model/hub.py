"""Files from the Hugging Face hub; errors become one sentence within seconds."""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import huggingface_hub
from huggingface_hub import constants, errors
from tqdm import tqdm

from afa_viz.model.card import CheckpointError
from afa_viz.scalars import preview

TIMEOUT = 5.0  # seconds for the first response; a reachable hub needs a tenth of it
HTTP_ERROR: type[Exception] = errors.HfHubHTTPError.__bases__[
    0
]  # base class of the HTTP library, which differs between versions of the client
ERROR_MESSAGES: dict[type[Exception], str] = {
    errors.RepositoryNotFoundError: "is not on the hub or not open to you",
    errors.RevisionNotFoundError: "is no revision on the hub",
    errors.HFValidationError: "is not a name on the hub",
}
NAME = re.compile(r"[a-zA-Z0-9_](?:[\w.-]{0,94}\w)?", re.ASCII)  # of an owner, or of a repository
ADVICE = {401: "log in with `hf auth login`", 403: "ask for access", 429: "wait some minutes, or log in"}


Progress = Callable[[int, int], None]


def _reporting(progress: Progress) -> type[tqdm]:
    """A progress bar that draws nothing and tells `progress` instead."""

    class Reporting(tqdm):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            kwargs.pop("name", None)  # of the client's own bars
            super().__init__(*args, **{**kwargs, "disable": False, "file": io.StringIO()})

        def update(self, n: float | None = 1) -> bool | None:
            shown = super().update(n)
            progress(int(self.n), int(self.total or 0))
            return shown

    return Reporting


class HubFiles:
    """Files of one repository, from the hub or its cache; from the cache alone once the hub is unreachable.

    Args:
        repo: OWNER/NAME.
        revision: branch, tag or commit; None: the newest.
        progress: called with the bytes that have come and all of them, while a file is fetched.
    """

    def __init__(self, repo: str, revision: str | None = None, progress: Progress | None = None) -> None:
        self.repo, self.revision, self._progress = repo, revision, progress
        self._offline = False

    def first_existing(self, names: Sequence[str]) -> Path:
        """The first of some files that exists.

        Raises: FileNotFoundError: if neither hub nor cache has one. CheckpointError: for a repository that is not
            there, or where the hub answers with an error.
        """
        fault = f"{self.repo} has no {' or '.join(names)}; expected weights there: name the file as "
        fault += f"hf://{self.repo}/file."
        for name in names:
            try:
                return self._file(name)
            except (errors.LocalEntryNotFoundError, errors.OfflineModeIsEnabled):
                fault = (
                    f"{' or '.join(names)} of {self.repo} is not in the cache and the hub cannot be reached; expected "
                    "one of the two: connect (HF_HUB_OFFLINE must not be 1) or give a local file."
                )
            except errors.EntryNotFoundError:
                continue
            except (HTTP_ERROR, OSError, ValueError) as error:
                preview = f"{self.repo}@{self.revision}" if self.revision else self.repo
                raise CheckpointError(
                    f"{preview} {_reason(error)}; expected a model of the hub in reach: {_advice(error)}."
                ) from None
        raise FileNotFoundError(fault)

    def _file(self, name: str) -> Path:
        """Requests the metadata once: a download would retry for half a minute."""
        if not constants.HF_HUB_OFFLINE and not self._offline:
            url = huggingface_hub.hf_hub_url(self.repo, name, revision=self.revision)
            try:
                huggingface_hub.get_hf_file_metadata(url, timeout=TIMEOUT)
            except (errors.EntryNotFoundError, errors.RepositoryNotFoundError, errors.RevisionNotFoundError):
                raise
            except errors.HfHubHTTPError:  # an error response: fall back to the cache
                with contextlib.suppress(errors.LocalEntryNotFoundError):
                    return self._cached(name)
                raise
            except (HTTP_ERROR, OSError):
                self._offline = True
        if self._offline:
            return self._cached(name)
        bar: dict[str, Any] = {} if self._progress is None else {"tqdm_class": _reporting(self._progress)}
        return Path(huggingface_hub.hf_hub_download(self.repo, name, revision=self.revision, **bar))

    def _cached(self, name: str) -> Path:
        return Path(huggingface_hub.hf_hub_download(self.repo, name, revision=self.revision, local_files_only=True))


def require_repository_name(name: str, example: str) -> None:
    """Raise ValueError unless it is OWNER/NAME as the hub has them, whose letters are ASCII."""
    parts = name.split("/")
    if len(parts) != 2 or not all(NAME.fullmatch(part) for part in parts) or "--" in name or ".." in name:
        raise ValueError(
            f"got the repository {preview(name)}; expected OWNER/NAME of ASCII letters, digits, '-', '_' and '.', each "
            f"up to 96 and without '--' and '..', such as {example}."
        )


@contextlib.contextmanager
def upload_errors(repo: str) -> Iterator[None]:
    """Turns errors of an upload into a ValueError with one sentence."""
    try:
        yield
    except errors.LocalTokenNotFoundError:
        raise ValueError("you are not logged in to the hub; run `hf auth login` first.") from None
    except errors.OfflineModeIsEnabled:
        raise ValueError(f"{repo} cannot be sent: HF_HUB_OFFLINE is 1; unset it first.") from None
    except errors.HfHubHTTPError as error:
        status = _status(error)
        if status is not None and status >= 500:
            raise ValueError(f"the hub answers {status} for {repo}; try again later.") from error
        reason = error.server_message or str(error).splitlines()[0]
        advice = ADVICE.get(status or 0, "check the name and that you may write there")
        raise ValueError(f"the hub refused {repo} ({reason}); {advice}.") from error
    except errors.HFValidationError as error:
        raise ValueError(f"{repo} is not a name on the hub ({error}); expected OWNER/NAME.") from error
    except ValueError as error:  # the login page of a network, in the place of the hub
        raise ValueError(
            f"the answer of the hub about {repo} cannot be read ({error}); expected JSON: check the proxy or login "
            "page of this network."
        ) from error
    except (HTTP_ERROR, ConnectionError, TimeoutError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ValueError(
            f"the hub cannot be reached ({reason}); expected a network: connect and send {repo} again."
        ) from error


def _reason(error: Exception) -> str:
    for kind, text in ERROR_MESSAGES.items():
        if isinstance(error, kind):
            return text
    status = _status(error)
    return type(error).__name__ if status is None else f"cannot be fetched: the hub answers {status}"


def _advice(error: Exception) -> str:
    status = _status(error)
    if status is not None and status >= 500:
        return "try again later, or give a local file"
    return (
        ADVICE.get(status or 0, "check the address")
        if not isinstance(error, tuple(ERROR_MESSAGES))
        else "check the address"
    )


def _status(error: Exception) -> int | None:
    return getattr(getattr(error, "response", None), "status_code", None)
