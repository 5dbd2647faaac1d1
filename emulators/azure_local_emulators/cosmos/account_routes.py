"""Requests about the account, its databases and its containers.

Owns the JSON that the SDKs read before their first item.
"""

from __future__ import annotations

import json

from . import charges, query_routes
from .account import Account
from .errors import unsupported
from .exchange import IS_QUERY, Answer, Call, feed_answer, json_answer
from .values import Value, encode_json

_QUERY_ENGINE = {
    "maxSqlQueryInputLength": 524288,
    "maxJoinsPerSqlQuery": 10,
    "maxLogicalAndPerSqlQuery": 2000,
    "maxLogicalOrPerSqlQuery": 2000,
    "maxInExpressionItemsCount": 16000,
    "sqlAllowSubQuery": False,
    "sqlAllowLike": True,
    "sqlAllowGroupByClause": False,
}


def account(account: Account, call: Call) -> Answer:
    """GET /: where to read and write, and the default consistency."""
    locations = [{"name": "Local", "databaseAccountEndpoint": f"{call.origin}/"}]
    replication = {"asyncReplication": False, "minReplicaSetSize": 1, "maxReplicasetSize": 4}
    return json_answer(
        200,
        {
            "_self": "",
            "id": "local",
            "_rid": "local",
            "media": "//media/",
            "addresses": "//addresses/",
            "_dbs": "//dbs/",
            "writableLocations": locations,
            "readableLocations": locations,
            "enableMultipleWriteLocations": False,
            "userReplicationPolicy": replication,
            "systemReplicationPolicy": replication,
            "userConsistencyPolicy": {"defaultConsistencyLevel": account.options.consistency},
            "readPolicy": {"primaryReadCoefficient": 1, "secondaryReadCoefficient": 1},
            "queryEngineConfiguration": json.dumps(_QUERY_ENGINE),
        },
    )


def databases(account: Account, call: Call) -> Answer:
    """/dbs: list, query, create."""
    call.charge = charges.METADATA
    listed = [database.properties for database in account.databases.values()]
    if call.flag(IS_QUERY):
        return query_routes.run_over(listed, "", "Databases", call)
    if call.method == "POST":
        return _shown(201, account.create_database(call.body).properties)
    return feed_answer("", "Databases", [encode_json(one) for one in listed], {})


def database(account: Account, call: Call) -> Answer:
    """/dbs/{name}: read, delete."""
    call.charge = charges.METADATA
    if call.method == "DELETE":
        account.delete_database(call.segments[1])
        return Answer(204)
    return _shown(200, account.database(call.segments[1]).properties)


def containers(account: Account, call: Call) -> Answer:
    """/dbs/{name}/colls: list, query, create."""
    call.charge = charges.METADATA
    owner = account.database(call.segments[1])
    listed = [container.properties for container in owner.containers.values()]
    if call.flag(IS_QUERY):
        return query_routes.run_over(listed, owner.rid, "DocumentCollections", call)
    if call.method == "POST":
        return _shown(201, account.create_container(call.segments[1], call.body).properties)
    return feed_answer(owner.rid, "DocumentCollections", [encode_json(one) for one in listed], {})


def container(account: Account, call: Call) -> Answer:
    """/dbs/{name}/colls/{name}: read, replace, delete."""
    call.charge = charges.METADATA
    names = call.segments[1], call.segments[3]
    if call.method == "DELETE":
        account.delete_container(*names)
        return Answer(204)
    if call.method == "PUT":
        return _shown(200, account.replace_container(*names, call.body).properties)
    return _shown(200, account.container(*names).properties)


def offers(_: Account, call: Call) -> Answer:
    """/offers: none, as in a serverless account."""
    if call.method == "PUT":
        raise unsupported("Provisioned throughput")
    return json_answer(200, {"_rid": "", "Offers": [], "_count": 0})


def _shown(status: int, properties: dict[str, Value]) -> Answer:
    return json_answer(status, properties, {"etag": properties["_etag"]})
