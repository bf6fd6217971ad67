"""The administration as an ASGI application: approvals, keys and state under `/verilabel/`, and the page.

Every route asks for a virtual key as a bearer token, but the page's own files; bodies, lists and waits are bounded.
"""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from verilabel.errors import VerilabelError
from verilabel.gateway.administration.approvals_api import READERS, ApprovalsApi
from verilabel.gateway.administration.authority import ApiRefusal, Authority, answer, refuse, show_refusal
from verilabel.gateway.administration.keys_api import KeysApi
from verilabel.gateway.administration.page import ApprovalsPage
from verilabel.gateway.administration.services import Administration

ROOT = "/verilabel"


def application(services: Administration) -> Starlette:
    """The application, with whole paths: it is mounted at the root, or asked for every path below `ROOT`."""
    authority = Authority(services)
    approvals = ApprovalsApi(services, authority)
    keys = KeysApi(services, authority)
    page = ApprovalsPage(authority)
    api = f"{ROOT}/api"

    async def show_state(request: Request) -> Response:
        """`GET state`: what the gateway says of its health, labels and limits."""
        authority.require(request, *READERS)
        return answer({"state": services.state(), "open": await services.desk.queue.count_open()})

    served = Starlette(
        routes=[
            Route(f"{ROOT}/approvals", page.show_page),
            Route(f"{ROOT}/approvals.css", page.show_style),
            Route(f"{ROOT}/approvals.js", page.show_script),
            Route(f"{api}/me", keys.show_holder),
            Route(f"{api}/state", show_state),
            Route(f"{api}/approvals", approvals.list_approvals),
            Route(f"{api}/approvals/stream", approvals.follow),
            Route(f"{api}/approvals/{{id}}", approvals.show_approval),
            Route(f"{api}/approvals/{{id}}/decision", approvals.decide, methods=["POST"]),
            Route(f"{api}/keys", keys.list_keys, methods=["GET"]),
            Route(f"{api}/keys", keys.create_key, methods=["POST"]),
            Route(f"{api}/keys/{{id}}/{{change}}", keys.change_key, methods=["POST"]),
        ],
        exception_handlers={
            ApiRefusal: show_refusal,
            VerilabelError: show_refusal,
            HTTPException: _show_http,
        },
    )
    served.router.redirect_slashes = False  # it would lead to whatever name the request gives
    return served


async def _show_http(_: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return refuse(status, "not_found" if status == 404 else "request", "there is nothing here that does this")
