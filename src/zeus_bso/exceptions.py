"""The errors of zeus-bso, in one tree.

::

    ZeusBSOError
    ├── ZeusBSOTrainFailError          the run ended without converging; launch the script again
    ├── ZeusBSOOrderError              methods were called in the wrong order
    ├── ZeusBSODistributedError        the processes of a training have lost each other
    ├── ZeusBSOConfigError             raised before training starts; the message says what to do
    │   ├── InvalidJobSpecError        also a ValueError
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
    """Base of all errors of this package.

    Examples:
        >>> import zeus_bso
        >>> try:
        ...     zeus_bso.connect("sqlite:///no-such-file.db")
        ... except zeus_bso.ZeusBSOError as error:
        ...     print("there is no such file" in str(error))
        True
    """


class ZeusBSOTrainFailError(ZeusBSOError):
    """The run ended without converging, because its batch size was not useful.

    Launch the script again, and the server gives a better batch size.

    Examples:
        A run that has not reached its target after ``max_epochs``:

        >>> from zeus_bso import BatchSizeOptimizer, JobSpec, ZeusBSOTrainFailError
        >>> from zeus_bso.testing import InMemoryServer, ReplayMonitor
        >>> job = JobSpec(
        ...     job_id_prefix="nightly", batch_sizes=[32, 64], default_batch_size=64, target_metric=0.9, max_epochs=1
        ... )
        >>> bso = BatchSizeOptimizer(ReplayMonitor([(10.0, 500.0)] * 5), job=job, transport=InMemoryServer())
        >>> batch_size = bso.get_batch_size()
        >>> bso.on_train_begin()
        >>> try:
        ...     bso.on_evaluate(0.7)
        ... except ZeusBSOTrainFailError:
        ...     print("explored in vain: launch the script again")
        explored in vain: launch the script again
    """


class ZeusBSOOrderError(ZeusBSOError):
    """Methods were called in the wrong order, for example ``on_evaluate`` before ``on_train_begin``.

    Examples:
        >>> from zeus_bso import BatchSizeOptimizer, JobSpec
        >>> from zeus_bso.testing import InMemoryServer, ReplayMonitor
        >>> job = JobSpec(job_id_prefix="nightly", batch_sizes=[32, 64], default_batch_size=64)
        >>> bso = BatchSizeOptimizer(ReplayMonitor([]), job=job, transport=InMemoryServer())
        >>> bso.on_evaluate(0.7)
        Traceback (most recent call last):
            ...
        zeus_bso.exceptions.ZeusBSOOrderError: on_evaluate was called before on_train_begin.
    """


class ZeusBSODistributedError(ZeusBSOError):
    """The processes of a training have lost each other: one died, hangs, or ended before the others.

    Examples:
        The run counts as preempted, so that a restart goes on with it. There is nothing to catch, unless the script has
        something to tidy up:

        >>> from zeus_bso import ZeusBSODistributedError
        >>> def train_safely(train):
        ...     try:
        ...         train()
        ...     except ZeusBSODistributedError:
        ...         print("a rank was lost")
        ...         raise
        >>> train_safely(lambda: print("trained"))
        trained
    """


class ZeusBSOConfigError(ZeusBSOError):
    """The configuration is wrong. This is raised before training starts, never during it.

    Examples:
        >>> from zeus_bso import BatchSizeOptimizer, ReplayMonitor, ZeusBSOConfigError
        >>> try:
        ...     BatchSizeOptimizer(ReplayMonitor([]), "sqlite:///jobs.db")  # without a job
        ... except ZeusBSOConfigError as error:
        ...     print(type(error).__name__)
        ZeusBSOConfigError
    """


class InvalidJobSpecError(ZeusBSOConfigError, ValueError):
    """A field of a ``JobSpec`` is missing or wrong. The message names each of them."""


class ZeusBSOServerUnreachableError(ZeusBSOConfigError):
    """No server answers at the given URL, or it is not ready.

    Examples:
        >>> from zeus_bso import ZeusBSOServerUnreachableError, connect
        >>> try:
        ...     with connect("http://127.0.0.1:9") as results:
        ...         results.jobs()
        ... except ZeusBSOServerUnreachableError:
        ...     print("no server there")
        no server there
    """


class ZeusBSOSpecConflictError(ZeusBSOConfigError):
    """The job id exists with another spec. The message names each different field with both values.

    Examples:
        >>> from zeus_bso import BatchSizeOptimizer, JobSpec, ZeusBSOSpecConflictError
        >>> from zeus_bso.testing import InMemoryServer, ReplayMonitor
        >>> def launch(server, target):
        ...     job = JobSpec(
        ...         job_id="nightly", job_id_prefix="n", batch_sizes=[64], default_batch_size=64, target_metric=target
        ...     )
        ...     return BatchSizeOptimizer(ReplayMonitor([]), job=job, transport=server)
        >>> server = InMemoryServer()
        >>> bso = launch(server, 0.9)
        >>> try:
        ...     launch(server, 0.8)
        ... except ZeusBSOSpecConflictError as error:
        ...     print("target_metric" in str(error))
        True
    """


class ZeusBSORequestError(ZeusBSOConfigError):
    """The server refused the request. The message says which field is wrong.

    Examples:
        >>> from zeus_bso import ZeusBSORequestError
        >>> from zeus_bso.results.results import Results
        >>> from zeus_bso.testing import InMemoryServer
        >>> with Results(InMemoryServer()) as results:
        ...     try:
        ...         results.job("nightly")
        ...     except ZeusBSORequestError as error:
        ...         print(error)
        No job's id is or begins with 'nightly'; jobs() lists all jobs.
    """


class ZeusBSOMonitorError(ZeusBSOConfigError):
    """This machine cannot measure energy as requested. The message says how to open the sensor.

    Examples:
        >>> from zeus_bso import EnergyMonitor, ZeusBSOMonitorError
        >>> try:
        ...     EnergyMonitor(max_power=-1)
        ... except ZeusBSOMonitorError as error:
        ...     print(error)
        max_power must be a positive number of watts, not -1.
    """


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
