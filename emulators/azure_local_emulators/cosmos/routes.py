"""Which request is which: from method, path and headers to the function that answers it.

Owns the kinds that faults, counts and charges go by. Checks what concerns every request to a container, too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from . import account_routes, item_routes, query_routes
from .account import Account
from .container import Container
from .errors import CONTAINER_RID_MISMATCH, ServiceError, bad_request, unsupported
from .exchange import INTENDED_CONTAINER, IS_BATCH, IS_QUERY, IS_QUERY_PLAN, IS_UPSERT, Answer, Call

AccountRoute = Callable[[Account, Call], Answer]
ContainerRoute = Callable[[Account, Container, Call], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """`kind` is what faults call the request."""

    kind: str
    run: AccountRoute


def _in_container(route: ContainerRoute) -> AccountRoute:
    def run(account: Account, call: Call) -> Answer:
        database = account.database(call.segments[1])
        container = account.container(call.segments[1], call.segments[3])
        call.content_path = quote(f"dbs/{database.properties['id']}/colls/{container.properties['id']}")
        intended = call.headers.get(INTENDED_CONTAINER)
        if intended is not None and intended != container.rid:
            raise ServiceError(
                400, "Collection RID mismatch: the container was created anew.", substatus=CONTAINER_RID_MISMATCH
            )
        return route(account, container, call)

    return run


_ACCOUNT = {0: {"GET": Route("account", account_routes.account)}}
_OFFERS = Route("account", account_routes.offers)
_NAMED: dict[tuple[str, ...], dict[str, Route]] = {
    ("dbs",): {method: Route("database", account_routes.databases) for method in ("GET", "POST")},
    ("dbs", ""): {method: Route("database", account_routes.database) for method in ("GET", "DELETE")},
    ("dbs", "", "colls"): {method: Route("container", account_routes.containers) for method in ("GET", "POST")},
    ("dbs", "", "colls", ""): {
        method: Route("container", account_routes.container) for method in ("GET", "PUT", "DELETE")
    },
    ("dbs", "", "colls", "", "pkranges"): {
        "GET": Route("pkranges", _in_container(query_routes.partition_key_ranges)),
    },
    ("dbs", "", "colls", "", "docs"): {"GET": Route("query", _in_container(query_routes.read_feed))},
    ("dbs", "", "colls", "", "docs", ""): {
        "GET": Route("read", _in_container(item_routes.read_item)),
        "PUT": Route("replace", _in_container(item_routes.replace_item)),
        "PATCH": Route("patch", _in_container(item_routes.patch_item)),
        "DELETE": Route("delete", _in_container(item_routes.delete_item)),
    },
    ("offers",): {"GET": _OFFERS, "POST": _OFFERS},
    ("offers", ""): {"GET": _OFFERS, "PUT": _OFFERS},
}
_CREATE = Route("create", _in_container(item_routes.create_item))
_UPSERT = Route("upsert", _in_container(item_routes.upsert_item))
_BATCH = Route("batch", _in_container(item_routes.run_batch))
_QUERY = Route("query", _in_container(query_routes.query_items))


def route_of(call: Call) -> Route:
    """The route of a request. Raises ServiceError for what the emulator, or the service, does not have."""
    segments = call.segments
    if not segments:
        return _method(_ACCOUNT[0], call)
    # The types stand at even places, the names between them.
    shape = tuple("" if index % 2 else segment for index, segment in enumerate(segments))
    if call.method == "POST" and shape == ("dbs", "", "colls", "", "docs"):
        return _posted(call)
    routes = _NAMED.get(shape)
    if routes is None:
        raise unsupported(f"The resource {'/'.join(shape)[:100]}")
    return _method(routes, call)


def labels_of(call: Call) -> dict[str, str]:
    """What a fault can match: database, container and id, as far as the request names them."""
    names = dict(zip(("database", "container", "id"), call.segments[1::2], strict=False))
    if "id" not in names and isinstance(call.body, dict) and isinstance(call.body.get("id"), str):
        names["id"] = call.body["id"]
    return names


def _posted(call: Call) -> Route:
    if call.flag(IS_BATCH):
        return _BATCH
    if call.flag(IS_QUERY) or call.flag(IS_QUERY_PLAN):
        return _QUERY
    return _UPSERT if call.flag(IS_UPSERT) else _CREATE


def _method(routes: dict[str, Route], call: Call) -> Route:
    route = routes.get(call.method)
    if route is None:
        raise ServiceError(405, f"The method {call.method[:20]} is not allowed for this resource.")
    if call.method in ("POST", "PUT", "PATCH") and not call.raw:
        raise bad_request("The request body is empty.")
    return route
