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
        wish = await read_json(request, KeyWish)
        with self._authority.recording("key_created", admin) as told:
            made = await self._keys.create(wish, by=admin.user)
            told["code"] = made.record.holder.id
        await self._ring.renew()
        return answer({"token": made.token, "key": view_key(made.record)}, 201)

    async def change_key(self, request: Request) -> Response:
        """`POST keys/ID/rotate|revoke|disable|enable`."""
        admin = self._authority.require(request, "admin")
        key_id, change = request.path_params["id"], request.path_params["change"]
        if change not in ("rotate", "revoke", "disable", "enable"):
            raise ApiRefusal(404, "unknown", "there is no such change")
        if change == "rotate":
            body = await read_json(request, RotateBody)
            with self._authority.recording("key_rotated", admin) as told:
                made = await self._keys.rotate(key_id, by=admin.user, grace_s=body.grace_s)
                told["code"] = key_id
            await self._ring.renew()
            return answer({"token": made.token, "key": view_key(made.record)}, 201)
        with self._authority.recording(f"key_{change}d", admin) as told:
            record = await self._switch(key_id, change)
            told["code"] = key_id
        await self._ring.renew()
        return answer({"key": view_key(record)})

    async def _switch(self, key_id: str, change: str) -> KeyRecord:
        if change == "revoke":
            return await self._keys.revoke(key_id)
        return await self._keys.switch(key_id, disabled=change == "disable")
