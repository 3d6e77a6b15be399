"""Candles from databases that the administrator named."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from kronos_app.api.context import DeskOf, require_token
from kronos_app.api.schemas import ErrorBody, FetchAccepted, Repair
from kronos_app.data.sql.request import SqlRequest

router = APIRouter(tags=["sql"], dependencies=[Depends(require_token)])


class ConnectionOut(BaseModel):
    """A database that the administrator named."""

    name: str
    dialect: Literal["postgresql", "mysql", "sqlite", "duckdb"]


class Connections(BaseModel):
    """The databases there are."""

    connections: list[ConnectionOut]


class Tables(BaseModel):
    """Tables and views that may be read."""

    tables: list[str]


class QueryBody(BaseModel):
    """Candles to read from a database, from one table or by one query."""

    model_config = ConfigDict(extra="forbid")

    connection: str = Field(min_length=1, max_length=100, description="A name from /api/v1/connections.")
    table: str | None = Field(None, min_length=1, max_length=300, description="As listed for the connection.")
    query: str | None = Field(None, description="One SELECT, in the words of the database.")
    columns: dict[str, str] = Field(
        default_factory=dict,
        max_length=20,
        description="timestamp, clock, open, high, low, close, volume, amount, symbol to columns of the database; "
        "what is missing is guessed by name, an empty name leaves a column out.",
        examples=[{"timestamp": "trade_date", "volume": "vol"}],
    )
    symbol: str | None = Field(
        None, min_length=1, max_length=100, description="The instrument, where there are several."
    )
    start: datetime | None = Field(None, description="First time; without an offset as the database writes it.")
    end: datetime | None = Field(None, description="Time after the last.")
    timezone: str | None = Field(None, max_length=60, description="IANA zone of the times; instants are brought there.")
    repair: Repair | None = Field(None, description="What to do with faults; absent: refuse them.")


@router.get("/connections", summary="Name the databases there are", response_model=Connections)
def connections(desk: DeskOf) -> Connections:
    """Return the databases that the administrator named, without where they are."""
    return Connections(
        connections=[ConnectionOut.model_validate(one, from_attributes=True) for one in desk.sql.connections()]
    )


@router.get(
    "/connections/{name}/tables",
    summary="List the tables of a database",
    response_model=Tables,
    responses={404: {"model": ErrorBody}, 503: {"model": ErrorBody}},
)
def tables(desk: DeskOf, name: str) -> Tables:
    """Return the tables and views that may be read."""
    return Tables(tables=desk.sql.tables(name))


@router.post(
    "/candles/query",
    status_code=202,
    summary="Read candles from a database",
    response_model=FetchAccepted,
    responses={status: {"model": ErrorBody} for status in (404, 409, 422)},
)
def query(desk: DeskOf, request: Request, body: QueryBody) -> Response:
    """Queue the reading and name its job, whose `candles_id` is that of the candle set once it succeeded."""
    wanted = SqlRequest(body.table, body.query, body.columns, body.symbol, body.start, body.end, body.timezone)
    job = desk.jobs.get(desk.sql.submit(body.connection, wanted, repair=body.repair))
    accepted = FetchAccepted(job_id=job.id, status=job.status)
    return JSONResponse(accepted.model_dump(), 202, {"Location": request.url_for("get_job", job_id=job.id).path})
