"""hub.kernel.imports: packages that a process leaves out while it imports the others."""

import importlib
import sys

import pytest

from hub.kernel.imports import without


def test_what_is_left_out_is_as_if_it_were_not_installed_and_can_be_imported_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "wave", raising=False)
    with without("wave"), pytest.raises(ImportError):
        importlib.import_module("wave")
    assert importlib.import_module("wave").Error


def test_what_is_imported_already_stays() -> None:
    with without("sys", "importlib"):
        assert importlib.import_module("importlib") is importlib


def test_an_error_in_between_leaves_nothing_out_for_later(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "wave", raising=False)
    with pytest.raises(RuntimeError), without("wave"):
        raise RuntimeError
    assert "wave" not in sys.modules
