"""The errors of zeus-bso, in one tree.

::

    ZeusBSOError
    ├── ZeusBSOTrainFailError          the run ended without converging; launch the script again
    ├── ZeusBSOOrderError              methods were called in the wrong order
    ├── ZeusBSODistributedError        the processes of a training have lost each other
    ├── ZeusBSOConfigError             raised before training starts; the message says what to do
    │   ├── ZeusBSOServerUnreachableError
    │   ├── ZeusBSOSpecConflictError   the job id is taken by another spec
    │   ├── ZeusBSORequestError        the server refused the request
    │   └── ZeusBSOMonitorError        energy cannot be measured here
    └── ZeusBSOServerError             raised in the server; has an HTTP status
        ├── UnauthenticatedError                       401
        ├── ForbiddenError                             403
        ├── UnknownJobError / UnknownTrialError        400 where the protocol says so, else 404
        ├── SpecConflictError                          409
        ├── JobExistsError                             409
        ├── SupersededError                            409
        ├── TooLargeError                              413
        ├── RefusedResultError                         422
        ├── RefusedRunsError                           422
        ├── InvalidExportError                         422
        ├── TooManyAttemptsError                       429
        └── DatabaseUnavailableError                   503
"""

from __future__ import annotations


class ZeusBSOError(Exception):
    """Base of all errors of this package."""


class ZeusBSOTrainFailError(ZeusBSOError):
    """The run ended without converging, because its batch size was not useful.

    Launch the script again, and the server gives a better batch size.
    """


class ZeusBSOOrderError(ZeusBSOError):
    """Methods were called in the wrong order, for example ``on_evaluate`` before ``on_train_begin``."""


class ZeusBSODistributedError(ZeusBSOError):
    """The processes of a training have lost each other: one died, hangs, or ended before the others."""


class ZeusBSOConfigError(ZeusBSOError):
    """The configuration is wrong. This is raised before training starts, never during it."""


class ZeusBSOServerUnreachableError(ZeusBSOConfigError):
    """No server answers at the given URL, or it is not ready."""


class ZeusBSOSpecConflictError(ZeusBSOConfigError):
    """The job id exists with another spec. The message names each different field with both values."""


class ZeusBSORequestError(ZeusBSOConfigError):
    """The server refused the request. The message says which field is wrong."""


class ZeusBSOMonitorError(ZeusBSOConfigError):
    """This machine cannot measure energy as requested. The message says how to open the sensor."""


class ZeusBSOServerError(ZeusBSOError):
    """An error that the server answers with ``status_code`` and ``{"message": ...}``.

    Args:
        message: One sentence for the person who reads the answer, without SQL or paths.
        status_code: HTTP status, if it differs from the status of the class.
        retry_after_s: Seconds after which the client may try again, if that makes sense.
    """

    status_code = 500

    def __init__(self, message: str, *, status_code: int | None = None, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_s = retry_after_s
        if status_code is not None:
            self.status_code = status_code


class UnauthenticatedError(ZeusBSOServerError):
    """The server requires a token, and the request has none that the server knows."""

    status_code = 401


class ForbiddenError(ZeusBSOServerError):
    """The token does not allow this request. The message says what is missing."""

    status_code = 403


class TooManyAttemptsError(ZeusBSOServerError):
    """One address has sent too many wrong tokens."""

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


class RefusedRunsError(ZeusBSOServerError):
    """Past runs cannot be of this job, or say nothing. The message names them."""

    status_code = 422


class JobExistsError(ZeusBSOServerError):
    """A job of this id exists, so the import is refused."""

    status_code = 409


class TooLargeError(ZeusBSOServerError):
    """The request body is larger than the server allows."""

    status_code = 413


class InvalidExportError(ZeusBSOServerError):
    """The file is not a valid exported job. The message names the line."""

    status_code = 422


class DatabaseUnavailableError(ZeusBSOServerError):
    """The database did not acknowledge the transaction. The client may send the request again."""

    status_code = 503

    def __init__(self, message: str) -> None:
        super().__init__(message, retry_after_s=1)
