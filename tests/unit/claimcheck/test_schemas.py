"""The page of formats is made from the code."""

from __future__ import annotations

from pathlib import Path

from jsonschema import Draft202012Validator

from claimcheck.schemas import SCHEMAS, page

DOCS = Path(__file__).parents[3] / "docs"


def test_schema_page_is_what_the_code_says() -> None:
    assert (DOCS / "schema.md").read_text() == page(), "run: claimcheck schema > docs/schema.md"


def test_every_schema_is_a_valid_json_schema() -> None:
    for schema in SCHEMAS:
        Draft202012Validator.check_schema(schema.model.model_json_schema(mode="serialization"))
