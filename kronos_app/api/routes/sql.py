"""Candles from the databases that the administrator named."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from kronos_app.api.accepted import accepted
from kronos_app.api.answers import QUEUED, refused
from kronos_app.api.context import DeskOf, require_token
from kronos_app.api.schemas import Repair
from kronos_app.data.sql.request import REQUEST

router = APIRouter(tags=["sql"], dependencies=[Depends(require_token)])


class ConnectionOut(BaseModel):
    """A database."""

    name: str
    dialect: Literal["postgresql", "mysql", "sqlite", "duckdb"]


class Connections(BaseModel):
    """The databases."""

    connections: list[ConnectionOut]


class Tables(BaseModel):
    """Readable tables and views."""

    tables: list[str]


class QueryBody(BaseModel):
    """Candles to read from a database, from one table or by one query."""

    model_config = ConfigDict(extra="forbid")

    connection: str = Field(min_length=1, max_length=100, description="A name from /api/v1/connections.")
    table: str | None = Field(None, min_length=1, max_length=300, description="As listed for the connection.")
    query: str | None = Field(None, description="One SELECT statement in the database's SQL dialect.")
    columns: dict[str, str] = Field(
        default_factory=dict,
        max_length=20,
        description="timestamp, clock, open, high, low, close, volume, amount, symbol to columns of the database; "
        "others are inferred by name, an empty name leaves one out.",
        examples=[{"timestamp": "trade_date", "volume": "vol"}],
    )
    symbol: str | None = Field(
        None, min_length=1, max_length=100, description="The instrument, where there are several."
    )
    start: datetime | None = Field(None, description="First time; without an offset in the time zone of the database.")
    end: datetime | None = Field(None, description="Time after the last.")
    timezone: str | None = Field(
        None, max_length=60, description="IANA zone of the times; instants are converted to it."
    )
    repair: Repair | None = Field(None, description="How to repair faults; absent: refuse them.")


@router.get("/connections", summary="List the databases", response_model=Connections)
def connections(desk: DeskOf) -> Connections:
    """Return the databases that the administrator named, without their addresses."""
    return Connections(
        connections=[ConnectionOut.model_validate(one, from_attributes=True) for one in desk.sql.connections()]
    )


@router.get(
    "/connections/{name}/tables",
    summary="List the tables of a database",
    response_model=Tables,
    responses=refused(404, 503),
)
def tables(desk: DeskOf, name: str) -> Tables:
    """Return the readable tables and views."""
    return Tables(tables=desk.sql.tables(name))


@router.post("/candles/query", summary="Read candles from a database", **QUEUED)
def query(desk: DeskOf, request: Request, body: QueryBody) -> Response:
    """Queue the reading and return its job, whose `candles_id` is the id of the candle set when it has succeeded."""
    job_id = desk.sql.submit(body.connection, REQUEST.validate_python(body.model_dump()), repair=body.repair)
    return accepted(request, desk.jobs.get(job_id))
