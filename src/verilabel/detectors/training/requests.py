"""Train the request classifier of `harmful`:
`python -m verilabel.detectors.training.requests --data DIR --out FILE`.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from verilabel.detectors.features import Reading
from verilabel.detectors.harmful import read_request
from verilabel.detectors.linear import LinearModel
from verilabel.detectors.training.answers import LabelledAnswer, read_requests
from verilabel.detectors.training.fitting import Recipe, fit
from verilabel.detectors.training.writing import run_recipe

RECIPE = Recipe(
    id="requests",
    version="1.0.0",
    event="request_harmful",
    reading=Reading(words=0, opening=0, single_words=True),
    strength=1.0,
    min_answers=3,
    min_prompts=1,
)
CAUTION = 1_500
"""Thousandths of a nat added in favour of `harmful`: a missed harmful request costs more than a flagged one."""


def train(requests: Sequence[LabelledAnswer]) -> LinearModel:
    """Weights from prompts of harmful suites and of everyday use."""
    model = fit(
        RECIPE, [read_request(r.prompt) for r in requests], [r.event for r in requests], [""] * len(requests)
    )
    return msgspec.structs.replace(model, bias=model.bias + CAUTION)


if __name__ == "__main__":
    run_recipe(__doc__, lambda data: train(list(read_requests(data))))
