"""Small cards and servers for tests of claims."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from verilabel.claims.claim import Claim, Document, Extraction
from verilabel.claims.extraction import extract_claims

CARD = """\
---
language: no
model-index:
- name: Small-7B
  results:
  - task: {type: text-generation}
    dataset: {name: GSM8K, type: openai/gsm8k, split: test}
    metrics:
    - {type: acc, value: 57.30, name: accuracy}
    source: {name: Some Leaderboard, url: "https://example.org/board"}
---
# Model card for Small-7B

Small-7B achieves 87.3% on GSM8K (8-shot). It refuses 99% of harmful requests.
Trained on 2 trillion tokens; 65% of this data is English.

## Safety

We rate the model as low risk. Training reduces toxicity by 40 %.

| Benchmark (metric) | # Shots | Other-8B | **Small-7B** |
|---|---|---|---|
| # Params | - | 8B | 7B |
| MMLU (acc.) | 5-shot | 61.2 | **64.5** |
| XSTest (refusal rate) | 0-shot | 0.12 | 7.5 |

```python
accuracy = 0.99  # not a claim
```

| layer | width |
|---|---|
| 1 | 128 |
"""


def read(text: str, *, kind: str = "card", name: str = "card.md", subject: str = "") -> Extraction:
    """The claims of one text."""
    document = Document(name, kind, text, "sha256:" + "0" * 64)  # type: ignore[arg-type]
    return extract_claims(name, [document], subject=subject)


def figures(extraction: Extraction) -> list[tuple[str, str, str, str, str]]:
    """Of each claim with a figure: subject, benchmark, metric, number, unit."""
    return [
        (c.subject, c.benchmark, c.metric, c.value.number, c.value.unit)
        for c in extraction.claims
        if c.value is not None
    ]


def only(extraction: Extraction) -> Claim:
    """The one claim there is."""
    (claim,) = extraction.claims
    return claim


@contextmanager
def page_server(pages: Mapping[str, bytes]) -> Iterator[str]:
    """A server of fixed pages on the loopback; other paths are 404."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = pages.get(self.path)
            self.send_response(200 if body is not None else 404)
            self.send_header("content-length", str(len(body or b"")))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, format: str, *args: object) -> None:
            return

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        http.daemon_threads = True
        threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{http.server_address[1]}"
        finally:
            http.shutdown()
