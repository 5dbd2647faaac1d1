"""The search is not blind: without any one rule it finds a way to break a property, and tells it step by step."""

from __future__ import annotations

from dataclasses import replace

import pytest

from claimcheck.writes import Write
from tests.protocol.decisions import WRITES, Decisions, MakeWrite
from tests.protocol.rules import RULES, Rule
from tests.protocol.scenarios import SCENARIOS
from tests.protocol.search import search

# Every writer of the job item -> where it shows if it writes whatever the record says, and what breaks.
UNCONDITIONAL = {
    "take": ("A one stage", "S1"),
    "take_unread": ("A one stage", "S1"),
    "heartbeat": ("A one stage", "W"),
    "retry": ("E one key twice, and a retry", "S4"),
    "hand_back": ("F drain", "S4"),
    "advance": ("B parts", "S4"),
    "join": ("C cancel in parts", "S1"),
    "count_part": ("C cancel in parts", "S1"),
    "beat": ("C cancel in parts", "S1"),
    "succeed": ("A one stage", "S1"),
    "fail": ("E one key twice, and a retry", "S1"),
    "fail_as_read": ("K dead letters", "S1"),
    "rescue": ("H two rescuers", "L3"),
    "exceed_deadline": ("M deadline", "S1"),
    "cancel": ("C cancel", "S1"),
    "touch": ("A one stage", "S1"),
    "touch_as_read": ("A one stage", "S1"),
    "postpone": ("M deadline in parts", "S1"),
}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_without_a_rule_a_property_breaks(rule: Rule) -> None:
    found = search(rule.witness(), rule.decisions, frozenset({rule.name}))
    assert found.violation is not None, f"nothing breaks without {rule.name}: {rule.says}"
    assert found.violation.startswith(rule.breaks), found
    assert found.trace[0] == "client 0: stores its upload"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_with_the_rule_the_same_search_finds_nothing(rule: Rule) -> None:
    found = search(rule.witness())
    assert found.violation is None, found
    assert found.complete


@pytest.mark.parametrize("name", UNCONDITIONAL)
def test_write_without_its_condition_breaks_a_property(name: str) -> None:
    where, breaks = UNCONDITIONAL[name]
    scenario = next(scenario for scenario in SCENARIOS if scenario.name == where)
    found = search(scenario, Decisions(writes={**WRITES, name: _unconditional(WRITES[name])}))
    assert found.violation is not None, f"nothing breaks if {name} is written whatever the record says"
    assert found.violation.startswith(breaks), found


def test_every_write_is_searched_without_its_condition() -> None:
    assert UNCONDITIONAL.keys() == WRITES.keys()


def _unconditional(make: MakeWrite) -> MakeWrite:
    def made(*arguments: object) -> Write:
        return replace(make(*arguments), condition="", etag="")

    return made
