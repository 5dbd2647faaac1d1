"""The instructions that models are given: files with a version, read once. A client's words never become part of one.

`prompts/NAME.VERSION.md` holds the text; `$name` in it is a field. Whoever changes what a prompt says makes a new file
and keeps the old one, since results that clients keep for years name it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from string import Template
from typing import Final

FOLDER: Final = Path(__file__).parents[1] / "prompts"

# Fields are numbers and short phrases of ours. Whatever looks like more than that is a client's text gone astray.
FIELD: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 -]{0,59}")

# Language, script and region of BCP 47. A tag may go on for as long as it likes, and then it is a sentence.
TAG: Final = re.compile(r"([a-z]{2,3})(-[A-Z][a-z]{3})?(-(?:[A-Z]{2}|[0-9]{3}))?(?![A-Za-z0-9])")

BY_THE_CLIENT: Final = "client"
"""What a result names as its prompt where the client's own system message took the place of ours."""


@dataclass(frozen=True)
class Prompt:
    """One version of one prompt."""

    name: str
    version: int
    text: str

    @property
    def label(self) -> str:
        """Name and version as results say them, such as describe/1."""
        return f"{self.name}/{self.version}"

    def filled(self, **fields: str | int) -> str:
        """The prompt with its fields. Raises ValueError for a value that is no short phrase, KeyError without one."""
        for name, value in fields.items():
            if not FIELD.fullmatch(str(value)):
                raise ValueError(
                    f"the field {name} of the prompt {self.label} is no short phrase of letters and digits"
                )
        return Template(self.text).substitute(fields)


@cache
def load(name: str, version: int) -> Prompt:
    """That version of that prompt. Raises FileNotFoundError."""
    text = (FOLDER / f"{name}.{version}.md").read_text(encoding="utf-8")
    return Prompt(name, version, text.strip())


def language_called(tag: str | None, *, otherwise: str) -> str:
    """How a prompt names the language of an option such as `pt-BR`; `otherwise` without one.

    Only language, script and region of the tag are taken, which are all that the option takes: variants may be words of
    any number.
    """
    found = TAG.match(tag or "")
    return f"the language with the code {found.group(0)}" if found else otherwise
