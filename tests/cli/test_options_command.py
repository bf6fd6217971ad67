"""Options that several commands share: what each text becomes, and which texts are refused before anything runs."""

from __future__ import annotations

import argparse
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from small_runs import Place, at_most, numbered_rows, open_place, rubric_text, write_suite
from verilabel.cli import options
from verilabel.cli.console import print_table
from verilabel.errors import UsageError
from verilabel.records.plan import Budget


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    write_suite(tmp_path / "suite", numbered_rows(10))
    (tmp_path / "rubric.yaml").write_text(rubric_text(at_most("0.9")))
    return open_place(tmp_path, monkeypatch)


def parse(*given: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    options.add_system_options(parser)
    options.add_plan_options(parser)
    return parser.parse_args(["--model", "simulated", "--rubric", "core", *given])


# -- parameters ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0", 0),
        ("-7", -7),
        ("300", 300),
        ("0.70", "0.70"),
        ("1e-3", "1e-3"),
        ("true", True),
        ("false", False),
        ("True", "True"),
        ("", ""),
        ("a=b", "a=b"),
        ("--5", "--5"),
        ("-", "-"),
        ("007", "007"),
        ("٣", "٣"),
        ("9" * 40, "9" * 40),
    ],
)
def test_a_parameter_is_a_whole_number_a_truth_value_or_the_text_it_is(text: str, value: object) -> None:
    params = options.choose_system(parse("--param", f"p={text}")).params
    assert (value, type(value)) == (params["p"], type(params["p"]))


@given(st.text(max_size=12))
def test_every_text_is_a_parameter(text: str) -> None:
    value = options.choose_system(parse("--param", f"p={text}")).params["p"]
    assert text == {True: "true", False: "false"}[value] if isinstance(value, bool) else text == str(value)


@pytest.mark.parametrize("flag", ["--param", "--tool", "--guardrail"])
@pytest.mark.parametrize("text", ["novalue", "=x", ""])
def test_what_is_not_name_and_value_is_refused(flag: str, text: str) -> None:
    with pytest.raises(UsageError, match="not of the form NAME=VALUE") as refused:
        options.choose_system(parse(f"{flag}={text}"))
    assert flag == refused.value.where


def test_a_name_that_is_given_twice_is_refused_and_not_chosen_from() -> None:
    with pytest.raises(UsageError, match="'temperature' is given twice") as refused:
        options.choose_system(parse("--param", "temperature=0", "--param", "temperature=1"))
    assert "--param" == refused.value.where


def test_no_model_and_no_system_file_is_said() -> None:
    args = parse()
    args.model = None
    with pytest.raises(UsageError, match="no model is named"):
        options.choose_system(args)


# -- the system prompt, tools and guardrails -------------------------------------------------------------------


def test_a_system_prompt_is_the_text_or_the_file_behind_the_sign(tmp_path: Path) -> None:
    (tmp_path / "prompt.txt").write_text("Grüß Gott.\n", encoding="utf-8")
    assert "Be brief." == options.choose_system(parse("--system-prompt", "Be brief.")).system_prompt
    assert (
        "Grüß Gott.\n"
        == options.choose_system(parse("--system-prompt", f"@{tmp_path / 'prompt.txt'}")).system_prompt
    )


def test_a_system_prompt_that_is_not_utf8_says_where(tmp_path: Path) -> None:
    (tmp_path / "prompt.txt").write_bytes(b"abc\xff")
    with pytest.raises(UsageError, match="not UTF-8 at byte 3"):
        options.choose_system(parse("--system-prompt", f"@{tmp_path / 'prompt.txt'}"))


def test_tools_of_the_options_join_those_of_the_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    (tmp_path / "system.yaml").write_text("model: simulated\ntools: {one: a, two: a}\n")
    given = ("--system", str(tmp_path / "system.yaml"), "--tool", f"two={tmp_path / 'b'}")
    assert {"one": b"a", "two": b"b"} == options.choose_system(parse(*given)).tools


# -- budgets and prices ----------------------------------------------------------------------------------------


def plan_options(*given: str) -> Budget:
    return options.plan_options(parse(*given), fixed_outcomes=False).budget


def test_budgets_are_read_as_they_are_written() -> None:
    assert Budget() == plan_options()
    assert Budget(requests=10, tokens=2000, usd="1.50") == plan_options(
        *("--budget", "requests=10", "--budget", "tokens=2000", "--budget", "usd=1.50")
    )


@pytest.mark.parametrize(
    "text",
    [
        *("requests=-1", "requests=1.5", "requests=many", "requests=", "tokens=1e3", "tokens=٣", "tokens=-0"),
        *("usd=NaN", "usd=Infinity", "usd=-1", "usd=1e9", "usd=", "usd=1,5", "usd=.5"),
    ],
)
def test_a_budget_that_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not a") as refused:
        plan_options("--budget", text)
    assert f"--budget {text.partition('=')[0]}" == refused.value.where


def test_a_budget_of_something_else_says_what_there_is() -> None:
    with pytest.raises(UsageError, match="no budget of 'euros'") as refused:
        plan_options("--budget", "euros=3")
    assert "requests=N, tokens=N or usd=N" == refused.value.hint


def test_prices_are_exact_decimals() -> None:
    prices = options.prices_of(parse("--price", "2.50,10"))
    assert prices is not None
    assert (Decimal("2.50"), Decimal(10)) == (prices.input, prices.output)
    assert None is options.prices_of(parse())


@pytest.mark.parametrize("text", ["1", "1,2,3", "a,b", "nan,1", "1,inf", "-1,2", "1e3,2", "", ","])
def test_prices_that_are_not_two_amounts_are_refused(text: str) -> None:
    with pytest.raises(UsageError, match="prices are two numbers"):
        options.prices_of(parse(f"--price={text}"))


# -- limits of a run -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (("--limit", "0"), "at least 1"),
        (("--limit", "-3"), "at least 1"),
        (("--epochs", "0"), "at least 1"),
        (("--max-attempts", "0"), "at least 1"),
        (("--epochs", "10001"), "10000 times at most"),
        (("--connections", "0"), "--connections must be at least 1"),
        (("--timeout", "0"), "--timeout above 0"),
        (("--timeout", "nan"), "--timeout above 0"),
    ],
)
def test_a_run_of_nothing_is_refused_before_anything_is_written(
    place: Place, given: tuple[str, ...], said: str
) -> None:
    outcome = place.run(
        *("label", "--model", "simulated", "--suite", "suite", "--rubric", "rubric.yaml"),
        *("--out", "b.bundle", "--quiet", *given),
    )
    assert 2 == outcome.status
    assert said in outcome.err
    assert not (place.folder / "b.bundle.run" / "plan").exists()


def test_every_seed_that_is_drawn_is_another() -> None:
    drawn = {options.plan_options(parse(), fixed_outcomes=False).seed for _ in range(20)}
    assert 20 == len(drawn)
    assert "mine" == options.plan_options(parse("--seed", "mine"), fixed_outcomes=False).seed


# -- tables ----------------------------------------------------------------------------------------------------


def test_numbers_of_a_table_stand_to_the_right_and_texts_to_the_left(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_table(("name", "n"), [("a", 7), ("bcdef", 12345)])
    assert "name   n\n-----  -----\na          7\nbcdef  12345\n" == capsys.readouterr().out.replace(
        "name       n", "name   n"
    )


def test_a_table_without_rows_is_its_headings(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("one", "two"), [])
    assert "one  two\n---  ---\n" == capsys.readouterr().out
