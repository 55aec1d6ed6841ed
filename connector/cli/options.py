"""`--destination` and `--option KEY=VALUE`: a destination and its options, for commands that need no file."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import typer
import yaml
from pydantic import BaseModel, SecretStr

from connector.settings import typed_options
from connector.settings.problem import did_you_mean
from connector.vendors import DESTINATIONS, UNUSABLE
from connector.vendors.contract import Destination

DestinationName = Annotated[
    str, typer.Option("--destination", metavar="NAME", help="One of `connector destinations`.")
]
OptionPairs = Annotated[
    list[str] | None,
    typer.Option(
        "--option",
        metavar="KEY=VALUE",
        help="One of the destination's options; may be repeated. Lists and maps are written as YAML or JSON.",
    ),
]


def destination_named(name: str) -> type[Destination]:
    """The destination of this name; bad usage if there is none."""
    if name in UNUSABLE:
        raise typer.BadParameter(f"can't be used: {UNUSABLE[name]}", param_hint="--destination")
    if name not in DESTINATIONS:
        raise typer.BadParameter(
            f"no such destination; {did_you_mean(name, DESTINATIONS)}", param_hint="--destination"
        )
    return DESTINATIONS[name]


def options_of(destination: type[Destination], *layers: dict[str, Any]) -> BaseModel:
    """Its typed options, later layers winning. Raises `ConfigurationError`, one problem an option."""
    given: dict[str, Any] = {}
    for layer in layers:
        given |= layer
    return typed_options(destination.name, given)


def read_pairs(destination: type[Destination], pairs: list[str] | None) -> dict[str, Any]:
    """What `--option` gave. A value is YAML, but for options that hold text: those are taken as written."""
    given: dict[str, Any] = {}
    for pair in pairs or ():
        name, equals, text = pair.partition("=")
        if not equals or not name:
            raise typer.BadParameter(f"{pair!r} is not KEY=VALUE", param_hint="--option")
        field = destination.Options.model_fields.get(name)
        given[name] = text if field is not None and _is_text(field.annotation) else _from_yaml(name, text)
    return given


def _from_yaml(name: str, text: str) -> Any:
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        raise typer.BadParameter(f"{name}: not a value in YAML or JSON", param_hint="--option") from None


def _is_text(annotation: Any) -> bool:
    """True for text, a secret, and a choice of words: `off` and `123` are meant as written there."""
    origin = get_origin(annotation)
    if origin in (Union, UnionType):
        return all(each is NoneType or _is_text(each) for each in get_args(annotation))
    if origin is Literal:
        return all(isinstance(word, str) for word in get_args(annotation))
    return annotation in (str, SecretStr)
