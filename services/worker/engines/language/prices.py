"""What an answer cost, by the endpoint's price list. Pure."""

from __future__ import annotations

from claimcheck.settings import Endpoint

PRICED_TOKENS = 1_000_000
"""Price lists of model services name the price of so many tokens."""


def cost_of(endpoint: Endpoint, *, input_tokens: int, output_tokens: int) -> float | None:
    """In the installation's currency; None without a price list."""
    if endpoint.input_price is None or endpoint.output_price is None:
        return None
    return (input_tokens * endpoint.input_price + output_tokens * endpoint.output_price) / PRICED_TOKENS
