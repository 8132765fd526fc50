"""The paths of the wire protocol, and what every request and answer keeps to.

Paths, field names and status codes of the first five calls are fixed, so that scripts written for the Zeus client work
against this server unmodified. Our own calls are under ``/api/v1/``.
"""

from __future__ import annotations

REGISTER_JOB_URL = "/jobs"
DELETE_JOB_URL = "/jobs"
GET_NEXT_BATCH_SIZE_URL = "/jobs/batch_size"
REPORT_RESULT_URL = "/report"
REPORT_END_URL = "/trials"

API_PREFIX = "/api/v1"
ASK_URL = f"{API_PREFIX}/trials"
TRIALS_URL = f"{API_PREFIX}/trials"
REPORTS_URL = f"{API_PREFIX}/trials/reports"
HEARTBEAT_URL = f"{API_PREFIX}/trials/heartbeat"
OBSERVATIONS_URL = f"{API_PREFIX}/observations"
JOBS_URL = f"{API_PREFIX}/jobs"
JOB_URL = f"{API_PREFIX}/job"
RESET_URL = f"{API_PREFIX}/jobs/reset"
EXPORT_URL = f"{API_PREFIX}/jobs/export"
IMPORT_URL = f"{API_PREFIX}/jobs/import"
SAVINGS_URL = f"{API_PREFIX}/savings"
SAVINGS_HISTORY_URL = f"{API_PREFIX}/savings/history"
FLEET_SAVINGS_URL = f"{API_PREFIX}/savings/fleet"

MARK_HEADER = "Zeus-BSO"
"""Every answer of a server carries it, so that the words of a proxy are not taken for the server's."""

MAX_BODY_BYTES = 2**20
"""Size of the largest request body [bytes]. A larger one is answered 413."""
