"""Dependencies point one way: services -> claimcheck; pure modules touch nothing; each Azure SDK has one importer."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.source import ROOT, files, imports, imports_under

SERVICES = ("services.process_api", "services.status_api", "services.worker", "services.demo_model")
MODELS = (
    "faster_whisper",
    "ctranslate2",
    "av",
    "numpy",
    "onnxruntime",
    "huggingface_hub",
    "services.worker",
    "openai",
    "PIL",
    "docx",
    "pypdfium2",
    "xllamacpp",
)
# What `pip install claimcheck[client]` need not start for a script that hands a file in.
NOT_FOR_CLIENTS = (
    *("services", "azure", "fastapi", "starlette", "uvicorn", "aiohttp", "uvloop", "multipart", "pydantic_settings"),
    *("claimcheck.settings", "claimcheck.blobs", "claimcheck.messaging", "claimcheck.records", *MODELS),
)

PURE = {
    *(f"claimcheck.{name}" for name in ("job", "messages", "protocol", "pipeline", "failures", "representation")),
    *(f"claimcheck.{name}" for name in ("errors", "transcript", "writes", "settlements", "languages", "tasks")),
    *(f"claimcheck.{name}" for name in ("listing", "preferences", "idempotency")),
    *(f"claimcheck.{name}" for name in ("language", "answer_schema", "schema_cost", "strict_json", "breaches")),
    *(f"claimcheck.{name}" for name in ("sweeping", "rescuing", "dead_letters")),
    *(f"claimcheck.{name}" for name in ("replaying", "operator_queries", "operator_views")),
}
IMPURE = (
    *("azure", "fastapi", "starlette", "uvicorn", "aiohttp", "httpx", "psutil"),
    *("asyncio", "os", "io", "sys", "socket", "subprocess", "threading", "signal", "shutil", "tempfile"),
    *("pathlib.Path", "time", "random", "secrets", "logging"),
)

SDK_IMPORTERS = {
    "azure.storage": {
        *(f"claimcheck/blobs/{name}.py" for name in ("__init__", "calls", "copying", "listing", "writing")),
        "claimcheck/commands/up/provision.py",
    },
    "azure.servicebus": {
        f"claimcheck/messaging/{name}.py" for name in ("__init__", "link", "peeking", "receiving", "sending")
    },
    "openai": {"services/worker/engines/language/calling.py"},
    # Provisioning makes what Terraform makes on Azure, and is no part of serving.
    "azure.cosmos": {
        *(f"claimcheck/records/{name}.py" for name in ("__init__", "asked", "connection", "lists")),
        "claimcheck/commands/up/provision.py",
    },
}


def _modules(package: str) -> list[Path]:
    return files(package.replace(".", "/"))


def _pure_files() -> list[Path]:
    names = [name.replace(".", "/") for name in sorted(PURE)]
    found = [name if (ROOT / name).is_dir() else f"{name}.py" for name in names]
    return files(*(name for name in found if (ROOT / name).exists()))


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_imports_no_other_service(service: str) -> None:
    others = [name for name in SERVICES if name != service]
    assert {str(path): found for path in _modules(service) if (found := imports_under(path, *others))} == {}


def test_what_the_services_share_imports_no_service() -> None:
    assert {str(path): found for path in files("claimcheck") if (found := imports_under(path, "services"))} == {}


def test_the_emulators_import_nothing_of_ours() -> None:
    ours = ("claimcheck", "services", "tests", "benchmarks")
    found = {str(path): found for path in files("emulators") if (found := imports_under(path, *ours))}
    assert found == {}


def test_the_product_imports_no_tests() -> None:
    product = files("claimcheck", "services", "emulators")
    assert {str(path): found for path in product if (found := imports_under(path, "tests", "pytest"))}.keys() <= {
        "emulators/azure_local_emulators/pytest_plugin.py"
    }


@pytest.mark.parametrize("path", _pure_files(), ids=str)
def test_a_pure_module_touches_nothing_outside(path: Path) -> None:
    assert imports_under(path, *IMPURE) == set()


@pytest.mark.parametrize("path", _pure_files(), ids=str)
def test_a_pure_module_imports_only_pure_ones(path: Path) -> None:
    ours = {name for name in imports_under(path, "claimcheck") if name != "claimcheck"}
    assert {name for name in ours if ".".join(name.split(".")[:2]) not in PURE} == set()


@pytest.mark.parametrize("sdk", SDK_IMPORTERS)
def test_an_azure_sdk_is_imported_in_one_place(sdk: str) -> None:
    importers = {str(path) for path in files("claimcheck", "services") if imports_under(path, sdk)}
    assert importers <= SDK_IMPORTERS[sdk]


def test_no_other_azure_service_is_imported_unnoticed() -> None:
    known = {*SDK_IMPORTERS, "azure.core", "azure.identity"}
    found = {
        ".".join(name.split(".")[:2])
        for path in files("claimcheck", "services")
        for name in imports(path)
        if name.startswith("azure.")
    }
    assert found <= known


@pytest.mark.parametrize("program", ["services.process_api.app", "services.status_api.app"])
def test_an_api_loads_no_model_not_even_indirectly(program: str) -> None:
    script = f"import sys, {program}; print(*(name for name in {MODELS!r} if name in sys.modules))"

    loaded = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)

    assert loaded.stdout.split() == []


def test_the_client_loads_no_service_and_no_sdk_not_even_indirectly() -> None:
    script = f"import sys, claimcheck.client; print(*(name for name in {NOT_FOR_CLIENTS!r} if name in sys.modules))"

    loaded = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)

    assert loaded.stdout.split() == []


def test_the_keeper_loads_no_model_no_handler_and_no_media_library() -> None:
    unwanted = (*(name for name in MODELS if name != "services.worker"), "services.worker.handlers")
    script = f"import sys, services.worker.keeper.keeper; print(*(n for n in {unwanted!r} if n in sys.modules))"

    loaded = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True)

    assert loaded.stdout.split() == []
