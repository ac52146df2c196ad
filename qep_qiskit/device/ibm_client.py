"""Safe use of IBM's client, and classification of its errors.

The client by default repeats submissions and waits for answers without a limit; both are disabled here. The cause of an
error is at the end of a chain of exceptions, some of them hidden.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from functools import partial
from typing import Any

from qiskit_ibm_runtime.exceptions import IBMError, IBMNotAuthorizedError
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError, MaxRetryError
from urllib3.util import Retry

from qep_qiskit.core.amounts import amount
from qep_qiskit.device.service import LostError

_LOG = logging.getLogger(__name__)
_CONNECT_AND_READ_SECONDS = (10.0, 60.0)
_RETRY_STATUS = (413, 429, 500, 502, 503, 504)
_JOBS_A_PAGE = 200  # the largest page of the service
_MOST_PAGES = 25


def chain(error: BaseException) -> Iterator[BaseException]:
    """An error and its causes, also those that the client hides."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        yield error
        seen.add(id(error))
        error = error.__cause__ or error.__context__  # type: ignore[assignment]


def status_of(error: BaseException) -> int | None:
    """HTTP status at the end of an error's chain of causes, or None."""
    for found in chain(error):
        if isinstance(found, IBMNotAuthorizedError):
            return 401
        for status in (
            getattr(found, "status_code", None),
            getattr(getattr(found, "response", None), "status_code", 0),
        ):
            if isinstance(status, int) and status > 0:
                return status
    return None


def answer_in(error: BaseException) -> str:
    """Message of the service in an error, or an empty string."""
    for found in chain(error):
        try:
            said = found.response.json()["errors"][0]  # type: ignore[attr-defined]
            return " ".join(f"code {said['code']}: {said['message']} {said.get('solution') or ''}".split())
        except Exception:
            continue
    return ""


def is_about_the_way(error: BaseException) -> bool:
    """Whether an error comes from the service or the network, and not from the content of a result."""
    kinds = (OSError, HTTPError, IBMError)
    return status_of(error) is not None or any(isinstance(found, kinds) for found in chain(error))


def retry_after(error: BaseException) -> float | None:
    """Delay in seconds that the service asks for before the next call, or None."""
    for found in chain(error):
        headers = getattr(getattr(found, "response", None), "headers", None) or {}
        try:
            return float(headers["Retry-After"])
        except (KeyError, ValueError):
            continue
    return None


class _NeverPost(Retry):
    """A retry rule for harmless requests only. A POST may have been accepted, and is never repeated here."""

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: Any = None,
        error: Exception | None = None,
        _pool: Any = None,
        _stacktrace: Any = None,
    ) -> _NeverPost:
        if method is not None and method.upper() == "POST":
            if error is not None:
                raise error
            raise MaxRetryError(_pool, url or "", None)
        return super().increment(method, url, response, error, _pool, _stacktrace)


def disable_retries(service: Any) -> None:
    """Disable repeated POSTs and unlimited reads of the client.

    The connections are private attributes of the client, so a failure is only logged.
    """
    try:
        for client in service._api_clients.values():
            session = client._session
            if getattr(session, "_qep_tamed", False):
                continue
            retry = _NeverPost(total=3, connect=3, backoff_factor=0.5, status_forcelist=_RETRY_STATUS)
            for scheme in ("https://", "http://"):
                session.mount(scheme, HTTPAdapter(max_retries=retry))
            session.request = partial(session.request, timeout=_CONNECT_AND_READ_SECONDS)
            session._qep_tamed = True
    except AttributeError as error:
        _LOG.warning("qiskit-ibm-runtime differs from the expected version (%s); its own retries stay on", error)


def use_instance(service: Any, instance: str) -> None:
    """Let the client ask the instance that pays. By itself it goes on with another one after a job it did not find."""
    try:
        service._active_api_client = service._api_clients[instance]
    except (AttributeError, KeyError) as error:
        _LOG.info("the instance of the client cannot be set (%s)", error)


def raw_result_of(service: Any, job_id: str) -> str:
    """Return the text that the service answers for the result of a job."""
    return str(service._active_api_client.job_results(job_id))  # private, and the only way around the decoder


def jobs_tagged(service: Any, tag: str) -> dict[str, tuple[str, ...]]:
    """Return all jobs with a tag, oldest first: their ids, with all tags of each.

    A listing may ignore the tag filter, repeat rows, change their order, or state a wrong number of rows. So the tags
    of each job are compared, and a listing ends with the first page without a new job. The client's own listing
    continues until the stated number of rows, so its pages are read one by one.

    Raises:
        LostError: The listing does not end, and no job with the tag is among its rows.
    """
    found: dict[str, dict[str, Any]] = {}
    seen: set[str] = set()
    for page in range(_MOST_PAGES):
        rows = _page(service, tag, skip=page * _JOBS_A_PAGE)
        new = {row["id"]: row for row in rows if row["id"] not in seen}
        seen |= new.keys()
        found |= {name: row for name, row in new.items() if tag in (row.get("tags") or ())}
        if not new or len(rows) < _JOBS_A_PAGE:
            break
    else:
        if not found:
            raise LostError(f"the listing of jobs does not end after {amount(len(seen), 'job')}")
    ordered = sorted(found, key=lambda name: (str(found[name].get("created") or ""), name))
    return {name: tuple(found[name]["tags"]) for name in ordered}


def _page(service: Any, tag: str, *, skip: int) -> list[dict[str, Any]]:
    """One page of the listing, newest first."""
    client = service._active_api_client  # private, and the only way to read a single page
    answer = client.jobs_get(limit=_JOBS_A_PAGE, skip=skip, job_tags=[tag], descending=True)
    return [dict(row, id=str(row["id"])) for row in answer["jobs"]]
