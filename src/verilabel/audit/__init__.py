"""The audit of training data: what is in it, with known errors, as a record that others can check.

    from verilabel.audit import AuditSettings, run_audit

    found = run_audit(["corpus/"], out="run.audit")
    print(found.sentence("pii.email"))
    found.verify()

What is named here is imported when it is first used, and needs the extra `audit`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from verilabel.audit.api import Audit, load_audit, run_audit
    from verilabel.audit.settings import AuditSettings

__all__ = ["Audit", "AuditSettings", "load_audit", "run_audit"]


PACKAGES = ("numpy", "numba", "pyarrow", "orjson", "zstandard", "fsspec", "re2", "phonenumbers", "py3langid")
"""What every audit needs, beside what the verifier of labels needs."""


def require_packages() -> None:
    """Raise MissingExtra where a package of the extra `audit` is not installed."""
    from importlib.util import find_spec

    from verilabel.errors import MissingExtra

    for package in PACKAGES:
        if find_spec(package) is None:
            raise MissingExtra(package, "audit")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(name)
    from importlib import import_module

    require_packages()

    return getattr(import_module(f"verilabel.audit.{'settings' if name == 'AuditSettings' else 'api'}"), name)
