"""`connector schema`: the Avro schemas that events are written in."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated, Literal
from urllib.parse import quote

import msgspec
import typer

from connector.cli.asking import ask, registry_address, registry_credentials
from connector.cli.common import FAILED, ConfigFile, command, read_settings
from connector.codec import schemas
from connector.ops import logs
from connector.vendors.contract import Request

REGISTRY_JSON = "application/vnd.schemaregistry.v1+json"
WORDS_MAX = 500
"""What is shown of a registry's own words."""

Record = Literal["OrderEvent", "ClickstreamEvent"]

app = command()


class _Registered(msgspec.Struct):
    id: int


class _Refused(msgspec.Struct):
    message: str


@app.callback()
def schema() -> None:
    """List, show and register the Avro schemas.

    \b
    Example:
      connector schema show OrderEvent
    """


@app.command("list")
def list_() -> None:
    """Print the name and purpose of each schema.

    \b
    Example:
      connector schema list
    """
    for name in schemas.RECORDS:
        print(f"{name:<18} {schemas.schema(name)['doc']}")


@app.command()
def show(record: Annotated[Record, typer.Argument(help="Which schema.")]) -> None:
    """Print one schema, complete in itself.

    \b
    Example:
      connector schema show OrderEvent > OrderEvent.avsc
    """
    print(schemas.text(record))


@app.command()
def register(
    record: Annotated[Record, typer.Argument(help="Which schema.")],
    config: ConfigFile = None,
    topic: Annotated[str | None, typer.Option(help="The topic whose values it describes.")] = None,
    subject: Annotated[str | None, typer.Option(help="The subject; TOPIC-value when not given.")] = None,
) -> None:
    """Register a schema in the configured registry, and print its id. Doing it again changes nothing.

    \b
    Example:
      connector schema register OrderEvent --topic orders -c connector.yaml
    """
    if subject is None and topic is None:
        raise typer.BadParameter("name a topic or a subject", param_hint="--topic")
    settings = read_settings(config)
    subject = subject or f"{topic}-value"
    url = registry_address(settings, f"/subjects/{quote(subject, safe='')}/versions")
    if url is None:
        raise typer.BadParameter("source.schema_registry.url is missing", param_hint="-c")
    body = msgspec.json.encode({"schema": schemas.text(record), "schemaType": "AVRO"})
    headers = {"Content-Type": REGISTRY_JSON, "Accept": REGISTRY_JSON}
    answer = asyncio.run(ask(Request("POST", headers, body, url), registry_credentials(settings)))
    if isinstance(answer, str):
        _fail(answer)
    elif answer.status != 200:
        _fail(f"the registry answered {answer.status}: {_words(answer.body)}")
    else:
        print(f"{subject}: id {msgspec.json.decode(answer.body, type=_Registered).id}")


def _words(body: bytes) -> str:
    try:
        text = msgspec.json.decode(body, type=_Refused).message
    except msgspec.MsgspecError:
        text = body.decode("utf-8", "replace")
    return " ".join(text.split())[:WORDS_MAX]


def _fail(why: str) -> None:
    print(logs.redact(why), file=sys.stderr)
    raise typer.Exit(FAILED)
