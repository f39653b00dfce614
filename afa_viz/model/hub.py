"""The Hugging Face hub: files from it, and what goes wrong on the way, in one sentence and within seconds."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import huggingface_hub
from huggingface_hub import constants, errors

from afa_viz.model.card import CheckpointError
from afa_viz.scalars import preview

TIMEOUT = 5.0  # seconds for the first answer; a hub that is there answers in a tenth of it
HTTP_ERROR: type[Exception] = errors.HfHubHTTPError.__bases__[
    0
]  # of the client's HTTP library, which differs between its versions
ERROR_MESSAGES: dict[type[Exception], str] = {
    errors.RepositoryNotFoundError: "is not on the hub or not open to you",
    errors.RevisionNotFoundError: "is no revision on the hub",
    errors.HFValidationError: "is no name of the hub",
}
NAME = re.compile(r"[a-zA-Z0-9_](?:[\w.-]{0,94}\w)?", re.ASCII)  # of an owner, or of a repository
ADVICE = {401: "log in with `hf auth login`", 403: "ask for access", 429: "wait some minutes, or log in"}


class HubFiles:
    """Files of one repository, from the hub or its cache; once the hub is out of reach, from the cache alone.

    Args:
        repo: OWNER/NAME.
        revision: branch, tag or commit; None: the newest.
    """

    def __init__(self, repo: str, revision: str | None = None) -> None:
        self.repo, self.revision = repo, revision
        self._offline = False

    def first_existing(self, names: Sequence[str]) -> Path:
        """The first of some files that there is.

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
        """Asks once whether the file is there: a download would ask for it again and again, for half a minute."""
        if not constants.HF_HUB_OFFLINE and not self._offline:
            url = huggingface_hub.hf_hub_url(self.repo, name, revision=self.revision)
            try:
                huggingface_hub.get_hf_file_metadata(url, timeout=TIMEOUT)
            except (errors.EntryNotFoundError, errors.RepositoryNotFoundError, errors.RevisionNotFoundError):
                raise
            except errors.HfHubHTTPError:  # an answer that is none: what is in the cache is as good as it was
                with contextlib.suppress(errors.LocalEntryNotFoundError):
                    return self._cached(name)
                raise
            except (HTTP_ERROR, OSError):
                self._offline = True
        if self._offline:
            return self._cached(name)
        return Path(huggingface_hub.hf_hub_download(self.repo, name, revision=self.revision))

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
    """What goes wrong while something is sent to a repository becomes a ValueError of one sentence."""
    try:
        yield
    except errors.LocalTokenNotFoundError:
        raise ValueError("nobody is logged in to the hub; run `hf auth login` first.") from None
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
        raise ValueError(f"{repo} is no name of the hub ({error}); expected OWNER/NAME.") from error
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
