"""A witness over HTTP: `POST /add-checkpoint` of C2SP tlog-witness, and what it has seen, for auditors."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from verilabel.errors import VerilabelError
from verilabel.serving import BodyRefused, read_body
from verilabel.transparency.witness_protocol import ADD_CHECKPOINT, MAX_REQUEST_BYTES
from verilabel.transparency.witnessing import TEXT_TYPE, Witness

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response

KEY_PATH = "witness.vkey"


class WitnessService:
    """The handlers of a witness's server. Anybody may ask it: it cosigns by the logs' signatures alone."""

    def __init__(self, witness: Witness) -> None:
        self._witness = witness

    def application(self) -> Starlette:
        """The ASGI application."""
        from starlette.applications import Starlette
        from starlette.routing import Route

        return Starlette(
            routes=[
                Route(f"/{ADD_CHECKPOINT}", self.add_checkpoint, methods=["POST"]),
                Route(f"/{KEY_PATH}", self.show_key),
                Route("/{origin}/checkpoint", self.show_seen),
            ]
        )

    async def add_checkpoint(self, request: Request) -> Response:
        """`POST /add-checkpoint`."""
        from starlette.concurrency import run_in_threadpool
        from starlette.responses import Response

        try:
            body = await read_body(request, MAX_REQUEST_BYTES)
            reply = await run_in_threadpool(self._witness.add_checkpoint, body)
        except BodyRefused as refused:
            return _text(refused.status, str(refused))
        except (VerilabelError, OSError) as error:
            return _fail(error)
        # The exact type of tlog-witness: Starlette would add a charset to what begins with text/
        headers = {"Content-Type": reply.content_type, "Cache-Control": "no-store"}
        return Response(reply.body, status_code=reply.status, headers=headers)

    async def show_seen(self, request: Request) -> Response:
        """`GET /SHA256-OF-ORIGIN/checkpoint`: the last checkpoint of that log that was cosigned."""
        from starlette.concurrency import run_in_threadpool
        from starlette.responses import Response

        try:
            note = await run_in_threadpool(self._witness.seen, request.path_params["origin"])
        except (VerilabelError, OSError) as error:
            return _fail(error)
        if note is None:
            return _text(404, "this witness has cosigned nothing of that log")
        return Response(note, headers={"Content-Type": TEXT_TYPE, "Cache-Control": "no-cache, max-age=0"})

    async def show_key(self, _: Request) -> Response:
        """`GET /witness.vkey`: the key line, for people who then compare it with its owner's."""
        return _text(200, self._witness.public_key.line)


def _text(status: int, message: str) -> Response:
    from starlette.responses import PlainTextResponse

    return PlainTextResponse(f"{message}\n", status_code=status, headers={"Cache-Control": "no-store"})


def _fail(error: Exception) -> Response:
    """What is wrong with the state is for the witness's keeper: it may name files."""
    print(f"error: {error}", file=sys.stderr, flush=True)
    return _text(500, "the witness cannot answer; its keeper's messages say why")
