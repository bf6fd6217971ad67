"""Formats of secrets, after their issuers' own documentation; every one is random, and opens nothing.

Sources: AWS (IAM identifiers), GitHub (prefix, 30 random characters, CRC-32 in base 62), Slack, Stripe and Google
(documented prefixes), RFC 7468 and OpenSSH's PROTOCOL.key (PEM), RFC 7515 and 7519 (JWT), RFC 3986 (user
information in URLs). Prefixes are put together from parts so that scanners of repositories do not stop at this file.
"""

from __future__ import annotations

import json
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from zlib import crc32

from verilabel.audit.canaries.draws import ALPHANUMERIC, DIGITS, HEX, LOWER, UPPER, Draws
from verilabel.audit.canaries.formats import BARE, Carrier, Catalogue, labels

SECRETS = Catalogue()
_BASE62 = DIGITS + UPPER + LOWER
_CODE = UPPER + DIGITS


def _settings(*names: str) -> tuple[Carrier, ...]:
    """How programs and files of settings hold a value of a name."""
    shapes = (("{}=", ""), ("{} = ", ""), ("export {}=", ""), ('{} = "', '"'), ("{}: ", ""), ('"{}": "', '"'))
    return tuple((before.format(name), after) for name in names for before, after in shapes)


def _plain(prefix: str, length: int, alphabet: str = ALPHANUMERIC) -> Callable[[Draws], str]:
    return lambda draws: prefix + draws.text(length, alphabet)


def _github(prefix: str) -> Callable[[Draws], str]:
    def make(draws: Draws) -> str:
        body = draws.text(30, ALPHANUMERIC)
        number, check = crc32(body.encode()), ""
        for _ in range(6):
            number, rest = divmod(number, 62)
            check = _BASE62[rest] + check
        return f"{prefix}{body}{check}"

    return make


def _slack(letter: str, numbers: int, length: int, alphabet: str) -> Callable[[Draws], str]:
    def make(draws: Draws) -> str:
        joined = "-".join(str(draws.between(10**11, 10**13)) for _ in range(numbers))
        return f"xox{letter}-{joined}-{draws.text(length, alphabet)}"

    return make


def _add_tokens() -> None:
    aws = (*BARE, *_settings("aws_access_key_id", "AWS_ACCESS_KEY_ID"))
    SECRETS.add("secret.aws_key", "long_term", _plain("AK" + "IA", 16, UPPER + "234567"), aws)
    SECRETS.add("secret.aws_key", "temporary", _plain("AS" + "IA", 16, UPPER + "234567"), aws)
    hub = (*BARE, *_settings("GITHUB_TOKEN", "token"), ("https://x-access-token:", "@github.com/a/b"))
    for letter, name in (("p", "personal"), ("o", "oauth"), ("u", "user"), ("s", "server"), ("r", "refresh")):
        SECRETS.add("secret.github_token", name, _github(f"gh{letter}_"), hub)
    fine = "github_" + "pat_"
    SECRETS.add(
        "secret.github_token",
        "fine_grained",
        lambda d: f"{fine}{d.text(22, ALPHANUMERIC)}_{d.text(59, ALPHANUMERIC)}",
        hub,
    )
    google = (*BARE, *_settings("GOOGLE_API_KEY", "apiKey"), ("https://maps.example/api?key=", "&v=3"))
    SECRETS.add("secret.google_key", "api", _plain("AI" + "za", 35, ALPHANUMERIC + "_-"), google)
    slack = (*BARE, *_settings("SLACK_TOKEN", "slack_api_token"))
    SECRETS.add("secret.slack_token", "bot", _slack("b", 2, 24, ALPHANUMERIC), slack)
    SECRETS.add("secret.slack_token", "user", _slack("p", 3, 32, HEX), slack)
    app = "xa" + "pp-1-A"
    SECRETS.add(
        "secret.slack_token",
        "app",
        lambda d: f"{app}{d.text(10, _CODE)}-{d.digits(13)}-{d.text(64, HEX)}",
        slack,
    )
    hook = "hooks.slack" + ".com/services/"
    SECRETS.add(
        "secret.slack_token",
        "webhook",
        lambda d: f"https://{hook}T{d.text(10, _CODE)}/B{d.text(10, _CODE)}/{d.text(24, ALPHANUMERIC)}",
        slack,
    )
    stripe = (*BARE, *_settings("STRIPE_SECRET_KEY", "api_key"))
    for mode in ("live", "test"):
        SECRETS.add("secret.stripe_key", f"secret_{mode}", _plain(f"sk_{mode}_", 24), stripe)
        SECRETS.add("secret.stripe_key", f"secret_{mode}_long", _plain(f"sk_{mode}_51", 97), stripe)
        SECRETS.add("secret.stripe_key", f"restricted_{mode}", _plain(f"rk_{mode}_", 24), stripe)


# ---------------------------------------------------------------- keys, tokens that are signed, passwords


def _pem(label: str, head: str, size: int, joint: str = "\n") -> Callable[[Draws], str]:
    def make(draws: Draws) -> str:
        body = head + b64encode(draws.octets(size)).decode()
        lines = [body[at : at + 64] for at in range(0, len(body), 64)]
        return joint.join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----"])

    return make


def _add_private_keys() -> None:
    kind, end = "secret.private_key", "PRIVATE" + " KEY"
    plans = (
        ("rsa", f"RSA {end}", "MIIEpAIBAAKCAQEA", 1180),
        ("pkcs8", end, "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", 1190),
        ("ec", f"EC {end}", "MHcCAQEEI", 110),
        ("openssh", f"OPENSSH {end}", "b3BlbnNzaC1rZXktdjEAAAAA", 380),
        ("encrypted", f"ENCRYPTED {end}", "MIIFHDBOBgkqhkiG9w0BBQ0w", 1280),
    )
    for name, label, head, size in plans:
        SECRETS.add(kind, name, _pem(label, head, size), (("", ""),), is_block=True)
    in_json = _pem(end, "MIIEvQIBADANBgkqhkiG9w0BAQEFAASC", 1190, "\\n")
    SECRETS.add(kind, "json", in_json, (('"private_key": "', '\\n"'),))


def _segment(value: object) -> str:
    return urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).decode().rstrip("=")


def _jwt(draws: Draws, head: dict[str, str], signature: int) -> str:
    claims = {"sub": draws.digits(10), "iat": 1_500_000_000 + draws.below(300_000_000), "scope": "read"}
    return f"{_segment(head)}.{_segment(claims)}.{draws.text(signature, ALPHANUMERIC + '-_')}"


def _password(draws: Draws) -> str:
    return draws.text(draws.between(8, 16), ALPHANUMERIC + "_-.!")


def _add_signed_and_passwords() -> None:
    bearer = (
        *BARE,
        ("Authorization: Bearer ", ""),
        ("token=", ""),
        ("Cookie: session=", ";"),
        *labels("jwt"),
    )
    SECRETS.add("secret.jwt", "hs256", lambda d: _jwt(d, {"alg": "HS256", "typ": "JWT"}, 43), bearer)
    SECRETS.add("secret.jwt", "rs256", lambda d: _jwt(d, {"alg": "RS256", "kid": d.digits(8)}, 342), bearer)
    SECRETS.add("secret.jwt", "typ_first", lambda d: _jwt(d, {"typ": "JWT", "alg": "ES256"}, 86), bearer)
    around = ("", ""), ("DATABASE_URL=", ""), ('url: "', '"'), ("clone ", " first"), ("<", ">")
    plans = (
        ("postgres", "postgresql://app:", "@db.shop.internal:5432/main"),
        ("mysql", "mysql://root:", "@orders.db.local/shop"),
        ("mongodb", "mongodb+srv://writer:", "@cluster0.mongodb.example/x?retryWrites=true"),
        ("https", "https://deploy:", "@git.example.org/team/repo.git"),
        ("ftp", "ftp://mirror:", "@ftp.example.net/pub"),
        ("amqp", "amqp://svc:", "@mq.example.com:5672/"),
        ("redis_no_user", "redis://:", "@cache.example.net:6379/0"),
    )
    for name, before, after in plans:
        carriers = tuple((first + before, after + last) for first, last in around)
        SECRETS.add("secret.url_password", name, _password, carriers)


def _add_vendors_and_generic() -> None:
    kind = "secret.vendor_token"
    plans = (
        ("gitlab", "gl" + "pat-", 20, ALPHANUMERIC, "GITLAB_TOKEN"),
        ("npm", "np" + "m_", 36, ALPHANUMERIC, "NPM_TOKEN"),
        ("hugging_face", "h" + "f_", 34, UPPER + LOWER, "HF_TOKEN"),
        ("digital_ocean", "dop" + "_v1_", 64, HEX, "DO_TOKEN"),
        ("shopify", "shp" + "at_", 32, HEX, "SHOPIFY_TOKEN"),
        ("pypi", "py" + "pi-AgEIcHlwaS5vcmc", 150, ALPHANUMERIC + "-_", "TWINE_PASSWORD"),
    )
    for name, prefix, length, alphabet, setting in plans:
        SECRETS.add(kind, name, _plain(prefix, length, alphabet), (*BARE, *_settings(setting)))
    grid, name = "S" + "G.", "SENDGRID_API_KEY"
    letters = ALPHANUMERIC + "-_"
    SECRETS.add(
        kind, "sendgrid", lambda d: f"{grid}{d.text(22, letters)}.{d.text(43, letters)}", _settings(name)
    )
    names = ("client_secret", "DB_PASSWORD", "SECRET_KEY", "auth_token", "api_key")
    quoted = tuple(
        (f"{name}{joint}{mark}", mark) for name in names for joint in (" = ", ": ", "=") for mark in "\"'"
    )
    SECRETS.add("secret.generic", "quoted_letters", _plain("", 32), quoted)
    SECRETS.add("secret.generic", "quoted_hex", _plain("", 40, HEX), quoted)
    SECRETS.add("secret.generic", "quoted_signs", _plain("", 24, ALPHANUMERIC + "!#%*+-_"), quoted)
    variables = tuple((f"{name.upper()}=", "") for name in names)
    SECRETS.add("secret.generic", "environment", _plain("", 32), variables, is_block=True)


for _add in (_add_tokens, _add_private_keys, _add_signed_and_passwords, _add_vendors_and_generic):
    _add()
