"""claimcheck/settings/language.py: which endpoints the environment names, and what of it is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from claimcheck.settings import Endpoint, LanguageSettings, Settings, SettingsRefused, read

ENDPOINTS = "CLAIMCHECK_LANGUAGE__ENDPOINTS"
ENDPOINTS_FILE = "CLAIMCHECK_LANGUAGE__ENDPOINTS_FILE"
SECRET = "a-key-of-a-person"
AZURE = {"AZURE_OPENAI_ENDPOINT": "https://x.openai.azure.com", "AZURE_OPENAI_DEPLOYMENT": "gpt-4o"}
OWN: dict[str, Any] = {"name": "own", "url": "https://x.test", "model": "m"}


@pytest.fixture(autouse=True)
def stores(monkeypatch: pytest.MonkeyPatch) -> None:
    """What every program needs besides."""
    monkeypatch.setenv("CLAIMCHECK_BLOBS__ACCOUNT_URL", "https://x.blob.core.windows.net")
    monkeypatch.setenv("CLAIMCHECK_QUEUE__NAMESPACE", "x.servicebus.windows.net")


def _read(monkeypatch: pytest.MonkeyPatch, **variables: str) -> LanguageSettings:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return read(Settings).language


def _refused(monkeypatch: pytest.MonkeyPatch, **variables: str) -> str:
    """Why, for which no value may be shown."""
    with pytest.raises(SettingsRefused) as refusal:
        _read(monkeypatch, **variables)
    assert SECRET not in str(refusal.value)
    return str(refusal.value)


def _key(endpoint: Endpoint) -> str | None:
    return endpoint.key.get_secret_value() if endpoint.key else None


@pytest.mark.parametrize("empty", ["", " ", "\n"])
def test_empty_key_is_none_so_that_azure_is_asked_as_the_managed_identity(
    empty: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    (standard,) = _read(monkeypatch, **AZURE, AZURE_OPENAI_API_KEY=empty).endpoints
    (listed,) = _read(monkeypatch, **{ENDPOINTS: json.dumps([{**OWN, "kind": "azure", "key": empty}])}).endpoints

    assert standard.key is None
    assert listed.key is None


def test_empty_variables_are_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ("AZURE_OPENAI_ENDPOINT", "AZURE_OPENAI_DEPLOYMENT", "OPENAI_BASE_URL", "OPENAI_API_KEY", ENDPOINTS)
    nothing = _read(monkeypatch, **dict.fromkeys((*names, ENDPOINTS_FILE), ""))
    assert nothing.endpoints == ()
    assert nothing.endpoints_file is None

    (endpoint,) = _read(monkeypatch, OPENAI_API_KEY=SECRET, OPENAI_MODEL="").endpoints
    assert endpoint.model == "gpt-4o-mini"


@pytest.mark.parametrize("around", ["{}\n", "\ufeff{}", " {}\r\n", "\t{}\x00"])
def test_key_loses_what_files_and_secrets_put_around_it(around: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = around.format(SECRET)
    assert _key(Endpoint.model_validate({**OWN, "key": given})) == SECRET

    if "\x00" not in given:  # No environment can hold it.
        (standard,) = _read(monkeypatch, OPENAI_API_KEY=given).endpoints
        assert _key(standard) == SECRET
        (named,) = _read(
            monkeypatch, KEY_OF_MINE=given, **{ENDPOINTS: json.dumps([{**OWN, "key_variable": "KEY_OF_MINE"}])}
        ).endpoints
        assert _key(named) == SECRET


@pytest.mark.parametrize("within", ["\n", "\x7f", "é", "“"])
def test_key_that_no_request_can_carry_is_refused_and_not_shown(within: str, monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = f"{SECRET}{within}{SECRET}"

    assert _refused(monkeypatch, OPENAI_API_KEY=wrong).startswith("OPENAI_API_KEY: a key")
    said = _refused(monkeypatch, **{ENDPOINTS: json.dumps([OWN, {**OWN, "name": "b", "key": wrong}])})
    assert said.startswith(f"{ENDPOINTS}, 1.key: a key")


def test_key_that_no_request_can_carry_is_refused_by_the_name_of_the_variable_that_holds_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY_OF_MINE", f"{SECRET}\u2013{SECRET}")
    listed = json.dumps([OWN, {**OWN, "name": "b", "key_variable": "KEY_OF_MINE"}])
    file = tmp_path / "endpoints.json"
    file.write_text(listed)
    why = (
        "1: its key is in KEY_OF_MINE: a key has to be of printable ASCII, or no request could carry it;"
        " this one is not"
    )

    assert _refused(monkeypatch, **{ENDPOINTS_FILE: str(file)}) == f"language.endpoints_file is {file}, where {why}"
    assert _refused(monkeypatch, **{ENDPOINTS: listed}) == f"{ENDPOINTS}, {why}"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (ENDPOINTS, f'[{{"name": "own", "key": "{SECRET}"]'),
        (ENDPOINTS, SECRET),
        ("CLAIMCHECK_LANGUAGE", f'{{"endpoints": "{SECRET}'),
        ("CLAIMCHECK_WEB__ORIGINS", SECRET),
    ],
)
def test_broken_json_is_refused_by_the_name_of_its_variable(
    name: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _refused(monkeypatch, **{name: value}) == f"{name}: its value is no JSON"


def test_json_of_another_kind_is_refused_by_the_name_of_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _refused(monkeypatch, **{ENDPOINTS: f'{{"key": "{SECRET}"}}'}).startswith(f"{ENDPOINTS}: ")


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"OPENAI_BASE_URL": "myhost"}, "OPENAI_BASE_URL: it has to begin with http:// or https://"),
        ({"OPENAI_API_KEY": SECRET, "OPENAI_MODEL": " "}, "OPENAI_MODEL: String should have at least 1 character"),
        ({**AZURE, "AZURE_OPENAI_ENDPOINT": "x"}, "AZURE_OPENAI_ENDPOINT: it has to begin with http:// or https://"),
        (
            {"AZURE_OPENAI_ENDPOINT": "https://x.test"},
            "AZURE_OPENAI_ENDPOINT is set and AZURE_OPENAI_DEPLOYMENT is not; set both",
        ),
        ({ENDPOINTS: json.dumps([{**OWN, "url": "myhost"}])}, f"{ENDPOINTS}, 0.url: it has to begin with"),
        ({ENDPOINTS: json.dumps([{**OWN, "kye": SECRET}])}, f"{ENDPOINTS}, 0.kye: Extra inputs are not permitted"),
        ({"CLAIMCHECK_LANGUAGE__SLOTS": "none"}, "CLAIMCHECK_LANGUAGE__SLOTS: Input should be a valid integer"),
        ({"CLAIMCHECK_LANGUAGE__SLOT": "4"}, "CLAIMCHECK_LANGUAGE__SLOT: Extra inputs are not permitted"),
    ],
)
def test_refusal_begins_with_the_variable(
    variables: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _refused(monkeypatch, **variables).startswith(said)


def test_refusal_of_a_file_names_the_file_and_the_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "endpoints.json"
    for written, where in [(f'[{{"key": "{SECRET}"', "no readable JSON"), (json.dumps([{**OWN, "url": "x"}]), "0.url")]:
        file.write_text(written)
        said = _refused(monkeypatch, **{ENDPOINTS_FILE: str(file)})
        assert str(file) in said
        assert where in said


def test_key_in_the_place_of_its_variable_is_refused_unseen(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = [{**OWN, "key_variable": "sk-proj-SECRET"}]
    with pytest.raises(SettingsRefused) as refusal:
        _read(monkeypatch, **{ENDPOINTS: json.dumps(listed)})
    assert "key_variable" in str(refusal.value)
    assert "SECRET" not in str(refusal.value)


def test_endpoint_without_its_key_is_none_of_the_business_of_who_asks_no_model(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    listed = [{**OWN, "name": name, "key_variable": f"KEY_OF_{name.upper()}"} for name in ("a", "b", "c")]
    language = _read(monkeypatch, KEY_OF_A=SECRET, KEY_OF_B=" ", **{ENDPOINTS: json.dumps(listed)})

    assert [_key(endpoint) for endpoint in language.endpoints] == [SECRET, None, None]
    with pytest.raises(SettingsRefused) as refusal:
        language.require_keys()
    assert str(refusal.value) == (
        "the endpoint b takes its key from KEY_OF_B, and there is no such variable, or it is empty\n"
        "the endpoint c takes its key from KEY_OF_C, and there is no such variable, or it is empty"
    )


def test_key_of_the_list_comes_before_the_one_of_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = [{**OWN, "key": SECRET, "key_variable": "KEY_OF_MINE"}]
    language = _read(monkeypatch, KEY_OF_MINE="another", **{ENDPOINTS: json.dumps(listed)})

    language.require_keys()
    assert _key(language.endpoints[0]) == SECRET
