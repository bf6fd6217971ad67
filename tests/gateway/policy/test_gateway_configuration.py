"""Reading gateway.yaml: what it names must be there and fit together."""

from __future__ import annotations

from pathlib import Path

import pytest

from verilabel.errors import MalformedInput, UsageError, VerilabelError
from verilabel.gateway.policy.bundled import bundled_bytes, sample_gateway_yaml
from verilabel.gateway.policy.reading import Loaded, load_gateway, watched_files
from verilabel.records.canonical import digest

HEAD = "gateway: 1\n"
UPSTREAMS = "upstreams:\n  - {id: u, base_url: 'https://api.example.com/v1', key_env: KEY}\n"
MODELS = "models:\n  - name: gpt-*\n    to: [{upstream: u}]\n"
WHOLE = HEAD + UPSTREAMS + MODELS
POLICY = "policy: mine\nversion: '1'\nguards:\n  - {id: g, use: pii}\n"


def load(folder: Path, text: str, **policies: str) -> Loaded:
    for name, policy in policies.items():
        (folder / f"{name}.yaml").write_text(policy)
    path = folder / "gateway.yaml"
    path.write_text(text)
    return load_gateway(path, home=folder / "home")


def mistake_in(folder: Path, text: str, **policies: str) -> str:
    with pytest.raises(MalformedInput) as caught:
        load(folder, text, **policies)
    return str(caught.value.where).removeprefix(str(folder / "gateway.yaml") + ": ")


def doubts_of(loaded: Loaded) -> set[str]:
    return {remark.where for remark in loaded.remarks if remark.where.startswith("$")}


def test_the_sample_configuration_is_one(tmp_path: Path) -> None:
    loaded = load(tmp_path, sample_gateway_yaml(), policy=bundled_bytes("default").decode())
    assert ("default@1.0.0", ()) == (loaded.policy.name, loaded.remarks)
    assert (tmp_path, digest(sample_gateway_yaml().encode())) == (loaded.folder, loaded.digest)


def test_a_configuration_that_names_no_policy_has_the_default_one(tmp_path: Path) -> None:
    assert "default@1.0.0" == load(tmp_path, WHOLE).policy.name


def test_policies_are_read_from_files_beside_the_configuration(tmp_path: Path) -> None:
    text = WHOLE + "policy: a.yaml\npolicies: {other: b.yaml, shown: 'bundled:observe'}\n"
    loaded = load(tmp_path, text, a=POLICY, b=POLICY.replace("mine", "other"))
    assert "mine@1" == loaded.policy.name
    assert {"other": "other@1", "shown": "observe@1.0.0"} == {k: v.name for k, v in loaded.policies.items()}
    assert {"gateway.yaml", "a.yaml", "b.yaml"} == {path.name for path in loaded.files}


def test_decimal_parameters_become_the_text_of_a_label(tmp_path: Path) -> None:
    text = WHOLE.replace("{upstream: u}", "{upstream: u, params: {temperature: 0.70, seed: 1}}")
    assert {"temperature": "0.70", "seed": 1} == load(tmp_path, text).gateway.models[0].to[0].params


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (HEAD + "upstreams: []\nmodels: []\n", "$.upstreams"),
        (HEAD + UPSTREAMS + "models: []\n", "$.models"),
        (WHOLE + "auth: none\nhost: 0.0.0.0\n", "$.auth"),
        (WHOLE + "auth: none\nhost: 10.0.0.1\n", "$.auth"),
        (WHOLE + "port: 70000\n", "$.port"),
        (WHOLE + "port: 65536\n", "$.port"),
        (WHOLE + "workers: 0\n", "$.workers"),
        (WHOLE + "limits_store: memcached\n", "$.limits_store"),
        (WHOLE + "store: mysql://a/b\n", "$.store"),
        (WHOLE + "max_request_bytes: 1\n", "$.max_request_bytes"),
        (WHOLE + "audit: {sync_ms: 0}\n", "$.audit.sync_ms"),
        (WHOLE + "audit: {sync: 0}\n", "$.audit.sync"),
        (WHOLE.replace("upstream: u}", "upstream: v}"), "$.models[0].to[0].upstream"),
        (WHOLE.replace("[{upstream: u}]", "[]"), "$.models[0].to"),
        (WHOLE + "  - name: gpt-*\n    to: [{upstream: u}]\n", "$.models[1].name"),
        (WHOLE.replace("gpt-*", "g*t"), "$.models[0].name"),
        (WHOLE.replace("    to:", "    policy: nobody\n    to:"), "$.models[0].policy"),
        (WHOLE.replace("key_env: KEY", "key_env: KEY, key_file: f"), "$.upstreams[0]"),
        (WHOLE.replace("https://api.example.com", "http://api.example.com"), "$.upstreams[0].base_url"),
        (WHOLE.replace("https://api", "https://user:word@api"), "$.upstreams[0].base_url"),
        (WHOLE.replace("key_env: KEY", "headers: {Authorization: x}"), "$.upstreams[0].headers"),
        (WHOLE.replace("key_env: KEY", "headers: {Host: x}"), "$.upstreams[0].headers"),
        (WHOLE.replace("key_env: KEY", "idle_timeout_s: 0"), "$.upstreams[0].idle_timeout_s"),
        (WHOLE.replace("key_env: KEY", "retries: 99"), "$.upstreams[0].retries"),
        (
            WHOLE.replace("{upstream: u}", "{upstream: u, price: {input: -1, output: 1}}"),
            "$.models[0].to[0].price",
        ),
        (
            WHOLE.replace("{upstream: u}", "{upstream: u, price: {input: free, output: 1}}"),
            "$.models[0].to[0].price.input",
        ),
    ],
)
def test_a_configuration_that_cannot_be_meant_is_refused(tmp_path: Path, text: str, where: str) -> None:
    assert where == mistake_in(tmp_path, text)


@pytest.mark.parametrize(
    ("policy", "where"),
    [
        ("admit:\n  - {route: claude-*, rubric: core}\n", "$.policy: admit[0].route"),
        ("admit:\n  - {route: gpt-4*, rubric: core}\n", "$.policy: admit[0].route"),
        ("limits:\n  - {id: l, route: claude, concurrency: 5}\n", "$.policy: limits[0].route"),
        ("admit:\n  - {rubric: core}\n", "$.policy: admit"),
        ("limits:\n  - {id: l, cost_usd: 5/day}\n", "$.policy: limits[0].cost_usd"),
    ],
)
def test_a_policy_that_does_not_fit_the_routes_is_refused(tmp_path: Path, policy: str, where: str) -> None:
    assert where == mistake_in(tmp_path, WHOLE + "policy: a.yaml\n", a=POLICY + policy)


def test_a_policy_that_holds_requests_needs_keys(tmp_path: Path) -> None:
    held = POLICY.replace("use: pii", "use: pii, action: hold")
    assert "mine@1" == load(tmp_path, WHOLE + "policy: a.yaml\n", a=held).policy.name
    assert "$.policy" == mistake_in(tmp_path, WHOLE + "policy: a.yaml\nauth: none\n", a=held)


@pytest.mark.parametrize("store", ["redis://h:1/0", "rediss://h/0", "unix:///run/redis.sock"])
def test_every_kind_of_address_of_redis_is_taken(tmp_path: Path, store: str) -> None:
    assert store == load(tmp_path, WHOLE + f"limits_store: {store}\n").gateway.limits_store


def test_doubts_about_a_configuration_do_not_refuse_it(tmp_path: Path) -> None:
    limited = POLICY + "limits:\n  - {id: l, concurrency: 5}\n"
    text = WHOLE + "policy: a.yaml\nworkers: 2\naudit: {content: true}\nstore: 'postgresql://u:word@h/d'\n"
    assert {"$.limits_store", "$.audit.content", "$.store"} == doubts_of(load(tmp_path, text, a=limited))
    few = {"$.limits_store", "$.policy: limits[0].concurrency"}
    assert few == doubts_of(load(tmp_path, WHOLE + "policy: a.yaml\nworkers: 8\n", a=limited))
    unused = WHOLE.replace("models:", "  - {id: idle, base_url: 'http://127.0.0.1:9/v1'}\nmodels:")
    assert {"$.upstreams[1]"} == doubts_of(load(tmp_path, unused))


def test_a_mistake_in_a_policy_names_the_policy(tmp_path: Path) -> None:
    with pytest.raises(MalformedInput) as caught:
        load(tmp_path, WHOLE + "policy: a.yaml\n", a=POLICY.replace("use: pii", "use: pii, share: 3"))
    assert f"{tmp_path / 'a.yaml'}: $.guards[0].share" == caught.value.where


def test_doubts_about_its_policies_are_among_those_of_a_configuration(tmp_path: Path) -> None:
    loaded = load(tmp_path, WHOLE + "policy: a.yaml\n", a=POLICY)
    assert [f"the policy has no tests @ {tmp_path / 'a.yaml'}: $.tests"] == [
        str(each) for each in loaded.remarks
    ]


@pytest.mark.parametrize("policy", ["nowhere.yaml", "bundled:nothing", f"pack:mine@sha256:{'0' * 64}"])
def test_a_policy_that_is_not_there_is_said_to_be_missing(tmp_path: Path, policy: str) -> None:
    with pytest.raises(UsageError):
        load(tmp_path, WHOLE + f"policy: '{policy}'\n")


def test_everything_a_configuration_names_is_watched_however_wrong_it_is(tmp_path: Path) -> None:
    words = "guards:\n  - {id: w, use: words, settings: {file: words.txt}}\n"
    (tmp_path / "a.yaml").write_text("policy: mine\nversion: 1\n" + words)
    path = tmp_path / "gateway.yaml"
    path.write_text(
        WHOLE.replace("{upstream: u}", "{upstream: nobody, system_prompt_file: prompt.txt}")
        + "policy: a.yaml\npolicies: {b: b.yaml, c: 'bundled:strict'}\ntrust: trust.yaml\nwrong: 1\n"
    )
    expected = ["gateway.yaml", "a.yaml", "words.txt", "b.yaml", "trust.yaml", "prompt.txt"]
    assert [tmp_path / name for name in expected] == list(watched_files(path))
    with pytest.raises(VerilabelError):
        load_gateway(path)
    path.write_text("{")
    assert (path,) == watched_files(path)
