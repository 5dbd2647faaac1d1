"""services/worker/engines/language/offers.py: who may be asked at all, and what to set if nobody may."""

from __future__ import annotations

import pytest

from claimcheck.errors import ModelNotOffered, NoEndpoint
from claimcheck.settings import Capability, Endpoint
from services.worker.engines.language.offers import able

CHAT: frozenset[Capability] = frozenset({"chat"})
VISION: frozenset[Capability] = frozenset({"chat", "vision"})


def endpoint(name: str, model: str = "small", *capabilities: Capability) -> Endpoint:
    return Endpoint(name=name, url="http://a", model=model, capabilities=frozenset(capabilities or ("chat",)))


BLIND, SEEING, OTHER = endpoint("blind"), endpoint("seeing", "big", "chat", "vision"), endpoint("other", "big")
ALL = (BLIND, SEEING, OTHER)


@pytest.mark.parametrize(
    ("needs", "model", "names"),
    [
        (CHAT, None, ["blind", "seeing", "other"]),
        (VISION, None, ["seeing"]),
        (CHAT, "big", ["seeing", "other"]),
        (CHAT, "other", ["other"]),
        (VISION, "big", ["seeing"]),
    ],
)
def test_capability_and_pinned_model_choose(needs: frozenset[Capability], model: str | None, names: list[str]) -> None:
    assert [found.name for found in able(ALL, needs=needs, model=model)] == names


def test_unknown_model_is_not_offered_and_the_known_ones_are_named() -> None:
    with pytest.raises(ModelNotOffered, match=r"model 'huge' is not offered; known: big, small"):
        able(ALL, needs=CHAT, model="huge")


@pytest.mark.parametrize(
    ("endpoints", "model", "says"),
    [
        ((), None, "no endpoint is configured"),
        ((), "big", "no endpoint is configured"),
        ((BLIND,), None, r"no endpoint takes images \(capability vision\): blind has chat"),
        (ALL, "small", r"no endpoint of model 'small' takes images \(capability vision\): blind has chat"),
    ],
)
def test_sentence_says_what_is_missing_and_what_to_set(
    endpoints: tuple[Endpoint, ...], model: str | None, says: str
) -> None:
    with pytest.raises(NoEndpoint, match=says) as raised:
        able(endpoints, needs=VISION, model=model)
    for variable in (
        "AZURE_OPENAI_ENDPOINT",
        "AZURE_OPENAI_DEPLOYMENT",
        "OPENAI_API_KEY",
        "CLAIMCHECK_LANGUAGE__ENDPOINTS",
    ):
        assert variable in raised.value.detail


def test_what_only_several_endpoints_can_do_together_is_named_as_a_whole() -> None:
    pair = (endpoint("a", "m", "vision"), endpoint("b", "m", "chat"))
    with pytest.raises(NoEndpoint, match=r"answers a chat \(capability chat\) and takes images \(capability vision\)"):
        able(pair, needs=VISION, model=None)
