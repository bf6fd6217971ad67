"""Routes of virtual keys, for admins: list, make, rotate, switch, revoke; and who the asking key is."""

from __future__ import annotations

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from verilabel.gateway.access.store import KeyRecord, KeyWish
from verilabel.gateway.administration.authority import ApiRefusal, Authority, answer, read_json
from verilabel.gateway.administration.services import Administration
from verilabel.gateway.administration.views import view_key


class RotateBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """For how many seconds the old key lives on."""

    grace_s: int = 0


class KeysApi:
    """The handlers of `/verilabel/api/keys` and `/verilabel/api/me`."""

    def __init__(self, services: Administration, authority: Authority) -> None:
        self._keys = services.keys
        self._ring = services.ring
        self._authority = authority

    async def show_holder(self, request: Request) -> Response:
        """`GET me`: whose key this is."""
        holder = self._authority.require(request)
        return answer({"id": holder.id, "name": holder.name, "role": holder.role, "user": holder.user})

    async def list_keys(self, request: Request) -> Response:
        """`GET keys`."""
        self._authority.require(request, "admin")
        return answer({"keys": [view_key(record) for record in await self._keys.list_keys()]})

    async def create_key(self, request: Request) -> Response:
        """`POST keys {"name": "...", "role": "user", ...}`: the answer alone shows the token."""
        admin = self._authority.require(request, "admin")
        made = await self._keys.create(await read_json(request, KeyWish), by=admin.user)
        await self._ring.renew()
        self._authority.record("key_created", admin, code=made.record.holder.id)
        return answer({"token": made.token, "key": view_key(made.record)}, 201)

    async def change_key(self, request: Request) -> Response:
        """`POST keys/ID/rotate|revoke|disable|enable`."""
        admin = self._authority.require(request, "admin")
        key_id, change = request.path_params["id"], request.path_params["change"]
        if change == "rotate":
            body = await read_json(request, RotateBody)
            made = await self._keys.rotate(key_id, by=admin.user, grace_s=body.grace_s)
            await self._ring.renew()
            self._authority.record("key_rotated", admin, code=key_id)
            return answer({"token": made.token, "key": view_key(made.record)}, 201)
        record = await self._switch(key_id, change)
        await self._ring.renew()
        self._authority.record(f"key_{change}d", admin, code=key_id)
        return answer({"key": view_key(record)})

    async def _switch(self, key_id: str, change: str) -> KeyRecord:
        if change == "revoke":
            return await self._keys.revoke(key_id)
        if change in ("disable", "enable"):
            return await self._keys.switch(key_id, disabled=change == "disable")
        raise ApiRefusal(404, "unknown", "there is no such change")
