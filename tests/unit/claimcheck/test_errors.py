"""Every error has a place in HTTP, and the tree at the top of the module is the tree."""

from __future__ import annotations

import re

import pytest

from claimcheck import errors
from claimcheck.errors import BlobMissing, ClaimcheckError, EndpointsNotReady, ItemRefused, WriteRefused


def leaves(parent: type[ClaimcheckError]) -> list[type[ClaimcheckError]]:
    below = [leaf for child in parent.__subclasses__() for leaf in leaves(child)]
    return below or [parent]


INTERNAL = (*leaves(WriteRefused), BlobMissing, ItemRefused, EndpointsNotReady)  # never leave the services
SHOWN = [leaf for leaf in leaves(ClaimcheckError) if leaf not in INTERNAL and leaf.__module__ == errors.__name__]


@pytest.mark.parametrize("leaf", SHOWN, ids=lambda leaf: leaf.__name__)
def test_every_leaf_has_a_problem_type_of_its_own(leaf: type[ClaimcheckError]) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", leaf.slug), f"{leaf.__name__} has no slug"
    assert leaf.title
    assert [other for other in SHOWN if other.slug == leaf.slug] == [leaf]


@pytest.mark.parametrize("leaf", SHOWN, ids=lambda leaf: leaf.__name__)
def test_problem_document_has_the_members_of_rfc_9457(leaf: type[ClaimcheckError]) -> None:
    problem = leaf("what, the value and the limit").problem()
    assert problem["type"] == f"urn:claimcheck:problem:{leaf.slug}"
    assert problem["detail"] == "what, the value and the limit"
    assert isinstance(problem["status"], int)


def test_tree_in_the_docstring_names_every_class_once() -> None:
    drawn = re.findall(r"[├└]── (\w+)", errors.__doc__ or "")
    defined = [name for name, thing in vars(errors).items() if isinstance(thing, type) and thing is not ClaimcheckError]
    ours = [name for name in defined if issubclass(vars(errors)[name], ClaimcheckError)]
    assert sorted(drawn) == sorted(ours)
