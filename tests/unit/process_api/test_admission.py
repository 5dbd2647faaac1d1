"""services/process_api/admission.py: places for uploads."""

from __future__ import annotations

import pytest

from claimcheck.errors import ServerFull, TooManyUploads
from services.process_api.admission import Admission


def test_each_tenant_has_its_own_places() -> None:
    admission = Admission(limit=2, of_all=3)
    with admission.upload("acme"), admission.upload("acme"), admission.upload("globex"):
        assert admission.under_way() == {"acme": 2, "globex": 1}
        with pytest.raises(TooManyUploads, match="2 uploads are under way; the limit is 2"), admission.upload("acme"):
            pass
        assert admission.under_way() == {"acme": 2, "globex": 1}


def test_place_is_free_again_however_the_upload_ends() -> None:
    admission = Admission(limit=1, of_all=1)
    with pytest.raises(ZeroDivisionError), admission.upload("acme"):
        raise ZeroDivisionError
    with admission.upload("acme"):
        assert admission.under_way() == {"acme": 1}
    assert admission.under_way() == {}


def test_all_tenants_together_have_a_limit_as_well() -> None:
    admission = Admission(limit=2, of_all=3)
    with admission.upload("acme"), admission.upload("acme"), admission.upload("globex"):
        with pytest.raises(ServerFull, match="3 uploads of all clients are under way here; the limit is 3"):
            admission.upload("initech").__enter__()
        assert admission.under_way() == {"acme": 2, "globex": 1}
