"""Admission by label: who is let through on what label, and what takes the permission away again."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from bundle_factory import HAZARD_RUBRIC, ISSUER, LOG, READ, SYSTEM_PROMPT, Recipe, make_bundle
from bundle_forgery import Forger, forge
from party_factory import CRITIC, dispute_of, policy, withdrawal_of
from verilabel.errors import MalformedInput
from verilabel.evidence import layout
from verilabel.evidence.container import write_zip
from verilabel.evidence.trust import trust_keys
from verilabel.evidence.verifier import verify_bundle
from verilabel.gateway.admission.labels import LabelAdmission, bundles_of, flags_of
from verilabel.gateway.admission.shelf import LabelShelf
from verilabel.gateway.policy.document import AdmissionRow, ModelRoute, Target, Upstream, Waiver

TRUST = trust_keys(ISSUER.public, LOG.public)
MODEL = "simulated:accuracy=0.9,errors=0,rate=0.01,refusal=0.02,seed=7"
PARAMS = {"temperature": "0", "max_tokens": 512}
ADDRESS = "https://api.example/v1"
UPSTREAMS = (Upstream(id="up", base_url=ADDRESS),)


class Clock:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = READ

    def __call__(self) -> datetime:
        return self.now


class Desk:
    """A shelf and an admission over one route with one target."""

    def __init__(self, shelf: LabelShelf, admission: LabelAdmission, clock: Clock) -> None:
        self.shelf, self.admission, self.clock = shelf, admission, clock

    @property
    def reasons(self) -> tuple[str, ...]:
        return self.admission.standing("quiz", 0).reasons

    @property
    def admitted(self) -> bool:
        return self.admission.standing("quiz", 0).admitted

    def object(self, **in_use: Any) -> tuple[str, ...]:
        """Objections to a request that is in scope but for what is given."""
        usual = {"params": PARAMS, "system": SYSTEM_PROMPT, "tools": {}, "guardrails": None}
        return self.admission.objections("quiz", 0, usual | in_use)


OpenDesk = Callable[..., Awaitable[Desk]]


@pytest.fixture
async def open_desk(tmp_path: Path) -> AsyncIterator[OpenDesk]:
    shelves: list[LabelShelf] = []

    async def open_one(
        bundle: Path | None,
        *rows: AdmissionRow,
        trust: Any = TRUST,
        name: str = "quiz",
        model: str | None = MODEL,
        look_every_s: float = 3600.0,
        verify_every_s: float = 3600.0,
    ) -> Desk:
        target = Target(upstream="up", model=model, bundle=None if bundle is None else str(bundle))
        routes = (ModelRoute(name=name, to=(target,)),)
        clock = Clock()
        shelf = LabelShelf(
            bundles_of(routes, tmp_path),
            trust,
            clock=clock,
            look_every_s=look_every_s,
            verify_every_s=verify_every_s,
        )
        admission = LabelAdmission(routes, UPSTREAMS, rows, shelf, folder=tmp_path, clock=clock)
        await shelf.open()
        shelves.append(shelf)
        return Desk(shelf, admission, clock)

    yield open_one
    for shelf in shelves:
        await shelf.close()


def put(source: Path, target: Path) -> None:
    """Move a bundle, in one step, to where another may be."""
    source.replace(target)


@pytest.fixture(scope="module")
def hazard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A label on a hazard scale: C2 is established, C3 is ruled out."""
    return make_bundle(tmp_path_factory.mktemp("hazard"), Recipe(rubric=HAZARD_RUBRIC)).path


@pytest.fixture
def worse_zip(tmp_path: Path) -> Path:
    """A bundle of a label that is less than L2."""
    return make_bundle(tmp_path / "worse", Recipe(accuracy="0.4", zipped=True)).path


def row(**changes: Any) -> AdmissionRow:
    """A row that the small bundle meets, with changes."""
    return AdmissionRow(**({"rubric": "test/quiz-label", "granted": "L2"} | changes))


# -- labels --------------------------------------------------------------------------------------------------


async def test_a_label_that_is_enough_admits_and_is_named_in_the_header(
    made_bundle: Path, open_desk: OpenDesk
) -> None:
    desk = await open_desk(made_bundle, row())
    standing = desk.admission.standing("quiz", 0)
    found = verify_bundle(made_bundle, trust=TRUST, now=READ)
    assert (True, (), ()) == (standing.admitted, standing.reasons, standing.flags)
    assert f"test/quiz-label@1.0.0 L2 cannot-exclude=L3 V2 {found.statement_sha256}" == standing.label
    assert found.statement_sha256 == standing.label_digest


async def test_before_anything_was_verified_nothing_is_admitted(made_bundle: Path, tmp_path: Path) -> None:
    routes = (ModelRoute(name="quiz", to=(Target(upstream="up", bundle=str(made_bundle)),)),)
    shelf = LabelShelf(bundles_of(routes, tmp_path), TRUST)
    standing = LabelAdmission(routes, UPSTREAMS, [row()], shelf, folder=tmp_path).standing("quiz", 0)
    assert (False, ("label: the bundle has not been verified yet",)) == (standing.admitted, standing.reasons)
    await shelf.close()


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"granted": "L3"}, "granted: L3 is required, L2 Solid granted, cannot exclude up to L3 Strong"),
        ({"granted": "L9"}, "label: the rubric has no level 'L9'"),
        ({"granted": None, "ruled_out": "L3"}, "label: this label is on a scale of kind assurance"),
        ({"rubric": "test/other"}, "rubric: rubric test/other is required"),
        ({"verification": "V3"}, "verification: V3 is required, this is V2 recomputed"),
        ({"max_age_days": 30}, "max_age_days: planned 2026-01-01T11:00:00Z, older than 30d"),
        ({"flags_forbidden": ("unwitnessed",)}, "flags_forbidden: the flag unwitnessed is forbidden"),
    ],
)
async def test_what_a_label_lacks_is_the_reason(
    made_bundle: Path, open_desk: OpenDesk, changes: dict[str, Any], reason: str
) -> None:
    desk = await open_desk(made_bundle, row(**changes))
    assert not desk.admitted
    assert 1 == len(desk.reasons)
    assert desk.reasons[0].startswith(reason)


async def test_a_level_of_a_hazard_scale_must_be_ruled_out(hazard: Path, open_desk: OpenDesk) -> None:
    assert (await open_desk(hazard, AdmissionRow(ruled_out="C3"))).admitted
    desk = await open_desk(hazard, AdmissionRow(ruled_out="C2"))
    assert "C2 must be ruled out" in desk.reasons[0]
    assert " C2 not-ruled-out=C2 V2 " in str(desk.admission.standing("quiz", 0).label)


async def test_no_bundle_where_a_row_asks_for_one_is_refused(open_desk: OpenDesk) -> None:
    assert ("label: no bundle is named for this target",) == (await open_desk(None, row())).reasons


async def test_without_a_row_everything_is_admitted_and_a_good_label_is_still_shown(
    made_bundle: Path, tmp_path: Path, open_desk: OpenDesk
) -> None:
    shown = (await open_desk(made_bundle)).admission.standing("quiz", 0)
    assert shown.admitted
    assert str(shown.label).startswith("test/quiz-label@1.0.0 ")
    gone = (await open_desk(tmp_path / "nowhere")).admission.standing("quiz", 0)
    assert (True, None, ("label: there is no bundle",)) == (gone.admitted, gone.label, gone.flags)


async def test_a_row_for_another_route_asks_nothing_and_a_prefix_asks_all_its_routes(
    made_bundle: Path, open_desk: OpenDesk
) -> None:
    assert (await open_desk(made_bundle, row(route="other", granted="L3"))).admitted
    assert not (await open_desk(made_bundle, row(route="qu*", granted="L3"))).admitted


async def test_every_row_that_matches_must_be_met(made_bundle: Path, open_desk: OpenDesk) -> None:
    desk = await open_desk(made_bundle, row(), row(granted="L3"), row(verification="V3"))
    assert 2 == len(desk.reasons)


async def test_a_target_that_is_not_configured_is_refused(made_bundle: Path, open_desk: OpenDesk) -> None:
    desk = await open_desk(made_bundle, row())
    assert not desk.admission.standing("quiz", 1).admitted
    assert not desk.admission.standing("other", 0).admitted
    assert () != desk.admission.objections("other", 0, {})


async def test_a_row_that_flags_lets_through_and_says_why(made_bundle: Path, open_desk: OpenDesk) -> None:
    desk = await open_desk(made_bundle, row(granted="L3", otherwise="flag"))
    standing = desk.admission.standing("quiz", 0)
    assert (True, ()) == (standing.admitted, standing.reasons)
    assert standing.flags[0].startswith("granted: L3 is required")


# -- bundles that do not count -------------------------------------------------------------------------------


async def test_a_tampered_bundle_is_refused_whatever_is_waived(bundle: Path, open_desk: OpenDesk) -> None:
    path = bundle / layout.EVIDENCE
    path.write_bytes(path.read_bytes().replace(b"7", b"8", 1))
    waiver = Waiver(requirement="label", reason="r", by="b", until="2099-01-01")
    for asked in (row(), row(waivers=(waiver,))):
        desk = await open_desk(bundle, asked)
        assert desk.reasons[0].startswith("label: step 7 (evidence)")
        assert desk.admission.standing("quiz", 0).label is None


async def test_a_bundle_of_a_key_that_nobody_trusts_is_refused(
    made_bundle: Path, open_desk: OpenDesk
) -> None:
    desk = await open_desk(made_bundle, row(), trust=trust_keys(CRITIC.public, LOG.public))
    assert desk.reasons[0].startswith("label: step 3 (signature)")


async def test_an_expired_bundle_is_refused_and_a_named_waiver_lets_it_through_until_its_last_day(
    made_bundle: Path, tmp_path: Path, open_desk: OpenDesk
) -> None:
    old = forge(made_bundle, tmp_path / "old", lambda folder: None, Forger(key=ISSUER, log_key=LOG, days=1))
    assert ("label: it expired on 02 January 2026",) == (await open_desk(old, row())).reasons
    waiver = Waiver(requirement="label", reason="renewal is running", by="ops", until="2026-11-30")
    desk = await open_desk(old, row(waivers=(waiver,)))
    assert (True, ("waived:label",)) == (desk.admitted, desk.admission.standing("quiz", 0).flags)
    assert not (await open_desk(old, row(granted="L3", waivers=(waiver,)))).admitted
    desk.clock.now = READ.replace(day=30, hour=23, minute=59)
    assert desk.admitted
    desk.clock.now += timedelta(minutes=1)
    assert not desk.admitted


async def test_a_disputed_bundle_is_refused_and_a_withdrawn_one_cannot_be_waived(
    bundle: Path, open_desk: OpenDesk
) -> None:
    about = str(verify_bundle(bundle, trust=TRUST, now=READ).statement_sha256)
    (bundle / layout.STATEMENTS).mkdir()
    dispute = dispute_of(about)
    (bundle / layout.STATEMENTS / dispute.file_name).write_bytes(dispute.data)
    desk = await open_desk(bundle, row(), trust=policy())
    assert ("flags_forbidden: the flag disputed is forbidden",) == desk.reasons
    waiver = Waiver(requirement="flags_forbidden.disputed", reason="r", by="b", until="2026-12-01")
    desk = await open_desk(bundle, row(waivers=(waiver,)), trust=policy())
    assert ("waived:flags_forbidden.disputed",) == desk.admission.standing("quiz", 0).flags
    withdrawal = withdrawal_of(about)
    (bundle / layout.STATEMENTS / withdrawal.file_name).write_bytes(withdrawal.data)
    everything = Waiver(requirement="label", reason="r", by="b", until="2026-12-01")
    desk = await open_desk(bundle, row(waivers=(everything, waiver)), trust=policy())
    assert not desk.admitted
    assert "withdr" in desk.reasons[0]


async def test_validity_and_age_run_out_by_the_clock_alone(made_bundle: Path, open_desk: OpenDesk) -> None:
    desk = await open_desk(made_bundle, row(max_age_days=400))
    assert desk.admitted
    desk.clock.now = datetime.fromisoformat("2027-02-05T11:00:00Z")
    assert desk.admitted
    desk.clock.now += timedelta(microseconds=1)
    assert desk.reasons[0].startswith("max_age_days: planned")
    desk.clock.now = READ
    assert desk.admitted
    desk.clock.now = READ + timedelta(days=40_000)
    assert any(reason.startswith("label: it expired") for reason in desk.reasons)
    desk.clock.now = datetime.fromisoformat("2025-01-01T00:00:00Z")
    assert any("valid only from" in reason for reason in desk.reasons)
    assert 1 == desk.shelf.rounds


# -- change --------------------------------------------------------------------------------------------------


async def test_a_bundle_that_is_deleted_loses_its_permission_and_one_that_returns_gets_it_back(
    bundle: Path, tmp_path: Path, open_desk: OpenDesk
) -> None:
    desk = await open_desk(bundle, row())
    put(bundle, tmp_path / "away")
    await desk.shelf.look()
    assert ("label: there is no bundle",) == desk.reasons
    put(tmp_path / "away", bundle)
    await desk.shelf.look()
    assert desk.admitted


async def test_a_waiver_of_the_label_covers_a_bundle_that_is_not_there(
    tmp_path: Path, made_bundle: Path, open_desk: OpenDesk
) -> None:
    waiver = Waiver(requirement="label", reason="first run in progress", by="ops", until="2026-12-01")
    for bundle in (None, tmp_path / "nowhere"):
        desk = await open_desk(bundle, row(scope=("params",), waivers=(waiver,)))
        assert (True, ("waived:label",)) == (desk.admitted, desk.admission.standing("quiz", 0).flags)
        assert ([], ["waived:label"]) == flags_of(desk.object(params={}))
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    assert not (await open_desk(loop, row(waivers=(waiver,)))).admitted


async def test_one_changed_byte_in_place_is_seen(bundle: Path, open_desk: OpenDesk) -> None:
    desk = await open_desk(bundle, row())
    await desk.shelf.look()
    assert 1 == desk.shelf.rounds
    path = bundle / layout.LABEL
    path.write_bytes(path.read_bytes()[:-1] + b" ")
    await desk.shelf.look()
    assert not desk.admitted


async def test_a_bundle_of_the_same_bytes_is_not_verified_again_when_its_time_comes(
    made_bundle: Path, made_zip: Path, open_desk: OpenDesk
) -> None:
    for same in (made_bundle, made_zip):
        desk = await open_desk(same, row(), verify_every_s=0.0)
        before = desk.shelf.find(same).round
        await desk.shelf.look()
        await desk.shelf.look()
        assert (1, before + 2, True) == (desk.shelf.rounds, desk.shelf.find(same).round, desk.admitted)


async def test_a_bundle_with_statements_of_others_is_verified_again_when_its_time_comes(
    bundle: Path, open_desk: OpenDesk
) -> None:
    about = str(verify_bundle(bundle, trust=TRUST, now=READ).statement_sha256)
    (bundle / layout.STATEMENTS).mkdir()
    later = dispute_of(about, issued=READ + timedelta(days=1))
    (bundle / layout.STATEMENTS / later.file_name).write_bytes(later.data)
    desk = await open_desk(bundle, row(), trust=policy(), verify_every_s=0.0)
    assert desk.admitted
    desk.clock.now += timedelta(days=2)
    await desk.shelf.look()
    assert (2, False) == (desk.shelf.rounds, desk.admitted)


async def test_changes_are_seen_without_being_asked_for(bundle: Path, open_desk: OpenDesk) -> None:
    desk = await open_desk(bundle, row(), look_every_s=0.01)
    seen = asyncio.Event()
    desk.shelf.listen(lambda path: seen.set())
    shutil.rmtree(bundle)
    await asyncio.wait_for(seen.wait(), 20)
    assert not desk.admitted


async def test_a_bundle_that_is_replaced_again_and_again_is_admitted_all_the_time(
    made_zip: Path, made_bundle: Path, tmp_path: Path, open_desk: OpenDesk
) -> None:
    link = tmp_path / "link"
    target = tmp_path / "bundle.zip"
    shutil.copy(made_zip, target)
    link.symlink_to(made_bundle)
    zipped, linked = await open_desk(target, row()), await open_desk(link, row())
    seen: set[bool] = set()

    async def ask() -> None:
        while True:
            seen.update((zipped.admitted, linked.admitted))
            await asyncio.sleep(0)

    asking = asyncio.create_task(ask())
    for number in range(6):
        fresh = tmp_path / "fresh.zip"
        write_zip(made_bundle, fresh)
        put(fresh, target)
        copy = Path(shutil.copytree(made_bundle, tmp_path / f"copy{number}"))
        (tmp_path / "new").symlink_to(copy)
        put(tmp_path / "new", link)
        await asyncio.gather(zipped.shelf.look(), linked.shelf.look())
    asking.cancel()
    assert {True} == seen
    assert zipped.shelf.rounds == linked.shelf.rounds == 7


async def test_a_better_label_in_place_of_a_worse_one_counts_at_once(
    made_bundle: Path, worse_zip: Path, tmp_path: Path, open_desk: OpenDesk
) -> None:
    desk = await open_desk(worse_zip, row())
    assert not desk.admitted
    fresh = tmp_path / "fresh.zip"
    write_zip(made_bundle, fresh)
    put(fresh, worse_zip)
    await desk.shelf.look()
    assert desk.admitted


# -- waivers -------------------------------------------------------------------------------------------------


async def test_a_waiver_covers_what_it_names_and_is_shown(made_bundle: Path, open_desk: OpenDesk) -> None:
    waiver = Waiver(requirement="granted", reason="pilot", by="ops", until="2026-11-22")
    desk = await open_desk(made_bundle, row(granted="L3", waivers=(waiver,)))
    assert (True, ("waived:granted",)) == (desk.admitted, desk.admission.standing("quiz", 0).flags)
    desk.clock.now = READ + timedelta(hours=12)
    assert not desk.admitted
    desk = await open_desk(made_bundle, row(granted="L3", max_age_days=1, waivers=(waiver,)))
    assert ["max_age_days"] == [reason.split(":")[0] for reason in desk.reasons]


async def test_a_waiver_that_is_not_needed_is_not_shown(made_bundle: Path, open_desk: OpenDesk) -> None:
    waiver = Waiver(requirement="verification", reason="pilot", by="ops", until="2026-12-31")
    assert () == (await open_desk(made_bundle, row(waivers=(waiver,)))).admission.standing("quiz", 0).flags


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"scope": ("use_case",)}, "$.admit[0].scope"),
        ({"granted": "L1", "ruled_out": "C3"}, "$.admit[0]"),
        ({"route": "quiz-l*", "name": "quiz-*"}, "$.admit[0].route"),
        ({"route": "quiz-large", "name": "quiz-*"}, "$.admit[0].route"),
        ({"waivers": ("nothing", "2027-01-01")}, "$.admit[0].waivers[0].requirement"),
        ({"waivers": ("scope.params", "2027-01-01")}, "$.admit[0].waivers[0].requirement"),
        ({"waivers": ("granted", "soon")}, "$.admit[0].waivers[0].until"),
    ],
)
async def test_rows_that_cannot_be_held_to_are_refused_with_their_place(
    made_bundle: Path, open_desk: OpenDesk, changes: dict[str, Any], where: str
) -> None:
    name = changes.pop("name", "quiz")
    if "waivers" in changes:
        requirement, until = changes["waivers"]
        changes["waivers"] = (Waiver(requirement=requirement, reason="r", by="b", until=until),)
    with pytest.raises(MalformedInput) as caught:
        await open_desk(made_bundle, row(**changes), name=name)
    assert where == caught.value.where


# -- scope ---------------------------------------------------------------------------------------------------


@pytest.fixture
async def scoped(made_bundle: Path, open_desk: OpenDesk) -> Desk:
    return await open_desk(made_bundle, row(scope=("params", "system_prompt", "tools", "guardrails")))


async def test_a_request_within_the_scope_has_no_objection(scoped: Desk) -> None:
    assert () == scoped.object()
    assert () == scoped.object(params={"max_tokens": 512, "temperature": 0.0})


@pytest.mark.parametrize(
    ("in_use", "objection"),
    [
        ({"system": "Answer with two letters."}, "system_prompt: another than the label's"),
        ({"system": ""}, "system_prompt: the label was made with one, the request has none"),
        ({"params": {"temperature": "0"}}, "params: max_tokens (the label's is 512, the request has none)"),
        ({"params": PARAMS | {"temperature": "0.7"}}, "params: temperature (the label's is 0)"),
        ({"params": PARAMS | {"top_p": "0.9"}}, "params: top_p (the label has none)"),
        ({"params": PARAMS | {"my secret": 1}}, "params: another parameter (the label has none)"),
        ({"tools": {"search": {"a": 1}}}, "tools: 1 that the label was made without"),
        ({"guardrails": "sha256:1"}, "guardrails: the label was made without this gateway's policy"),
    ],
)
async def test_what_leaves_the_scope_is_named(scoped: Desk, in_use: dict[str, Any], objection: str) -> None:
    assert (objection,) == scoped.object(**in_use)


async def test_a_row_without_scope_has_no_objection_to_a_request(
    made_bundle: Path, open_desk: OpenDesk
) -> None:
    assert () == (await open_desk(made_bundle, row())).object(system="another")


async def test_objections_of_a_row_that_flags_or_of_a_waived_key_do_not_refuse(
    made_bundle: Path, open_desk: OpenDesk
) -> None:
    waiver = Waiver(requirement="scope.system_prompt", reason="r", by="b", until="2026-12-01")
    flagging = await open_desk(made_bundle, row(scope=("system_prompt",), otherwise="flag"))
    waived = await open_desk(made_bundle, row(scope=("system_prompt",), waivers=(waiver,)))
    assert ([], ["system_prompt: another than the label's"]) == flags_of(flagging.object(system="x"))
    assert ([], ["waived:scope.system_prompt"]) == flags_of(waived.object(system="x"))


async def test_another_model_or_address_than_the_label_s_is_refused(
    made_bundle: Path, open_desk: OpenDesk
) -> None:
    desk = await open_desk(made_bundle, row(scope=("provider_model", "base_url")), model="other")
    assert (
        f"provider_model: the label is for {MODEL}",
        "base_url: the label is for no address",
    ) == desk.reasons
    assert (await open_desk(made_bundle, row(scope=("provider_model",)))).admitted


async def test_where_the_target_leaves_the_model_to_the_request_the_request_is_asked(
    made_bundle: Path, open_desk: OpenDesk
) -> None:
    desk = await open_desk(made_bundle, row(scope=("provider_model",)), model=None, name="any-*")
    assert desk.admission.standing("any-*", 0).admitted
    for model, count in ((MODEL, 0), ("another", 1), (None, 1)):
        assert count == len(desk.admission.objections("any-*", 0, {"provider_model": model}))


# -- what the provider says it served ------------------------------------------------------------------------


async def test_another_served_model_keeps_the_target_out_until_it_is_verified_again(
    made_bundle: Path, open_desk: OpenDesk
) -> None:
    desk = await open_desk(made_bundle, row(scope=("provider_model",)), verify_every_s=0.0)
    assert desk.admission.observe("quiz", 0, "simulated", None) is None
    objection = desk.admission.observe("quiz", 0, "simulated-2", None)
    assert "served_model: the provider served another than the label's simulated" == objection
    assert (objection,) == desk.reasons
    await desk.shelf.look()
    assert desk.admitted
    desk.admission.observe("quiz", 0, "simulated-2", None)
    assert not desk.admitted


async def test_a_served_model_that_changes_back_clears_what_was_flagged(
    made_bundle: Path, open_desk: OpenDesk
) -> None:
    desk = await open_desk(made_bundle, row(scope=("provider_model",), otherwise="flag"))
    said = desk.admission.observe("quiz", 0, "other", None)
    assert ([], ["served_model: the provider served another than the label's simulated"]) == flags_of(
        [str(said)]
    )
    assert 1 == len(desk.admission.standing("quiz", 0).flags)
    assert desk.admission.observe("quiz", 0, "simulated", "fp_1") is None
    assert () == desk.admission.standing("quiz", 0).flags


async def test_without_a_scope_that_asks_what_is_served_does_not_matter(
    made_bundle: Path, open_desk: OpenDesk
) -> None:
    desk = await open_desk(made_bundle, row(scope=("params",)))
    assert desk.admission.observe("quiz", 0, "other", "fp") is None
    assert desk.admitted
