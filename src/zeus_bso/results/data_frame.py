"""Views as a DataFrame of pandas, which is loaded when it is used."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel

from zeus_bso.exceptions import ZeusBSOConfigError
from zeus_bso.results.columns import cells, column_names, integer_columns

if TYPE_CHECKING:
    from pandas import DataFrame

_Row = TypeVar("_Row", bound=BaseModel)

_STAMP = "_at"
"""The end of the names of fields that hold a time."""


def data_frame(model: type[_Row], rows: Sequence[_Row]) -> DataFrame:
    """A table with one row per view. Times are aware, and whole numbers stay whole where some are missing.

    Args:
        model: The type of the views.
        rows: The views.

    Raises:
        ZeusBSOConfigError: pandas is not installed.
    """
    try:
        import pandas as pd
    except ModuleNotFoundError:
        raise ZeusBSOConfigError("to_dataframe() needs pandas: pip install pandas") from None
    frame = pd.DataFrame([cells(row) for row in rows], columns=column_names(model))
    whole = dict.fromkeys(integer_columns(model), "Int64")
    stamps = {name: pd.to_datetime(frame[name], utc=True, format="ISO8601") for name in frame if _is_stamp(name)}
    return frame.astype(whole).assign(**stamps)


def _is_stamp(name: str) -> bool:
    return name.endswith(_STAMP)
