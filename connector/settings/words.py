"""Words for what pydantic finds wrong. Decides only."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from connector.settings.nested import Path_
from connector.settings.problem import NO_SECTION, Problem, did_you_mean, number


def translated(error: ValidationError, model: type[BaseModel], prefix: Path_ = ()) -> Iterator[Problem]:
    """A problem for each thing that is wrong, its path below `prefix`."""
    for detail in error.errors(include_url=False, include_input=False):
        what, hint = _words(detail, model)
        yield Problem(".".join(map(str, (*prefix, *detail["loc"]))) or "(file)", what, hint)


def _words(detail: ErrorDetails, model: type[BaseModel]) -> tuple[str, str]:
    context = detail.get("ctx", {})
    match detail["type"]:
        case "setting":
            return context["what"], context["hint"]
        case "missing":
            return "is missing", _purpose(detail["loc"], model)
        case "extra_forbidden":
            owner = _model_at(model, detail["loc"][:-1])
            known = owner.model_fields if owner is not None else ()
            return "is not a setting", did_you_mean(str(detail["loc"][-1]), known)
        case "literal_error":
            expected = str(context["expected"])
            return (
                f"must be {expected}",
                "in quotes: YAML reads a bare off as false" if "'off'" in expected else "",
            )
        case "string_type":
            return "must be text", "put it in quotes"
        case "int_type" | "int_parsing" | "int_from_float":
            return "must be a whole number", _purpose(detail["loc"], model)
        case "float_type" | "float_parsing" | "finite_number":
            return "must be a number", _purpose(detail["loc"], model)
        case "bool_type" | "bool_parsing":
            return "must be true or false", ""
        case "dict_type" | "model_type" | "model_attributes_type":
            return NO_SECTION, ""
        case "list_type" | "tuple_type":
            return "must be a list", 'for example ["a", "b"]'
        case "greater_than":
            return f"must be above {number(context['gt'])}", _purpose(detail["loc"], model)
        case "greater_than_equal":
            return f"must be at least {number(context['ge'])}", _purpose(detail["loc"], model)
        case "less_than_equal":
            return f"must be at most {number(context['le'])}", _purpose(detail["loc"], model)
        case "too_short" | "string_too_short":
            return "must not be empty", ""
        case "value_error":
            return str(context["error"]), ""
    return detail["msg"], ""


def _purpose(location: Path_, model: type[BaseModel]) -> str:
    owner = _model_at(model, location[:-1])
    field = owner.model_fields.get(str(location[-1])) if owner is not None else None
    if field is None:
        return ""
    extra = field.json_schema_extra
    unit = f"in {extra['unit']}: " if isinstance(extra, dict) and "unit" in extra else ""
    first_sentence, *_ = re.split(r"(?<=\.)\s", field.description or "", maxsplit=1)
    return unit + first_sentence


def _model_at(model: type[BaseModel], location: Path_) -> type[BaseModel] | None:
    for step in location:
        field: FieldInfo | None = model.model_fields.get(str(step))
        if (
            field is None
            or not isinstance(field.annotation, type)
            or not issubclass(field.annotation, BaseModel)
        ):
            return None
        model = field.annotation
    return model
