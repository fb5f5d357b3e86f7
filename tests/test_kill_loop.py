"""Never twice, never lost: the program is killed again and again while it sends; the server's ledger is the judge."""

import os
from pathlib import Path

import pytest

from tests.kill_loop import Bulkload, Figures, Naive, Plan, loop

pytestmark = pytest.mark.skipif(os.name != "posix", reason="SIGKILL and fork")

# What may never be, whatever happens.
CLEAN = dict.fromkeys(("duplicates", "lost", "wrong_ids", "missing_ids", "dustbin", "without_intent", "unknown"), 0)


def faults(figures: Figures) -> dict[str, int]:
    """What of the figures should be nought."""
    return {name: getattr(figures, name) for name in CLEAN}


@pytest.mark.parametrize("mix", ["none", "ten", "late"])
def test_killed_again_and_again_no_row_is_made_twice_or_lost(mix: str, tmp_path: Path) -> None:
    """20 kills over 2,000 rows, resumed and resolved until done."""
    plan = Plan(rows=2000, kills=20, mix=mix)
    figures = loop(plan, Bulkload, tmp_path)
    assert faults(figures) == CLEAN, figures
    assert (figures.created, figures.kills) == (plan.rows, plan.kills), figures
    assert figures.hits >= 0.8 * plan.kills, figures


def test_with_idempotency_keys_no_look_up_is_needed(tmp_path: Path) -> None:
    """Answers are lost and the program is killed; every row goes again with its key until it is done, and once only."""
    plan = Plan(rows=400, kills=6, mix="ten", seed=4, keys=True)
    figures = loop(plan, Bulkload, tmp_path)
    assert faults(figures) == CLEAN, figures
    assert (figures.created, figures.kills, figures.look_ups) == (plan.rows, plan.kills, 0), figures
    assert figures.hits >= 0.5 * plan.kills, figures
    assert figures.arrivals > plan.rows, figures
    # Done, but the answer that held the ID was cut, and nobody can be asked for it: with this seed 7 first ones are.
    assert 0 < figures.unnamed < 0.05 * plan.rows, figures


@pytest.mark.parametrize("mix", ["tokens", "outages"])
def test_in_worse_weather_too(mix: str, tmp_path: Path) -> None:
    """Tokens end before their time; nobody listens for a while. (`--mix storm` waits for minutes: by command only.)"""
    plan = Plan(rows=200, kills=5, mix=mix)
    figures = loop(plan, Bulkload, tmp_path)
    assert faults(figures) == CLEAN, figures
    assert figures.created == plan.rows, figures


def test_every_one_of_ten_thousand_arrivals_finds_its_intent_committed(tmp_path: Path) -> None:
    figures = loop(Plan(rows=10_000, kills=0, mix="none"), Bulkload, tmp_path, pause=0.0)
    assert faults(figures) == CLEAN, figures
    assert (figures.arrivals, figures.created) == (10_000, 10_000), figures


@pytest.mark.parametrize("mix", ["none", "ten", "late"])
def test_a_usual_loader_makes_duplicates_under_the_same_kills(mix: str, tmp_path: Path) -> None:
    """The negative control: were there none, the tests above would test nothing."""
    plan = Plan(rows=2000, kills=20, mix=mix)
    figures = loop(plan, Naive, tmp_path)
    assert figures.kills == plan.kills, figures
    assert figures.duplicates > 0.05 * plan.rows, figures
