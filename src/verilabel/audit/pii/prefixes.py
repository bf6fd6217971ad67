"""How keys and tokens begin, and the rules of the product's pack of secrets that say how they go on."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from verilabel.audit.pii.kinds import INDEX
from verilabel.detectors.spans.checks import is_random
from verilabel.detectors.spans.packs import describe_pack
from verilabel.errors import MissingExtra

WINDOW = 2_048
"""Bytes of a text that a rule is tried on, from the prefix."""
_OF_KINDS: Mapping[str, str] = {
    "secret.aws_key": "AKIA ASIA ABIA ACCA:aws_access_key ABSK:aws_bedrock_key amzn.mws.:aws_mws_token",
    "secret.github_token": "ghp_ gho_ ghu_ ghs_ ghr_:github_token github_pat_:github_fine_grained",
    "secret.google_key": "AIza:gcp_api_key ya29.:gcp_oauth_token GOCSPX-:gcp_client_secret",
    "secret.slack_token": (
        "xoxa- xoxb- xoxe- xoxo- xoxp- xoxr- xoxs-:slack_token xapp-:slack_app "
        "hooks.slack.com/:slack_webhook"
    ),
    "secret.stripe_key": "sk_live_ sk_test_ sk_prod_ rk_live_ rk_test_ rk_prod_:stripe whsec_:stripe_webhook",
    "secret.private_key": "AGE-SECRET-KEY-1:age_key PuTTY-User-Key-File-:putty_key",
    "secret.vendor_token": (
        "dop_v1_ doo_v1_ dor_v1_:digitalocean LTAI:alibaba_access_key AKID:tencent_secret_id "
        "HRKU-AA:heroku fo1_:fly_io "
        "nfp_:netlify glpat- gldt- glrt- glft- glsoat- glimt- glagent- glptt- glcbt- glffct-:gitlab_token "
        "GR1348941:gitlab_runner ATBB:bitbucket_app ATATT3:atlassian npm_:npm pypi-:pypi "
        "rubygems_:rubygems "
        "dckr_pat_ dckr_oat_:docker_hub AKCp:artifactory cmVmd:artifactory_reference hvs. hvb. hvr.:vault "
        "pul-:pulumi "
        "dp.pt. dp.st. dp.ct. dp.sa. dp.scim. dp.audit.:doppler ops_eyJ:onepassword_service "
        "hf_:huggingface_long,huggingface "
        "api_org_:huggingface sk-ant-:anthropic sk-lf- pk-lf-:langfuse sk-:openai r8_:replicate gsk_:groq "
        "pplx-:perplexity "
        "xai-:xai nvapi-:nvidia lsv2_pt_ lsv2_sk_:langsmith tvly-:tavily pcsk_:pinecone sq0atp- sq0csp- "
        "sq0idp-:square_token "
        "shpat_ shpca_ shppa_ shpss_:shopify FLWSECK:flutterwave SG.:sendgrid xkeysib-:brevo PMAK-:postman "
        "lin_api_ lin_oauth_:linear ntn_:notion figd_ figo_ figu_ figr_:figma dapi:databricks "
        "pscale_tkn_ pscale_pw_ pscale_oauth_:planetscale sbp_ sb_secret_:supabase NRAK-:newrelic glc_ "
        "glsa_:grafana "
        "sntrys_ sntryu_:sentry dt0c01. dt0s01.:dynatrace EAACEdEose0cBA:facebook_token discord.com/ "
        "discordapp.com/:discord_webhook "
        "A3-:onepassword_secret CLOJARS_:clojars EZAK EZTK:easypost key-:mailgun"
    ),
}  # fmt: skip
"""By kind: beginnings, and behind a colon the names of the pack's rules for them."""
_PLAIN = frozenset({"openai", "huggingface_long", "databricks", "pypi"})
"""Rules that names and classes of programs can match: what they find must look random, too."""


class Prefix(NamedTuple):
    """A beginning, the kind of what begins so, and programs of the rules."""

    text: bytes
    kind: int
    rules: tuple[str, ...]


@cache
def list_prefixes() -> tuple[Prefix, ...]:
    """All beginnings, longer ones before those that they begin with."""
    found: list[Prefix] = []
    for kind, text in _OF_KINDS.items():
        waiting: list[str] = []
        for part in text.split():
            name, _, rules = part.partition(":")
            waiting.append(name)
            if rules:
                found += [Prefix(begin.encode(), INDEX[kind], tuple(rules.split(","))) for begin in waiting]
                waiting = []
    return tuple(sorted(found, key=lambda prefix: (-len(prefix.text), prefix.text)))


class PrefixRules:
    """The rules, compiled."""

    def __init__(self) -> None:
        self._prefixes = list_prefixes()
        needed = {name for prefix in self._prefixes for name in prefix.rules}
        self._programs = {
            rule.id.removeprefix("secrets."): _compile(
                f"{rule.pattern}{rule.body}*" if rule.body else rule.pattern, rule.ignore_case
            )
            for rule in describe_pack("secrets").rules
            if rule.id.removeprefix("secrets.") in needed
        }

    def find_end(self, prefix: int, text: bytes) -> int:
        """How many bytes of a text, which begins with a prefix, are a token; 0 where none is."""
        longest = 0
        for name in self._prefixes[prefix].rules:
            match = self._programs[name].match(text)
            if match and (name not in _PLAIN or _looks_random(match.group(0), self._prefixes[prefix].text)):
                longest = max(longest, match.end())
        return longest


def _looks_random(token: bytes, prefix: bytes) -> bool:
    return is_random(token[len(prefix) :].decode("ascii", "replace"))


def _compile(pattern: str, ignore_case: bool) -> Any:
    try:
        import re2
    except ImportError as error:
        raise MissingExtra("google-re2", "audit") from error
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.case_sensitive = not ignore_case
    options.log_errors = False
    return re2.compile(pattern.encode(), options)
