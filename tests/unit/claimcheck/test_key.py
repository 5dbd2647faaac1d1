"""`claimcheck key`."""

from __future__ import annotations

import json
import re

import pytest
from starlette.datastructures import Headers

from claimcheck.commands.__main__ import main
from claimcheck.commands.key import new_key
from claimcheck.settings import WebSettings
from claimcheck.web.access import Access

KEY = re.compile(r"cck_[A-Za-z0-9_-]{43}")


def printed(text: str) -> tuple[str, str, str]:
    """The key, its hash, and the value of the setting."""
    key, sha256, setting = (line.partition("  ")[2].strip() for line in text.splitlines()[:3])
    assert KEY.fullmatch(key)
    return key, sha256, setting


def test_key_that_is_printed_opens_its_tenant_once_the_setting_is_pasted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["key", "acme"]) == 0
    key, sha256, setting = printed(capsys.readouterr().out)
    assert setting == f"""CLAIMCHECK_WEB__KEYS='{{"{sha256}": "acme"}}'"""
    web = WebSettings(keys=json.loads(setting.partition("=")[2].strip("'")))
    assert Access(web).tenant(Headers({"X-API-Key": key})) == "acme"


def test_operators_key_is_one_once_the_setting_is_pasted(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["key", "--operator"]) == 0
    key, sha256, setting = printed(capsys.readouterr().out)
    assert setting == f"""CLAIMCHECK_WEB__OPERATOR_KEYS='["{sha256}"]'"""
    web = WebSettings(operator_keys=json.loads(setting.partition("=")[2].strip("'")))
    Access(web).operator(Headers({"Authorization": f"Bearer {key}"}))


def test_no_two_keys_are_the_same() -> None:
    assert len({new_key() for _ in range(100)}) == 100


@pytest.mark.parametrize("tenant", ["Acme", "a b", "", "ä", "a" * 41, "../x", "acme\n"])
def test_bad_tenant_is_refused_with_its_value_and_the_rule(tenant: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["key", tenant]) == 2
    told = capsys.readouterr()
    assert told.out == ""
    assert repr(tenant) in told.err
    assert "[a-z0-9-]{1,40}" in told.err


@pytest.mark.parametrize("arguments", [["key"], ["key", "acme", "--operator"]])
def test_key_is_for_a_tenant_or_for_an_operator(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
