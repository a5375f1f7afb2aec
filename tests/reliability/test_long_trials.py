"""What long trials share: an end by the clock that says so, at the number that was reached."""

from __future__ import annotations

import pytest

from labelhub.config.soak.lives import try_lives
from labelhub.config.soak.report import TimeIsUp, Trial


def test_a_trial_that_is_ended_by_the_clock_states_the_number_it_reached():
    trial = Trial("anything", seed=1)
    with trial.while_there_is_time():
        for _ in range(300):
            trial.n += 1
            if trial.n == 30:
                raise TimeIsUp
    assert trial.failures == []
    assert trial.sentence == "anything: 0 of 30 failed, upper bound 1.0e-01 (seed 1). stopped by the clock at 30"


def test_an_error_is_no_end_of_time():
    with pytest.raises(ValueError, match="broken"), Trial("anything", seed=1).while_there_is_time():
        raise ValueError("broken")


@pytest.mark.once
@pytest.mark.django_db
def test_lives_end_between_two_worlds():
    def clock(done: int, total: int) -> None:
        raise TimeIsUp

    trial = try_lives(n=10_000, seed=3, progress=clock)
    assert trial.failures == []
    assert trial.n == trial.facts["stopped by the clock at"] < 200
