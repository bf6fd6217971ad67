"""The page of approvals: three files without anything from elsewhere, which show what the API says as text alone.

The page keeps its key in the tab's session storage, which belongs to this address with its port. A cookie would be
sent to every port of the machine and along with requests that other pages make; this key goes nowhere by itself.
"""

from __future__ import annotations

from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

from verilabel.gateway.administration.authority import HEADERS, Authority

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_TYPES = {"html": "text/html", "css": "text/css", "js": "text/javascript"}
_PAGE_HEADERS = HEADERS | {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "X-Frame-Options": "DENY",
}


class ApprovalsPage:
    """The handlers of the page's files, which hold no secret and ask for no key."""

    def __init__(self, authority: Authority) -> None:
        self._authority = authority
        folder = files("verilabel.gateway.administration") / "data"
        self._files = {kind: (folder / f"approvals.{kind}").read_bytes() for kind in _TYPES}

    async def show_page(self, request: Request) -> Response:
        """`GET /verilabel/approvals`."""
        return self._show(request, "html")

    async def show_style(self, request: Request) -> Response:
        """`GET /verilabel/approvals.css`."""
        return self._show(request, "css")

    async def show_script(self, request: Request) -> Response:
        """`GET /verilabel/approvals.js`."""
        return self._show(request, "js")

    def _show(self, request: Request, kind: str) -> Response:
        self._authority.check_names(request)
        return Response(self._files[kind], headers=_PAGE_HEADERS, media_type=f"{_TYPES[kind]}; charset=utf-8")
