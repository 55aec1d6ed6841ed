"""What a destination adds: its options, its order, its address."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import jsonschema
import pytest

from connector.settings import from_mapping, reference, secret_values, typed_options
from connector.vendors import DESTINATIONS
from tests.settings.configurations import StandIn, for_stand_in, only_problem, problems


def test_options_are_checked_as_the_destinations_own(stand_in: type[StandIn]) -> None:
    """Their problems have full paths, hints and ranges like any other setting's."""
    found = {problem.path: str(problem) for problem in problems(for_stand_in(dept=1, depth=0))}
    assert "did you mean depth?" in found["destination.options.dept"]
    assert "at least 1" in found["destination.options.depth"]
    assert "is missing (Named by the vendor.)" in found["destination.options.platform"]
    assert problems(for_stand_in(platform="p")) == []
    options = typed_options("stand-in", {"platform": "p"})
    assert isinstance(options, StandIn.Options)
    assert options.depth == 3


def test_order_by_key_is_never_switched_off_where_it_is_required(stand_in: type[StandIn]) -> None:
    """A destination that only prefers it may go without, and any may be given it."""
    raw = for_stand_in(platform="p")
    for ordering in ("key", "none"):
        raw["delivery"] = {"ordering": ordering}
        assert problems(raw) == []
    stand_in.ordering = "key"
    assert problems(raw) == []
    stand_in.ordering_required = True
    assert "requires key" in only_problem(raw).what


def test_an_address_that_every_account_has_its_own_of_must_be_given(stand_in: type[StandIn]) -> None:
    """There is no default that could be right, so it is missed at the start, with all else."""
    raw = for_stand_in(platform="p")
    stand_in.url_per_account = True
    problem = only_problem(raw)
    assert (problem.path, problem.what) == ("destination.url", "is missing")
    assert "stand-in gives every account its own" in problem.hint
    raw["destination"]["url"] = "https://shop.vendor.test/log"
    assert problems(raw) == []
    raw["destination"]["url"] = "shop.vendor.test/log"
    assert "is not an address" in only_problem(raw).what
    raw["destination"] |= {"url": None, "options": {"depth": 0}}
    assert {each.path for each in problems(raw)} == {
        *("destination.url", "destination.options.depth", "destination.options.platform")
    }


def test_editors_and_the_reference_know_whose_address_must_be_given(stand_in: type[StandIn]) -> None:
    """In the JSON Schema it is required there, and only there; the page says so above the options."""
    raw = for_stand_in(platform="p")
    with_url = deepcopy(raw)
    with_url["destination"]["url"] = "https://shop.vendor.test/log"
    for per_account in (False, True):
        stand_in.url_per_account = per_account
        valid = jsonschema.Draft202012Validator(reference.json_schema()).is_valid
        assert valid(raw) is not per_account
        assert valid(with_url)
        said = "## destination.options for stand-in\n\n`destination.url` must be given"
        assert (said in reference.markdown()) is per_account
    stand_in.url_per_account = False
    stand_in.address_options = ("region",)
    valid = jsonschema.Draft202012Validator(reference.json_schema()).is_valid
    assert not valid(raw)
    assert valid(with_url)
    assert "`region` must be given, or `destination.url`" in reference.markdown()


def test_a_secret_option_may_be_a_file(stand_in: type[StandIn], tmp_path: Path) -> None:
    """As every other secret; both at once, or a file that can't be read, is named."""
    file = tmp_path / "token"
    file.write_text("from-file\n")
    options = typed_options("stand-in", {"platform": "p", "token_file": str(file)})
    assert isinstance(options, StandIn.Options)
    assert options.token is not None
    assert options.token.get_secret_value() == "from-file"
    both = only_problem(for_stand_in(platform="p", token="t", token_file=str(file)))
    assert (both.path, "beside token" in both.what) == ("destination.options.token_file", True)
    for unusable in (str(tmp_path / "none"), 7, ["a"]):
        assert "can be read" in only_problem(for_stand_in(platform="p", token_file=unusable)).what
    assert from_mapping(for_stand_in(platform="p", token_file=str(file)))
    assert "from-file" in secret_values(from_mapping(for_stand_in(platform="p", token_file=str(file))))


@pytest.mark.parametrize("name", sorted(DESTINATIONS))
def test_every_destinations_options_refuse_unknown_keys(name: str) -> None:
    """A mistyped option is an error for every vendor."""
    assert DESTINATIONS[name].Options.model_config.get("extra") == "forbid"
