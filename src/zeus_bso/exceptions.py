"""One tree of errors.

::

    ZeusBSOError
    ├── ZeusBSOTrainFailError          the run ended without converging; launch the script again
    ├── ZeusBSOOrderError              methods called out of order
    ├── ZeusBSODistributedError        the processes of a training have lost each other
    ├── ZeusBSOConfigError             raised before training starts; says what to do next
    │   ├── ZeusBSOServerUnreachableError
    │   ├── ZeusBSOSpecConflictError   the job id is taken by another spec
    │   ├── ZeusBSORequestError        the server refused what was sent
    │   └── ZeusBSOMonitorError        energy cannot be measured here
    └── ZeusBSOServerError             raised in the server; knows its HTTP status
        ├── UnauthenticatedError                       401
        ├── ForbiddenError                             403
        ├── UnknownJobError / UnknownTrialError        400 where the protocol says so, else 404
        ├── SpecConflictError                          409
        ├── JobExistsError                             409
        ├── SupersededError                            409
        ├── TooLargeError                              413
        ├── RefusedResultError                         422
        ├── InvalidExportError                         422
        ├── TooManyAttemptsError                       429
        └── DatabaseUnavailableError                   503
"""

from __future__ import annotations


class ZeusBSOError(Exception):
    """Base of all errors of this package."""


class ZeusBSOTrainFailError(ZeusBSOError):
    """The run ended without converging; the batch size was not useful.

    Launch the script again: the server will give another batch size.
    """


class ZeusBSOOrderError(ZeusBSOError):
    """A method was called out of order, for example ``on_evaluate`` before ``on_train_begin``."""


class ZeusBSODistributedError(ZeusBSOError):
    """The processes of a training have lost each other: one died, hangs, or left before the others."""


class ZeusBSOConfigError(ZeusBSOError):
    """Something is set up wrongly; raised before training starts, never during it."""


class ZeusBSOServerUnreachableError(ZeusBSOConfigError):
    """No server answers at the given URL, or it is not ready."""


class ZeusBSOSpecConflictError(ZeusBSOConfigError):
    """The job id exists with another spec; the message names each field with both values."""


class ZeusBSORequestError(ZeusBSOConfigError):
    """The server refused the request; the message says which field is wrong."""


class ZeusBSOMonitorError(ZeusBSOConfigError):
    """Energy cannot be measured on this machine as asked; the message says how to open the sensor."""


class ZeusBSOServerError(ZeusBSOError):
    """An error that the server answers with ``status_code`` and ``{"message": ...}``.

    Args:
        message: One sentence for the person who reads the answer: no SQL, no path.
        status_code: HTTP status, where it differs from the class's.
        retry_after_s: When to try again [s], where that makes sense.
    """

    status_code = 500

    def __init__(self, message: str, *, status_code: int | None = None, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_s = retry_after_s
        if status_code is not None:
            self.status_code = status_code


class UnauthenticatedError(ZeusBSOServerError):
    """The server asks for a token, and got none that it knows."""

    status_code = 401


class ForbiddenError(ZeusBSOServerError):
    """The token does not allow this; the message says what it lacks."""

    status_code = 403


class TooManyAttemptsError(ZeusBSOServerError):
    """Too many wrong tokens came from one address."""

    status_code = 429


class UnknownJobError(ZeusBSOServerError):
    """There is no such job."""

    status_code = 400


class UnknownTrialError(ZeusBSOServerError):
    """There is no such trial."""

    status_code = 400


class SpecConflictError(ZeusBSOServerError):
    """The job id exists with another spec."""

    status_code = 409


class SupersededError(ZeusBSOServerError):
    """Another process runs this trial."""

    status_code = 409


class RefusedResultError(ZeusBSOServerError):
    """The result cannot be true, for example a converged run that cost nothing."""

    status_code = 422


class JobExistsError(ZeusBSOServerError):
    """A job cannot be imported under the id of another one."""

    status_code = 409


class TooLargeError(ZeusBSOServerError):
    """What was sent is larger than the server takes."""

    status_code = 413


class InvalidExportError(ZeusBSOServerError):
    """What was sent is not a sound exported job; the message names the line."""

    status_code = 422


class DatabaseUnavailableError(ZeusBSOServerError):
    """The database did not acknowledge the transaction; the request may be sent again."""

    status_code = 503

    def __init__(self, message: str) -> None:
        super().__init__(message, retry_after_s=1)
